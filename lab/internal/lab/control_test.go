package lab

import (
	"context"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/control"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

// upBare starts a bare lab of fake programs.
func upBare(t *testing.T, out io.Writer) *Lab {
	t.Helper()
	options := validOptions(t)
	options.Bare, options.StateDir = true, t.TempDir()
	fakePrograms(t, options.BinDir)
	require.NoError(t, os.WriteFile(filepath.Join(options.BinDir, healthyMarker), nil, 0o600))
	running, err := Up(t.Context(), options, progress.New(out))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, running.Stop()) })
	return running
}

func TestABareLabHasNothingOfCalico(t *testing.T) {
	options := validOptions(t)
	options.Bare = true
	for _, program := range []string{partTypha, partKubeControllers, partFelix} {
		require.NoError(t, os.Remove(filepath.Join(options.BinDir, program)))
	}
	require.NoError(t, options.Validate(), "it needs no programs of Calico")

	dir := upBare(t, io.Discard).State.StateDir
	s, err := ReadRunning(dir)
	require.NoError(t, err)
	require.Equal(t, bareLayout, s.Layout)
	require.ElementsMatch(t, barePrograms, slices.Collect(maps.Keys(s.Pids)))
	content, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	require.NoError(t, err)
	for _, empty := range []string{`"components": []`, `"pools": []`, `"felix": "left out by --bare"`} {
		require.Contains(t, string(content), empty)
	}
}

func TestAPartOfARunningLabIsStoppedAndStarted(t *testing.T) {
	var out strings.Builder
	l := upBare(t, &out)
	dir := l.State.StateDir
	before, err := ReadRunning(dir)
	require.NoError(t, err)
	client := control.NewClient(dir)

	_, err = client.Control(t.Context(), "kubelet", control.Stop, 0)
	require.EqualError(t, err, `no such part: "kubelet" is none of etcd, prometheus, kube-apiserver`)

	changed, err := client.Control(t.Context(), partAPIServer, control.Stop, 0)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, map[string]error{partEtcd: nil, partPrometheus: nil, partAPIServer: errStopped}, health(t, before))
	stopped, err := ReadRunning(dir)
	require.NoError(t, err)
	require.NotContains(t, stopped.Pids, partAPIServer)
	require.Equal(t, before.Pids[partEtcd], stopped.Pids[partEtcd])
	require.NoError(t, l.Wait(contextThatIsDone(t)), "the lab goes on")

	changed, err = client.Control(t.Context(), partAPIServer, control.Start, readyTimeout)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, map[string]error{partEtcd: nil, partPrometheus: nil, partAPIServer: nil}, health(t, before), "at the same address")
	started, err := ReadRunning(dir)
	require.NoError(t, err)
	require.Contains(t, started.Pids, partAPIServer)
	require.NotEqual(t, before.Pids[partAPIServer], started.Pids[partAPIServer])
	require.Contains(t, out.String(), "kube-apiserver was stopped\n")
	require.Contains(t, out.String(), "kube-apiserver was started: process ")

	for _, name := range []string{partEtcd, partPrometheus} {
		changed, err = client.Control(t.Context(), name, control.Restart, readyTimeout)
		require.NoError(t, err)
		require.True(t, changed)
	}

	ended, err := ReadRunning(dir)
	require.NoError(t, err)
	require.NoError(t, unix.Kill(ended.Pids[partPrometheus], unix.SIGKILL))
	var exit *process.ExitError
	require.ErrorAs(t, l.Wait(t.Context()), &exit, "that was not on purpose")
	require.Equal(t, partPrometheus, exit.Part)
}

// health is what ails every part.
func health(t *testing.T, s state.State) map[string]error {
	t.Helper()
	parts, err := Check(t.Context(), s)
	require.NoError(t, err)
	all := map[string]error{}
	for _, part := range parts {
		all[part.Name] = part.Err
	}
	return all
}

func TestWithPortsMovesWhatIsGiven(t *testing.T) {
	components := []state.Component{{Job: partFelix, Address: "198.18.0.2:9091"}, {Job: partTypha, Address: "127.0.0.1:9093"}}
	require.Equal(t, []state.Component{{Job: partFelix, Address: "198.18.0.2:9191"}, {Job: partTypha, Address: "127.0.0.1:9093"}},
		withPorts(components, map[string]int{partFelix: 9191, partKubeControllers: 9094}))
	require.Equal(t, "198.18.0.2:9091", components[0].Address, "a copy")
}

func TestAPartThatDoesNotAnswerInTimeIsAnError(t *testing.T) {
	l := upBare(t, io.Discard)
	// Nobody listens there.
	l.State.PrometheusURL = "http://127.0.0.1:1"
	changed, err := l.Control(t.Context(), partPrometheus, control.Start, 200*time.Millisecond)
	require.False(t, changed)
	require.ErrorContains(t, err, "prometheus is not ready after 200ms")
	_, err = l.Control(t.Context(), partPrometheus, control.Restart, 0)
	require.NoError(t, err, "unless nobody waits for it")
}

func contextThatIsDone(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}
