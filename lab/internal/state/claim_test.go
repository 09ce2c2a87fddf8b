package state

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTakeRefusesADirectoryThatIsNotALabs(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "etcd"), 0o700))
	_, err := Take(dir)
	require.ErrorContains(t, err, dir+" is not empty")
	require.NoFileExists(t, filepath.Join(dir, markerName))
}

func TestADirectoryIsOneLabsAtATime(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	running, err := Running(dir)
	require.NoError(t, err)
	require.False(t, running, "a directory that does not exist")

	first, err := Take(dir)
	require.NoError(t, err)
	running, err = Running(dir)
	require.NoError(t, err)
	require.True(t, running)
	_, err = Take(dir)
	require.ErrorContains(t, err, "a lab runs in "+dir+" already")

	require.NoError(t, os.Mkdir(filepath.Join(dir, "etcd"), 0o700))
	require.NoError(t, first.Release())
	running, err = Running(dir)
	require.NoError(t, err)
	require.False(t, running)
	again, err := Take(dir)
	require.NoError(t, err, "what a lab left behind may be taken by the next")
	require.NoError(t, again.Release())
}
