package recent

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheLeastRecentlyUsedGoes(t *testing.T) {
	m := New[string, int](2)
	add := func(key string, value int) bool {
		to, evicted := m.Add(key)
		*to = value
		return evicted != nil
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
	require.Nil(t, evicted)
	_, evicted = m.Add("b")
	require.NotNil(t, evicted)
	require.Equal(t, 1, m.Len())
}

func TestAllYieldsEveryEntryAndUsesNone(t *testing.T) {
	m := New[string, int](2)
	for range m.All() {
		require.Fail(t, "there is none yet")
	}
	for value, key := range []string{"b", "a"} {
		to, _ := m.Add(key)
		*to = value + 1
	}
	seen := make(map[string]int)
	for key, value := range m.All() {
		seen[key] = *value
		*value *= 10
	}
	require.Equal(t, map[string]int{"b": 1, "a": 2}, seen)

	_, evicted := m.Add("c")
	require.NotNil(t, evicted)
	require.Nil(t, m.Get("b"), "to be looked at is not to be used: b is the oldest still")
	require.Equal(t, 20, *m.Get("a"), "what is yielded is the value itself")
}

func TestAllCanBeLeftAndDeletedFrom(t *testing.T) {
	m := New[int, int](9)
	for key := range 5 {
		m.Add(key)
	}
	yielded := 0
	for range m.All() {
		if yielded++; yielded == 2 {
			break
		}
	}
	require.Equal(t, 2, yielded)
	for key := range m.All() {
		if key%2 == 0 {
			m.Delete(key)
		}
	}
	require.Equal(t, 2, m.Len())
	require.Nil(t, m.Get(4))
	require.NotNil(t, m.Get(3))
}
