package scrape

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
)

// Every test of this file is also one of TestMain, which looks for goroutines that are left over.

// withFiles are jobs without files, with one that is there, and with one that is missing.
func withFiles(t *testing.T) []Job {
	t.Helper()
	dir := newFiles(t)
	return []Job{
		job("calico-felix", Settings{}),
		job("calico-typha", Settings{Authorization: &Authorization{CredentialsFile: dir.write(t, "token", []byte("one"))}}),
		job("calico-goldmane", Settings{TLS: TLSConfig{CAFile: dir.path("missing.pem")}}),
	}
}

func TestAScraperThatNeverStartedCanBeShutDown(t *testing.T) {
	t.Parallel()
	const name = "never-started" // feeds are the whole process's
	s, err := New(t.Context(), nopSettings(), append(withFiles(t), job(name, Settings{})), consumertest.NewNop())
	require.NoError(t, err)
	require.NoError(t, s.Update(name, []Target{{Address: "192.0.2.1:9091"}}))
	require.NoError(t, s.Shutdown(t.Context()))
	feeds.Range(func(feed, _ any) bool {
		require.NotContains(t, feed, name)
		return true
	})
}

func TestScrapersFollowOneAnother(t *testing.T) {
	t.Parallel()
	felix, _ := serve(t, felixExposition)
	typha, _ := serve(t, "# TYPE typha_updates_total counter\ntypha_updates_total 7\n")
	for range 3 {
		sink := &consumertest.MetricsSink{}
		s, err := New(t.Context(), nopSettings(), withFiles(t), sink)
		require.NoError(t, err)
		require.NoError(t, s.Update("calico-felix", []Target{{Address: felix}}))
		require.NoError(t, s.Update("calico-typha", []Target{{Address: typha}}))
		starting, cancel := context.WithCancel(t.Context())
		require.NoError(t, s.Start(starting, componenttest.NewNopHost()))
		cancel() // the context of Start is over before the collector is
		require.Eventually(t, func() bool { return s.Up("calico-felix")[felix] && s.Up("calico-typha")[typha] }, patience, interval/10)
		require.NoError(t, s.Shutdown(t.Context()))
		require.NotEmpty(t, sink.AllMetrics())
	}
}

func TestScrapersMayBeShutDownAtOnce(t *testing.T) {
	t.Parallel()
	felix, _ := serve(t, felixExposition)
	for range 10 {
		s, err := New(t.Context(), nopSettings(), withFiles(t), consumertest.NewNop())
		require.NoError(t, err)
		require.NoError(t, s.Update("calico-felix", []Target{{Address: felix}}))
		require.NoError(t, s.Start(t.Context(), componenttest.NewNopHost()))
		require.NoError(t, s.Shutdown(t.Context()))
	}
}

func TestTargetsThatAreKnownAtTheStartAreScrapedWithinTheFirstInterval(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, felixExposition)
	s, err := New(t.Context(), nopSettings(), []Job{job("calico-felix", Settings{})}, consumertest.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address}}))
	began := time.Now()
	require.NoError(t, s.Start(t.Context(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return s.Up("calico-felix")[address] }, patience, interval/100)
	require.Less(t, time.Since(began), 4*time.Second, "Prometheus looks for targets again after five seconds only")
}

func TestSettingsOfAJobBeatThoseOfTheReceiver(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, felixExposition)
	s, _ := startJobs(t, nopSettings(), Job{
		Name: "calico-felix", Interval: time.Hour, Timeout: time.Minute, Settings: Settings{CollectionInterval: interval},
	})
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address}}))
	require.Eventually(t, func() bool { return s.Up("calico-felix")[address] }, patience, interval/10, "an hour has not passed")
}

func TestJobsThatCanNeverBeScrapedAreRefused(t *testing.T) {
	t.Parallel()
	for name, jobs := range map[string][]Job{
		"two jobs of one name":             {job("a", Settings{}), job("a", Settings{})},
		"metric_relabel_configs[0].action": {job("a", Settings{MetricRelabelConfigs: []map[string]any{{"action": "drp"}}})},
		"body_size_limit":                  {job("a", Settings{Limits: Limits{BodySizeLimit: "many"}})},
		"scrape timeout greater":           {{Name: "a", Interval: interval, Settings: Settings{Timeout: 2 * interval}}},
	} {
		_, err := New(t.Context(), nopSettings(), jobs, consumertest.NewNop())
		if name == "two jobs of one name" {
			name = "have the name"
		}
		require.ErrorContains(t, err, name)
	}
}

func TestAConsumerThatRefusesDoesNotMakeATargetDown(t *testing.T) {
	t.Parallel()
	address, _ := serve(t, felixExposition)
	s, err := New(t.Context(), nopSettings(), []Job{job("calico-felix", Settings{})}, consumertest.NewErr(errors.New("queue is full")))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Shutdown(context.Background())) })
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address}}))
	require.NoError(t, s.Start(t.Context(), componenttest.NewNopHost()))
	require.Eventually(t, func() bool { return s.Up("calico-felix")[address] }, patience, interval/10)
}
