package recent

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheLeastRecentlyUsedGoes(t *testing.T) {
	m := New[string, int](2)
	add := func(key string, value int) (evicted bool) {
		to, evicted := m.Add(key)
		*to = value
		return evicted
	}
	require.False(t, add("a", 1))
	require.False(t, add("b", 2))
	require.Equal(t, 1, *m.Get("a"))
	require.True(t, add("c", 3), "b was used before a")
	require.Nil(t, m.Get("b"))
	require.Equal(t, 1, *m.Get("a"))
	require.False(t, add("c", 4), "c is there")
	require.True(t, add("d", 5), "a was used before c")
	require.Nil(t, m.Get("a"))
	require.Equal(t, 4, *m.Get("c"))
	require.Equal(t, 2, m.Len())

	m.Delete("c")
	require.Equal(t, 1, m.Len())
	require.False(t, add("e", 6))
}

func TestAMapHasRoomForOne(t *testing.T) {
	m := New[string, int](0)
	_, evicted := m.Add("a")
	require.False(t, evicted)
	_, evicted = m.Add("b")
	require.True(t, evicted)
	require.Equal(t, 1, m.Len())
}
