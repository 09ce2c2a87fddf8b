package lab

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/build"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

func TestFreePortsAreDifferentAndBelowTheEphemeralRange(t *testing.T) {
	ports, err := FreePorts(20)
	require.NoError(t, err)
	seen := map[int]bool{}
	for _, port := range ports {
		require.False(t, seen[port])
		seen[port] = true
		require.GreaterOrEqual(t, port, lowestPort)
		require.Less(t, port, highestPort)
	}
}

func TestOptionsNameTheFlagThatIsWrong(t *testing.T) {
	valid := validOptions(t)
	require.NoError(t, valid.Validate())
	for _, test := range []struct {
		flag   string
		change func(*Options)
	}{
		{"--felix", func(o *Options) { o.Felix = "maybe" }},
		{"--nodes", func(o *Options) { o.Nodes = 1 }},
		{"--churn-interval", func(o *Options) { o.ChurnInterval = 0 }},
		{"--bin", func(o *Options) { o.BinDir = t.TempDir() }},
		{"--rbac", func(o *Options) { o.RBACFile = filepath.Join(valid.BinDir, "missing.yaml") }},
	} {
		t.Run(test.flag, func(t *testing.T) {
			options := valid
			test.change(&options)
			require.ErrorContains(t, options.Validate(), test.flag)
		})
	}
}

// validOptions are options with programs that exist and do nothing.
func validOptions(t *testing.T) Options {
	t.Helper()
	bin := t.TempDir()
	for _, program := range build.Programs() {
		require.NoError(t, os.WriteFile(filepath.Join(bin, program), nil, 0o755))
	}
	return Options{BinDir: bin, Nodes: 4, Felix: FelixAuto, ChurnInterval: time.Second}
}

func TestStateOfARunningLabIsNotTaken(t *testing.T) {
	options := validOptions(t)
	options.StateDir = t.TempDir()
	other := state.State{StateDir: options.StateDir, Pids: map[string]int{"etcd": os.Getpid()}}
	require.NoError(t, other.Write(options.StateDir))

	_, err := Up(t.Context(), options, progress.New(io.Discard))
	require.ErrorContains(t, err, "--state")
	kept, err := state.Read(options.StateDir)
	require.NoError(t, err, "the other lab keeps its lab.json")
	require.Equal(t, other, kept)
}

func TestAliveIsFalseForAProcessThatHasEnded(t *testing.T) {
	require.True(t, alive(os.Getpid()))
	ended := exec.Command("true")
	require.NoError(t, ended.Start())
	// Not waited for yet, it is a zombie for as long as the test likes.
	require.Eventually(t, func() bool { return !alive(ended.Process.Pid) }, 10*time.Second, 10*time.Millisecond)
	require.NoError(t, ended.Wait())
	require.False(t, alive(ended.Process.Pid))
}
