package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeLab has one part, which is stopped already, and one that never gets ready.
type fakeLab struct{ asked chan string }

func (f *fakeLab) Parts() []process.Status {
	return []process.Status{{Name: "etcd", Phase: process.Running, Pid: 7}, {Name: "prometheus", Phase: process.Stopped, Exit: "exit status 0"}}
}

func (f *fakeLab) Control(ctx context.Context, name string, action Action, wait time.Duration) (bool, error) {
	switch name {
	case "etcd":
		f.asked <- fmt.Sprintf("%s %s %s", action, name, wait)
		return true, nil
	case "prometheus":
		return false, nil
	case "slow":
		f.asked <- name
		<-ctx.Done()
		return true, ctx.Err()
	case "broken":
		return false, errors.New("broken is not ready after 1s")
	}
	return false, fmt.Errorf("%w: %s", ErrNoPart, name)
}

func serve(t *testing.T, dir string) (*fakeLab, *Client) {
	t.Helper()
	lab := &fakeLab{asked: make(chan string, 1)}
	server, err := Serve(t.Context(), dir, lab)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Close()) })
	return lab, NewClient(dir)
}

func TestThePartsAreListedAsTheyAre(t *testing.T) {
	lab, client := serve(t, t.TempDir())
	parts, err := client.Parts(t.Context())
	require.NoError(t, err)
	require.Equal(t, lab.Parts(), parts)
}

func TestAPartIsControlled(t *testing.T) {
	lab, client := serve(t, t.TempDir())
	for _, test := range []struct {
		name   string
		part   string
		action Action
		wait   time.Duration
		asked  string
		err    string
	}{
		{"stopped", "etcd", Stop, 0, "stop etcd 0s", ""},
		{"started", "etcd", Start, time.Minute, "start etcd 1m0s", ""},
		{"restarted", "etcd", Restart, 1500 * time.Millisecond, "restart etcd 1.5s", ""},
		{"stopped already", "prometheus", Stop, 0, "", ""},
		{"an error is passed on", "broken", Start, time.Second, "", "broken is not ready after 1s"},
		{"an unknown part is named", "a/b", Stop, 0, "", "no such part: a/b"},
		{"an unknown action is none", "etcd", "pause", 0, "", "404 page not found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			changed, err := client.Control(t.Context(), test.part, test.action, test.wait)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.asked != "", changed)
			if test.asked != "" {
				require.Equal(t, test.asked, <-lab.asked)
			}
		})
	}
}

func TestCloseEndsWhatIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	lab := &fakeLab{asked: make(chan string, 1)}
	server, err := Serve(t.Context(), dir, lab)
	require.NoError(t, err)
	waited := make(chan error, 1)
	go func() {
		_, err := NewClient(dir).Control(t.Context(), "slow", Start, time.Hour)
		waited <- err
	}()
	require.Equal(t, "slow", <-lab.asked)
	require.NoError(t, server.Close())
	require.Error(t, <-waited)
	require.NoFileExists(t, filepath.Join(dir, socketName))
	_, err = NewClient(dir).Parts(t.Context())
	require.ErrorContains(t, err, "ask the lab")
}

func TestTheSocketIsItsUsersOnly(t *testing.T) {
	dir := t.TempDir()
	serve(t, dir)
	info, err := os.Stat(filepath.Join(dir, socketName))
	require.NoError(t, err)
	require.Equal(t, os.ModeSocket|socketMode, info.Mode())
}

func TestADirectoryMayHaveALongPathAndTheSocketOfALabThatWasKilled(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long/", 50))
	require.NoError(t, os.MkdirAll(dir, 0o700))
	listener, err := listen(t.Context(), dir)
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.Error(t, dialed(dir), "the socket that is left")
	_, client := serve(t, dir)
	_, err = client.Parts(t.Context())
	require.NoError(t, err)
}

func dialed(dir string) error {
	opened, address, err := socket(dir)
	if err != nil {
		return err
	}
	defer opened.Close()
	connection, err := net.Dial("unix", address)
	if err == nil {
		connection.Close()
	}
	return err
}
