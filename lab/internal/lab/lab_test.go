package lab

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/build"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/fill"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
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
		{"--rbac", func(o *Options) { o.RBACFiles = []string{filepath.Join(valid.BinDir, "missing.yaml")} }},
		{"--churn", func(o *Options) { o.Bare, o.Churn = true, true }},
		{"--felix on", func(o *Options) { o.Bare, o.Felix = true, FelixOn }},
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
	claim, err := state.Take(options.StateDir)
	require.NoError(t, err)
	other := state.State{StateDir: options.StateDir, Pids: map[string]int{"etcd": os.Getpid()}}
	require.NoError(t, other.Write(options.StateDir))

	_, err = Up(t.Context(), options, progress.New(io.Discard))
	require.ErrorContains(t, err, "--state: a lab runs in")
	kept, err := ReadRunning(options.StateDir)
	require.NoError(t, err, "the other lab keeps its lab.json")
	require.Equal(t, other, kept)

	require.NoError(t, claim.Release())
	_, err = ReadRunning(options.StateDir)
	require.ErrorContains(t, err, "was killed", "whatever process has its ids by now")
}

func TestADirectoryThatIsNoLabsIsLeftAlone(t *testing.T) {
	options := validOptions(t)
	options.StateDir = t.TempDir()
	for _, name := range slices.Concat(data, secrets) {
		require.NoError(t, os.WriteFile(filepath.Join(options.StateDir, name), nil, 0o600))
	}
	_, err := Up(t.Context(), options, progress.New(io.Discard))
	require.ErrorContains(t, err, "--state")
	require.ErrorContains(t, err, "not empty")
	entries, err := os.ReadDir(options.StateDir)
	require.NoError(t, err)
	require.Len(t, entries, len(data)+len(secrets))
}

func TestAPartThatDiesWhileOthersStartIsWhatIsReported(t *testing.T) {
	options := validOptions(t)
	options.Felix, options.StateDir = FelixOff, t.TempDir()
	fakePrograms(t, options.BinDir)
	before, err := state.Take(options.StateDir)
	require.NoError(t, err)
	require.NoError(t, before.Release())
	stale := filepath.Join(options.StateDir, etcdDir, "stale")
	require.NoError(t, os.Mkdir(filepath.Dir(stale), 0o700))
	require.NoError(t, os.WriteFile(stale, nil, 0o600))

	// The API server never gets ready: only the end of etcd can end the wait for it before its time is over.
	ctx, cancel := context.WithTimeout(t.Context(), readyTimeout/2)
	defer cancel()
	_, err = Up(ctx, options, progress.New(io.Discard))
	var exit *process.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, partEtcd, exit.Part)
	require.Equal(t, fakeLastWords, exit.Tail)

	require.NoFileExists(t, stale, "what an earlier lab left")
	for _, name := range secrets {
		require.NoFileExists(t, filepath.Join(options.StateDir, name))
		require.NoDirExists(t, filepath.Join(options.StateDir, name))
	}
	require.DirExists(t, filepath.Join(options.StateDir, etcdDir), "data stays")
	require.FileExists(t, exit.LogPath, "logs stay")
	running, err := state.Running(options.StateDir)
	require.NoError(t, err)
	require.False(t, running)
}

func TestInterruptedPreparationDoesNotLeaveFelixOut(t *testing.T) {
	var out strings.Builder
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := &Lab{options: Options{Felix: FelixAuto}, out: progress.New(&out)}
	require.ErrorIs(t, l.prepareFelix(ctx), context.Canceled)
	require.Empty(t, out.String())
}

func TestWithinSaysThatTimeIsOver(t *testing.T) {
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return errors.New("connection refused")
	}
	require.EqualError(t, within(t.Context(), time.Millisecond, wait), "not done after 1ms: connection refused")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.EqualError(t, within(ctx, time.Hour, wait), "connection refused")
}

func TestTideTurnsBeforeThePoolIsFullOrEmpty(t *testing.T) {
	for nodes := fill.MinNodes; nodes <= maxNodes; nodes++ {
		capacity := fill.DefaultPoolPods(nodes)
		level := newTide(capacity)
		held, lowest, highest := 0, capacity, 0
		reached := false
		for range 10 * capacity {
			come, gone := level.next(held, churnBatch, 1)
			held += come - gone
			highest = max(highest, held)
			if reached = reached || level.falling; reached {
				lowest = min(lowest, held)
			}
		}
		require.Less(t, highest, capacity, "%d nodes", nodes)
		require.GreaterOrEqual(t, highest, level.highest, "%d nodes", nodes)
		require.Positive(t, lowest, "%d nodes", nodes)
		require.LessOrEqual(t, lowest, level.lowest, "%d nodes", nodes)
	}
}

func TestTideReleasesNoMoreThanThereIs(t *testing.T) {
	level := newTide(100)
	come, gone := level.next(0, 3, 1)
	require.Equal(t, 3, come)
	require.Zero(t, gone)
}
