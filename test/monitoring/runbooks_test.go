//go:build e2e

package monitoring

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// examples are what a reader of a runbook writes in the place of what it leaves open.
var examples = strings.NewReplacer("CALICO-NODE-POD", "calico-node", "POD-OF-THE-COLLECTOR", "otelcol-calico", "NAMESPACE", "calico-system", "NODE", "node-1")

// exception is a command that has nothing to speak to in the lab, with the reason.
type exception struct {
	command *regexp.Regexp
	why     string
}

var untried = []exception{
	{regexp.MustCompile(`^kubectl (-n \S+ )?(logs|exec) `), "pods are processes here, and there is no kubelet"},
	{regexp.MustCompile(`^kubectl top `), "there is no metrics-server"},
	{regexp.MustCompile(`^kubectl get pod -n \S+ POD-OF-THE-COLLECTOR`), "the collector is no pod here"},
	{regexp.MustCompile(`^kubectl delete .*(CALICO-NODE-POD|NAME)`), "what it deletes is not here"},
	{regexp.MustCompile(`datastoremigrations`), "Calico 3.32 and later"},
	{regexp.MustCompile(`^calicoctl node status`), "it asks the BIRD of its own node"},
	{regexp.MustCompile(`^calicoctl (delete|patch) `), "calicoctl has no dry run"},
	{regexp.MustCompile(`^(journalctl|tail|nft|ipset|uname) `), "they ask the node that they run on"},
	{regexp.MustCompile(`^curl .*ADDRESS`), "it is what a collector does with every scrape"},
}

var shellBlock = regexp.MustCompile("(?s)```(?:bash|sh)\n(.*?)```")

// commandsOf are the lines of a page's blocks of shell.
func commandsOf(page string) (commands []string) {
	for _, block := range shellBlock.FindAllStringSubmatch(page, -1) {
		commands = append(commands, strings.Split(strings.TrimSpace(block[1]), "\n")...)
	}
	return commands
}

// runbooksWork tries what the runbooks have one run, as the administrator of the cluster. What would change it is a dry run.
func (s *site) runbooksWork(t *testing.T) {
	pages, err := filepath.Glob("../../monitoring/runbooks/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	tried, left := map[string]bool{}, map[string]bool{}
	for _, page := range pages {
		content, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, command := range commandsOf(string(content)) {
			if i := slices.IndexFunc(untried, func(u exception) bool { return u.command.MatchString(command) }); i >= 0 {
				left[untried[i].why] = true
				continue
			}
			if tried[command] {
				continue
			}
			tried[command] = true
			if out, err := shell(t.Context(), examples.Replace(command)); err != nil {
				t.Errorf("%s: %s: %v\n%s", filepath.Base(page), command, err, out)
			}
		}
	}
	for _, u := range untried {
		require.True(t, left[u.why], "no runbook has a command like %s", u.command)
	}
	t.Logf("%d commands of %d runbooks work in the lab; the others: %s", len(tried), len(pages), strings.Join(slices.Sorted(maps.Keys(left)), ", "))
}

// shell runs a line of shell. It succeeds where the first of its commands does: grep fails where it finds nothing.
func shell(ctx context.Context, line string) (string, error) {
	if strings.HasPrefix(line, "kubectl patch ") || strings.HasPrefix(line, "kubectl delete ") {
		line += " --dry-run=server"
	}
	line = strings.Replace(line, "calicoctl ", "calicoctl --allow-version-mismatch ", 1) // built from a module, it does not know its version
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", line+"\nexit ${PIPESTATUS[0]}")
	cmd.Env = append(os.Environ(), "KUBECONFIG="+lab.AdminKubeconfig, "DATASTORE_TYPE=kubernetes",
		"PATH="+filepath.Dir(os.Getenv("LAB"))+":"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	return string(out), err
}
