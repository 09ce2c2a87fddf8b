package calicoreceiver

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
)

// scraped is a scrape of a job's instance. A metric of which the name is followed by a minus has ended.
func scraped(job, instance string, metrics ...string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	rm.Resource().Attributes().PutStr("service.name", job)
	rm.Resource().Attributes().PutStr("service.instance.id", instance)
	sm := rm.ScopeMetrics().AppendEmpty()
	for _, name := range metrics {
		m := sm.Metrics().AppendEmpty()
		ended := name[len(name)-1] == '-'
		if ended {
			name = name[:len(name)-1]
		}
		m.SetName(name)
		p := m.SetEmptyGauge().DataPoints().AppendEmpty()
		p.SetTimestamp(pcommon.NewTimestampFromTime(moment))
		p.SetDoubleValue(7)
		p.Attributes().PutStr("ippool", "a")
		p.SetFlags(pmetric.DefaultDataPointFlags.WithNoRecordedValue(ended))
	}
	return md
}

// seen tells what arrived as scraped takes it.
func seen(t *testing.T, all []pmetric.Metrics) (names []string) {
	for _, md := range all {
		for _, rm := range md.ResourceMetrics().All() {
			require.NotZero(t, rm.ScopeMetrics().Len(), "nothing empty arrives")
			for _, sm := range rm.ScopeMetrics().All() {
				require.NotZero(t, sm.Metrics().Len(), "nothing empty arrives")
				for _, m := range sm.Metrics().All() {
					p := m.Gauge().DataPoints().At(0)
					require.Equal(t, map[string]any{"ippool": "a"}, p.Attributes().AsRaw())
					require.Equal(t, pcommon.NewTimestampFromTime(moment), p.Timestamp())
					name := m.Name()
					if p.Flags().NoRecordedValue() {
						name += "-"
					}
					names = append(names, name)
				}
			}
		}
	}
	return names
}

func TestWhatTheReceiverCountsItselfDoesNotPass(t *testing.T) {
	const kubeControllers, size, gc = "calico-kube-controllers", "ipam_ippool_size", "ipam_allocations_gc_candidates"
	own := []string{"ipam_ippool_size", "ipam_ippool_reserved", "ipam_allocations_in_use", "ipam_allocations_borrowed", "ipam_blocks"}
	type step struct {
		passing passing
		job     string
		metrics []string
		want    []string
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"its own families are held back, what only kube-controllers knows passes", []step{
			{passOwn, kubeControllers, append([]string{"up", gc, "ipam_allocations_gc_reclamations", "ipam_blocks_per_node"}, own...),
				[]string{"up", gc, "ipam_allocations_gc_reclamations", "ipam_blocks_per_node"}},
		}},
		{"a scrape of which nothing is left does not arrive", []step{{passOwn, kubeControllers, own, nil}}},
		{"all pass where kube-controllers is the source", []step{{passAll, kubeControllers, append([]string{gc}, own...), append([]string{gc}, own...)}}},
		{"none of IPAM passes where it is off", []step{{passNone, kubeControllers, append([]string{"up", gc}, own...), []string{"up"}}}},
		{"other jobs are not looked at", []step{{passNone, "calico-felix", []string{size}, []string{size}}}},
		{"series that passed before end once with the next scrape", []step{
			{passAll, kubeControllers, []string{size, gc}, []string{size, gc}},
			{passOwn, kubeControllers, []string{size, gc}, []string{size + "-", gc}},
			{passOwn, kubeControllers, []string{size, gc}, []string{gc}},
		}},
		{"a target that went away has ended all by itself", []step{
			{passAll, kubeControllers, []string{size}, []string{size}},
			{passAll, kubeControllers, []string{size + "-"}, []string{size + "-"}},
			{passOwn, kubeControllers, []string{size}, nil},
		}},
		{"the end of a target that goes away as the source changes passes", []step{
			{passAll, kubeControllers, []string{size}, []string{size}},
			{passOwn, kubeControllers, []string{size + "-"}, []string{size + "-"}},
			{passOwn, kubeControllers, []string{size + "-"}, nil},
		}},
		{"the end of what never passed does not pass", []step{{passOwn, kubeControllers, []string{size + "-"}, nil}}},
		{"there and back again, each change ends what is open", []step{
			{passOwn, kubeControllers, []string{size}, nil},
			{passAll, kubeControllers, []string{size}, []string{size}},
			{passOwn, kubeControllers, []string{size}, []string{size + "-"}},
			{passAll, kubeControllers, []string{size}, []string{size}},
			{passOwn, kubeControllers, []string{size}, []string{size + "-"}},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sink := &consumertest.MetricsSink{}
			filter := newOneSource(sink, passOwn)
			for i, step := range tc.steps {
				sink.Reset()
				filter.pass(step.passing)
				require.NoError(t, filter.ConsumeMetrics(t.Context(), scraped(step.job, "x", step.metrics...)))
				require.Equal(t, step.want, seen(t, sink.AllMetrics()), "step %d", i+1)
				if step.want == nil {
					require.Empty(t, sink.AllMetrics(), "step %d", i+1)
				}
			}
		})
	}
}

func TestOnlyWhatPassedOfAResourceEnds(t *testing.T) {
	sink := &consumertest.MetricsSink{}
	filter := newOneSource(sink, passAll)
	require.NoError(t, filter.ConsumeMetrics(t.Context(), scraped("calico-kube-controllers", "old", "ipam_blocks")))
	filter.pass(passOwn)
	sink.Reset()
	require.NoError(t, filter.ConsumeMetrics(t.Context(), scraped("calico-kube-controllers", "new", "ipam_blocks")))
	require.Empty(t, sink.AllMetrics())
	require.NoError(t, filter.ConsumeMetrics(t.Context(), scraped("calico-kube-controllers", "old", "ipam_blocks")))
	require.Equal(t, []string{"ipam_blocks-"}, seen(t, sink.AllMetrics()))
}

func TestAnEndThatThePipelineRefusedIsSentAgain(t *testing.T) {
	sink := &consumertest.MetricsSink{}
	refuse := true
	next, err := consumer.NewMetrics(func(ctx context.Context, md pmetric.Metrics) error {
		if refuse {
			return errors.New("full")
		}
		return sink.ConsumeMetrics(ctx, md)
	})
	require.NoError(t, err)
	filter := newOneSource(next, passAll)
	scrape := func() pmetric.Metrics { return scraped("calico-kube-controllers", "x", "ipam_blocks") }
	require.Error(t, filter.ConsumeMetrics(t.Context(), scrape()))
	filter.pass(passOwn)
	require.Error(t, filter.ConsumeMetrics(t.Context(), scrape()))
	refuse = false
	require.NoError(t, filter.ConsumeMetrics(t.Context(), scrape()))
	require.NoError(t, filter.ConsumeMetrics(t.Context(), scrape()))
	require.Equal(t, []string{"ipam_blocks-"}, seen(t, sink.AllMetrics()))
}

func TestTheSourceChangesWhileTargetsAreScraped(t *testing.T) {
	sink := &consumertest.MetricsSink{}
	filter := newOneSource(sink, passAll)
	var running sync.WaitGroup
	const targets, scrapes = 4, 200
	for target := range targets {
		running.Go(func() {
			for range scrapes {
				if err := filter.ConsumeMetrics(t.Context(), scraped("calico-kube-controllers", strconv.Itoa(target), "ipam_blocks", "up")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range scrapes {
		filter.pass([]passing{passAll, passOwn}[i%2])
	}
	running.Wait()
	filter.pass(passOwn)
	for target := range targets {
		require.NoError(t, filter.ConsumeMetrics(t.Context(), scraped("calico-kube-controllers", strconv.Itoa(target), "ipam_blocks", "up")))
	}
	// Of each target the last point of its series is an end, if there was one.
	last := map[string]bool{}
	for _, md := range sink.AllMetrics() {
		rm := md.ResourceMetrics().At(0)
		instance, _ := rm.Resource().Attributes().Get("service.instance.id")
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if m.Name() == "ipam_blocks" {
				last[instance.Str()] = m.Gauge().DataPoints().At(0).Flags().NoRecordedValue()
			}
		}
	}
	for target, ended := range last {
		require.True(t, ended, target)
	}
}
