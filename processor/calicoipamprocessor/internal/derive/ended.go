package derive

import "slices"

// Ended names the series that one result has and the next has not.
type Ended struct {
	// Available and Utilization hold the labels of the pool series that ended, by metric.
	Available, Utilization []Labels
	// Families holds the families whose ratio ended.
	Families []string
}

// None reports whether nothing ended.
func (e *Ended) None() bool {
	return len(e.Available) == 0 && len(e.Utilization) == 0 && len(e.Families) == 0
}

// Compare fills e with the series of previous that current lacks. A pool whose labels changed is another series: the old one ended.
func (e *Ended) Compare(previous, current *Result) {
	e.Available = e.Available[:0]
	e.Utilization = e.Utilization[:0]
	e.Families = e.Families[:0]

	// Scrapes name pools in the same order as long as no pool comes or goes; only then is the index needed.
	var index map[Labels]int
	find := func(at int, labels Labels) *Pool {
		if at < len(current.Pools) && current.Pools[at].Labels == labels {
			return &current.Pools[at]
		}
		if index == nil {
			index = make(map[Labels]int, len(current.Pools))
			for i := range current.Pools {
				index[current.Pools[i].Labels] = i
			}
		}
		if i, found := index[labels]; found {
			return &current.Pools[i]
		}
		return nil
	}
	for i := range previous.Pools {
		was := &previous.Pools[i]
		is := find(i, was.Labels)
		if is == nil {
			e.Available = append(e.Available, was.Labels)
		}
		if was.Rated && (is == nil || !is.Rated) {
			e.Utilization = append(e.Utilization, was.Labels)
		}
	}
	for _, was := range previous.Families {
		if !slices.ContainsFunc(current.Families, func(is Family) bool { return is.Name == was.Name }) {
			e.Families = append(e.Families, was.Name)
		}
	}
}
