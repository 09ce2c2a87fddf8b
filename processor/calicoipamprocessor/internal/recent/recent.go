// Package recent holds a map of bounded size that gives up the entry not used for the longest time.
// What it gives up it has forgotten: the owner decides what that means.
package recent

import "iter"

// Map holds at most a fixed number of entries. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	limit   int
	clock   uint64
	entries map[K]*entry[V]
}

type entry[V any] struct {
	value V
	used  uint64
}

// New returns an empty map for at most limit entries, at least one.
func New[K comparable, V any](limit int) *Map[K, V] {
	return &Map[K, V]{limit: max(limit, 1), entries: make(map[K]*entry[V])}
}

// Get returns the value of a key, nil where there is none. The entry counts as used now.
func (m *Map[K, V]) Get(key K) *V {
	found, ok := m.entries[key]
	if !ok {
		return nil
	}
	m.clock++
	found.used = m.clock
	return &found.value
}

// Peek returns the value of a key, nil where there is none. It does not count as use.
func (m *Map[K, V]) Peek(key K) *V {
	if found, ok := m.entries[key]; ok {
		return &found.value
	}
	return nil
}

// Add returns the value of a key, a zero one where there was none, and that of the entry which had to go for it, nil where none had.
func (m *Map[K, V]) Add(key K) (value, evicted *V) {
	if value = m.Get(key); value != nil {
		return value, nil
	}
	if len(m.entries) >= m.limit {
		evicted = m.evict()
	}
	m.clock++
	added := &entry[V]{used: m.clock}
	m.entries[key] = added
	return &added.value, evicted
}

// Delete forgets a key.
func (m *Map[K, V]) Delete(key K) { delete(m.entries, key) }

// All yields all entries, in no order. It uses none of them.
func (m *Map[K, V]) All() iter.Seq2[K, *V] {
	return func(yield func(K, *V) bool) {
		for key, entry := range m.entries {
			if !yield(key, &entry.value) {
				return
			}
		}
	}
}

// Len returns the number of entries.
func (m *Map[K, V]) Len() int { return len(m.entries) }

// evict looks at every entry: it runs only for a new key in a full map, which a well measured limit makes rare.
func (m *Map[K, V]) evict() *V {
	var oldest K
	var used uint64
	first := true
	for key, candidate := range m.entries {
		if first || candidate.used < used {
			oldest, used, first = key, candidate.used, false
		}
	}
	value := &m.entries[oldest].value
	delete(m.entries, oldest)
	return value
}
