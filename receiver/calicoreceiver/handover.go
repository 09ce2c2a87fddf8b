package calicoreceiver

import (
	"time"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
)

// handover keeps back an account that comes to be at run time until the numbers of kube-controllers that stood in for it have ended, which they do
// with the next scrape: no sum is to be doubled meanwhile.
type handover struct {
	// interval is how long that takes; 0 where nothing stands in.
	interval time.Duration
	standsIn bool
	since    time.Time // zero unless one is going on
}

// account is what is to be reported of the account at a moment: one that is kept back is pending.
func (h *handover) account(read cluster.IPAM, now time.Time) cluster.IPAM {
	switch {
	case read.State == cluster.AccountUnavailable:
		h.standsIn, h.since = true, time.Time{}
		return read
	case h.standsIn:
		h.standsIn, h.since = false, now
	}
	if h.goesOn() && now.Sub(h.since) >= h.interval {
		h.since = time.Time{}
	}
	if h.goesOn() {
		return cluster.IPAM{State: cluster.AccountPending}
	}
	return read
}

func (h *handover) goesOn() bool { return !h.since.IsZero() }
