package process

import (
	"slices"
	"time"
)

// Restart says whether and how a part that ends by itself is started again. The zero value leaves it ended, as a crash.
type Restart struct {
	// Pause is the time before the first restart, which doubles with every further one until it is MaxPause.
	Pause, MaxPause time.Duration
	// Limit is the number of restarts within Window after which the next end is a crash.
	Limit  int
	Window time.Duration
	// Codes are the exit codes by which the part asks to be started again. It is, Pause later, as often as it asks.
	Codes []int
	// OutagePause is the pause while another part is stopped on purpose. Restarts are neither counted nor limited then: it
	// is no fault of a part that what it needs is away.
	OutagePause time.Duration
}

// LikeKubelet starts a part again as a kubelet does with a container of the policy Always, but sooner, and not forever. The
// codes are those by which the part asks for it.
func LikeKubelet(codes ...int) Restart {
	return Restart{Pause: time.Second, MaxPause: 8 * time.Second, Limit: 5, Window: time.Minute, Codes: codes, OutagePause: 5 * time.Second}
}

// history is when a part was started again lately.
type history struct{ restarts []time.Time }

// next returns how long to wait before the part that ended with code at now is started again. It is not to be started again if
// ok is false.
func (h *history) next(policy Restart, code int, now time.Time, outage bool) (pause time.Duration, ok bool) {
	switch {
	case policy.Limit == 0:
		return 0, false
	case slices.Contains(policy.Codes, code):
		return policy.Pause, true
	case outage:
		return policy.OutagePause, true
	}
	recent := h.restarts[:0]
	for _, at := range h.restarts {
		if now.Sub(at) < policy.Window {
			recent = append(recent, at)
		}
	}
	h.restarts = recent
	if len(recent) >= policy.Limit {
		return 0, false
	}
	pause = policy.Pause
	for range recent {
		pause = min(2*pause, policy.MaxPause)
	}
	h.restarts = append(h.restarts, now)
	return pause, true
}
