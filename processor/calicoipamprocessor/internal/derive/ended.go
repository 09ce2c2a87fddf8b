package derive

import "slices"

// Series names series of results.
type Series struct {
	// Pools are the series of pools.
	Pools []PoolSeries
	// Families are those that have a ratio.
	Families []string
	// Nodes are the numbers of nodes.
	Nodes []Nodes
}

// PoolSeries names the quantities of one pool.
type PoolSeries struct {
	Labels     Labels
	Quantities Set
}

// None reports whether s names none.
func (s *Series) None() bool { return len(s.Pools) == 0 && len(s.Families) == 0 && len(s.Nodes) == 0 }

// Of fills s with the series of a result.
func (s *Series) Of(result *Result) {
	s.Pools, s.Families, s.Nodes = s.Pools[:0], s.Families[:0], s.Nodes[:0]
	s.Pools = slices.Grow(s.Pools, len(result.Pools))
	for i := range result.Pools {
		s.Pools = append(s.Pools, PoolSeries{Labels: result.Pools[i].Labels, Quantities: result.Pools[i].Known})
	}
	for _, family := range result.Families {
		s.Families = append(s.Families, family.Name)
	}
	s.Nodes = append(s.Nodes, result.Nodes...)
}

// Ended fills s with the series of previous that current lacks. A pool whose labels changed is another series: the old one ended.
func (s *Series) Ended(previous *Series, current *Result) {
	s.Pools, s.Families, s.Nodes = s.Pools[:0], s.Families[:0], s.Nodes[:0]

	// Scrapes name pools in the same order as long as no pool comes or goes; only then is the index needed.
	var index map[Labels]int
	find := func(at int, labels Labels) Set {
		if at < len(current.Pools) && current.Pools[at].Labels == labels {
			return current.Pools[at].Known
		}
		if index == nil {
			index = make(map[Labels]int, len(current.Pools))
			for i := range current.Pools {
				index[current.Pools[i].Labels] = i
			}
		}
		if i, found := index[labels]; found {
			return current.Pools[i].Known
		}
		return 0
	}
	for i, was := range previous.Pools {
		if ended := was.Quantities &^ find(i, was.Labels); ended != 0 {
			s.Pools = append(s.Pools, PoolSeries{Labels: was.Labels, Quantities: ended})
		}
	}
	for _, was := range previous.Families {
		if !slices.ContainsFunc(current.Families, func(is Family) bool { return is.Name == was }) {
			s.Families = append(s.Families, was)
		}
	}
	for _, was := range previous.Nodes {
		if !slices.ContainsFunc(current.Nodes, func(is Nodes) bool { return is.Family == was.Family && is.State == was.State }) {
			s.Nodes = append(s.Nodes, was)
		}
	}
}
