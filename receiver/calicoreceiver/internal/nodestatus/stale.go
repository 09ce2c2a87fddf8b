package nodestatus

import "time"

// stalePeriods is how many periods a write may be overdue.
const stalePeriods = 3

// stale says whether calico-node failed to write the object for more than three of its periods. Where calico-node runs on the node, and has
// nothing to write as long as nothing changes, an old object is still true.
func (s Status) stale(now time.Time, runs bool) bool {
	limit := stalePeriods * s.Period
	if s.Updated.IsZero() {
		// The first write is due at once.
		return !s.Created.IsZero() && now.Sub(s.Created) > limit
	}
	return now.Sub(s.Updated) > limit && (!runs || s.rewritten())
}

// rewritten says whether calico-node writes the object in every period even where nothing changed, so that an old one tells of a failure.
//
// It writes only what differs from the object that it got back from its last write (node/pkg/status/reporter.go, reportStatus), so that the
// object of a node whose sessions of both families are up may be days old and right. But where BIRD of a family answers and has no sessions,
// an empty list is compared with the absent one that came back, and differs always: so it is in every cluster of one family.
// Where BIRD does not answer there is no list; for IPv6, which is asked last, the sessions of both families are dropped then
// (node/pkg/status/populators/peers.go, Populate).
func (s Status) rewritten() bool {
	if !s.ReportsBGP {
		return false
	}
	v4, v6 := s.V4.hasSessions(), s.V6.hasSessions()
	switch {
	case v4 && v6:
		return false
	case v4:
		return true
	case v6:
		return s.ReportsAgent && s.V4.BIRD == birdReady
	}
	return s.ReportsAgent && s.V6.BIRD == birdReady
}
