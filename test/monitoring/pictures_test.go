//go:build e2e

package monitoring

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// draw makes a picture of each dashboard, of what the test has seen: PICTURES names the directory, from the root of the repository. The program that draws is a
// module of its own, so that what it needs is in no dependency of the product.
func (s *site) draw(t *testing.T, dir string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "picture")
	out, err := exec.CommandContext(t.Context(), "go", "-C", "../../monitoring/picture", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, d := range loadDashboards(t) {
		picture := filepath.Join("../..", dir, strings.TrimSuffix(d.File, ".json")+".png")
		out, err := exec.CommandContext(t.Context(), program, "-dashboard", filepath.Join("../../monitoring/dashboards", d.File), "-prometheus", s.url,
			"-range", time.Since(s.began).String(), "-interval", interval.String(), "-var", "cluster="+s.cluster, "-var", "ippool="+growingPool,
			"-output", picture).CombinedOutput()
		require.NoError(t, err, "%s: %s", d.File, out)
	}
	t.Logf("pictures of the dashboards are in %s", dir)
}
