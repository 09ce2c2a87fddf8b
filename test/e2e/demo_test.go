//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDemoAgreesWithCalicoctlOnAManifestInstall runs what `make demo ONCE=1` runs, on a second cluster beside that of the other tests, with
// Calico installed as its manifests do it.
func TestDemoAgreesWithCalicoctlOnAManifestInstall(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), os.Getenv("LAB"), "demo", "--once", "--layout", "manifest", "--root", "../..",
		"--bin", filepath.Dir(os.Getenv("LAB")), "--collector", os.Getenv("COLLECTOR"),
		"--config", "../../configs/cluster.yaml", "--config", "../../configs/backends/remote-write.yaml").CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
	require.Contains(t, string(out), "every pool agrees with calicoctl")
	require.Regexp(t, `small-pool +\| 10\.50\.0\.0/27 +\| +32 \| +32 \| +100\.0 % \| +0 \|`, string(out))
	require.Regexp(t, `popular query.* 0\.00 %`, string(out))
}
