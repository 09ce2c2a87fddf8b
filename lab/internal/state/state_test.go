package state

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAStateIsReadAsItWasWrittenUntilItIsRemoved(t *testing.T) {
	dir := t.TempDir()
	want := State{Layout: "operator", Pools: []Pool{{"p", "10.0.0.0/24"}}, Pids: map[string]int{"etcd": 1}, Felix: FelixRunning}
	require.NoError(t, want.Write(dir))
	got, err := Read(dir)
	require.NoError(t, err)
	require.Equal(t, want, got)

	require.NoError(t, Remove(dir))
	require.NoError(t, Remove(dir), "what is gone already is no error")
	_, err = Read(dir)
	require.ErrorContains(t, err, "no lab is ready in --state "+dir)
}
