package scrape

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	promscrape "github.com/prometheus/prometheus/scrape"
	"github.com/stretchr/testify/require"
)

// promTarget is a target as Prometheus makes it of ours.
func promTarget(job string, t Target) *promscrape.Target {
	b := labels.NewBuilder(labels.FromStrings(model.JobLabel, job, model.InstanceLabel, t.Address))
	for name, value := range t.labels() {
		b.Set(string(name), string(value))
	}
	return promscrape.NewTarget(b.Labels(), nil, nil, nil)
}

func noticed(h *health) bool {
	select {
	case <-h.changed:
		return true
	default:
		return false
	}
}

func TestHealthFollowsScrapes(t *testing.T) {
	const job = "calico-felix"
	refused := errors.New("connection refused")
	a, b := Target{Address: "192.0.2.1:9091", PodUID: "u1"}, Target{Address: "192.0.2.2:9091", PodUID: "u2"}
	at := time.Unix(1_000_000, 0)
	later := func(seconds int) time.Time { return at.Add(time.Duration(seconds) * time.Second) }
	h := newHealth()
	h.retain(job, []Target{a, b})
	require.Empty(t, h.errors(job), "nothing is scraped yet")
	require.False(t, noticed(h))

	promA := promTarget(job, a)
	promA.Report(later(1), time.Second, nil)
	h.observe(promA)
	require.Equal(t, map[string]error{a.Address: nil}, h.errors(job))
	require.True(t, noticed(h), "the first scrape is news")
	promA.Report(later(2), time.Second, nil)
	h.observe(promA)
	require.False(t, noticed(h), "a scrape like the last is none")
	promA.Report(later(3), time.Second, refused)
	h.observe(promA)
	require.Equal(t, map[string]error{a.Address: refused}, h.errors(job))
	require.True(t, noticed(h))
	promA.Report(later(4), time.Second, errors.New("timeout"))
	h.observe(promA)
	require.EqualError(t, h.errors(job)[a.Address], "timeout", "the error is the last one")
	require.False(t, noticed(h), "still down")

	h.observe(promTarget("calico-typha", a))
	require.Empty(t, h.errors("calico-typha"), "jobs are told apart")

	h.retain(job, []Target{b})
	require.Empty(t, h.errors(job), "a target that is gone is forgotten")
	promA.Report(later(5), time.Second, nil)
	h.observe(promA)
	require.Empty(t, h.errors(job), "also when its last scrape comes in late")

	h.retain(job, []Target{a, b})
	promAgain := promTarget(job, a)
	promAgain.Report(later(7), time.Second, nil)
	h.observe(promAgain)
	promA.Report(later(6), time.Second, refused)
	h.observe(promA)
	require.Equal(t, map[string]error{a.Address: nil}, h.errors(job), "staleness markers of what was there before say nothing of what is there now")
}

func TestHealthIsOfOnePod(t *testing.T) {
	const job = "calico-felix"
	at := time.Unix(1_000_000, 0)
	first := Target{Address: "192.0.2.1:9091", PodUID: "u1"}
	for name, second := range map[string]Target{
		"another pod":    {Address: first.Address, PodUID: "u2"},
		"another scheme": {Address: first.Address, PodUID: "u1", Scheme: "https"},
		"another path":   {Address: first.Address, PodUID: "u1", Path: "/other"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHealth()
			h.retain(job, []Target{first})
			old, fresh := promTarget(job, first), promTarget(job, second)
			old.Report(at, time.Second, nil)
			h.observe(old)
			require.Len(t, h.errors(job), 1)

			h.retain(job, []Target{second})
			require.Empty(t, h.errors(job), "not known yet")
			fresh.Report(at.Add(time.Second), time.Second, errors.New("refused"))
			h.observe(fresh)
			old.Report(at.Add(2*time.Second), time.Second, nil)
			h.observe(old)
			require.EqualError(t, h.errors(job)[first.Address], "refused")

			h.retain(job, []Target{first, second})
			old.Report(at.Add(3*time.Second), time.Second, nil)
			h.observe(old)
			require.Equal(t, map[string]error{first.Address: nil}, h.errors(job), "of two at one address, one that answers is enough")
		})
	}
}

func TestAJobThatCannotBeScrapedIsDown(t *testing.T) {
	const job = "calico-felix"
	missing := errors.New("tls: no such file")
	a := Target{Address: "192.0.2.1:9091"}
	h := newHealth()
	h.block(job, missing)
	require.True(t, noticed(h))
	h.block(job, errors.New("tls: another"))
	require.False(t, noticed(h), "still down")
	h.retain(job, []Target{a})
	require.EqualError(t, h.errors(job)[a.Address], "tls: another")
	h.block(job, nil)
	require.True(t, noticed(h))
	require.Empty(t, h.errors(job), "not known yet")
	h.block(job, nil)
	require.False(t, noticed(h))
}

func TestUpFollowsTargets(t *testing.T) {
	t.Parallel()
	s, sink := start(t, "calico-felix")
	one, body := serve(t, felixExposition)
	two, _ := serve(t, felixExposition)
	require.Empty(t, s.Up("calico-felix"))
	require.NoError(t, s.Update("calico-felix", []Target{{Address: one, PodUID: "u1"}, {Address: two, PodUID: "u2"}}))

	// await waits for notices, as the receiver does.
	await := func(want map[string]bool) {
		t.Helper()
		deadline := time.After(patience)
		for {
			got := s.Up("calico-felix")
			if len(got) == len(want) && got[one] == want[one] && got[two] == want[two] {
				return
			}
			select {
			case <-s.Changed():
			case <-deadline:
				require.Equal(t, want, got)
			}
		}
	}
	await(map[string]bool{one: true, two: true})
	garbage := "{{{\n"
	whole := body.Swap(&garbage)
	await(map[string]bool{one: false, two: true})
	require.Error(t, s.LastErrors("calico-felix")[one])
	up := func(address string) float64 { p, _ := newest(sink, address, "up"); return value(p) }
	require.Eventually(t, func() bool { return up(one) == 0 && up(two) == 1 }, patience, interval/10, "the series up says the same")
	body.Store(whole)
	await(map[string]bool{one: true, two: true})
	require.NoError(t, s.LastErrors("calico-felix")[one])

	require.NoError(t, s.Update("calico-felix", []Target{{Address: two, PodUID: "u2"}}))
	require.Equal(t, map[string]bool{two: true}, s.Up("calico-felix"))
	require.Eventually(t, func() bool {
		p, _ := newest(sink, one, "up")
		return p.Flags().NoRecordedValue()
	}, patience, interval/10)
	require.Equal(t, map[string]bool{two: true}, s.Up("calico-felix"), "also after its series have ended")
}
