//go:build e2e

package faults

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ballast is a file that fills the disk.
const ballast = "ballast"

// smallDisk gives the directory of the queue a file system of its own, which takes root.
func smallDisk(t *testing.T, storage string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a file system")
	}
	if err := syscall.Mount("tmpfs", storage, "tmpfs", 0, "size=16m,mode=700"); errors.Is(err, syscall.EPERM) {
		t.Skip("a file system cannot be mounted here")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(storage, syscall.MNT_DETACH)) })
}

// diskFull fills the disk of the queue while the backend is away, and makes room again. What came meanwhile may be refused, and is counted.
func diskFull(t *testing.T, g *rig) aftermath {
	t.Helper()
	g.backend.stop()
	g.pass(t, 5*interval)
	file, err := os.Create(filepath.Join(g.collector.storage, ballast))
	require.NoError(t, err)
	filled := time.Now()
	for block := make([]byte, 4096); err == nil; { // as many as fit
		_, err = rand.Read(block)
		require.NoError(t, err)
		_, err = file.Write(block)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, file.Close())
	require.Eventually(t, func() bool { return g.collector.collector.Contains("no space left on device") }, patience, poll, "it says so")
	g.pass(t, short/2)
	require.NoError(t, os.Remove(file.Name()))
	emptied := time.Now()
	g.pass(t, 5*interval)
	g.backend.start(t)
	return aftermath{healed: time.Now(), named: "while it is full", mayLose: func(s sample) bool {
		return s.at >= filled.Add(-interval).UnixMilli() && s.at <= emptied.Add(interval).UnixMilli()
	}}
}

// damaged has a machine lose its power: what it had not yet written of the queue's files is gone. What waited there may be lost, and the collector says so.
func damaged(t *testing.T, g *rig) aftermath {
	t.Helper()
	g.backend.stop()
	g.pass(t, short)
	g.collector.collector.Kill()
	lost := time.Now()
	files, err := filepath.Glob(filepath.Join(g.collector.storage, "exporter_*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	content, err := os.ReadFile(files[0])
	require.NoError(t, err)
	const head = 16 << 10 // where pages are that all is found by
	clear(content[head:])
	require.NoError(t, os.WriteFile(files[0], content, 0o600))
	g.collector.start(t)
	g.pass(t, short)
	require.True(t, g.collector.collector.Contains("A file of the storage is damaged"))
	require.Contains(t, g.collector.collector.String(), files[0])
	g.backend.start(t)
	return aftermath{healed: time.Now(), named: "what waited", mayLose: func(s sample) bool { return s.at <= lost.UnixMilli() }}
}
