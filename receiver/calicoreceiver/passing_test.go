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

// endsOf are the ends of metrics.
func endsOf(metrics []string) (ends []string) {
	for _, name := range metrics {
		ends = append(ends, name+"-")
	}
	return ends
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
			{passOwn, kubeControllers, own, endsOf(own)},
			{passOwn, kubeControllers, append([]string{"up", gc, "ipam_allocations_gc_reclamations", "ipam_blocks_per_node"}, own...),
				[]string{"up", gc, "ipam_allocations_gc_reclamations", "ipam_blocks_per_node"}},
		}},
		{"what the process before this one let through ends once, with the first scrape", []step{
			{passOwn, kubeControllers, []string{size, gc}, []string{size + "-", gc}},
			{passOwn, kubeControllers, []string{size, gc}, []string{gc}},
		}},
		{"a scrape without metrics of IPAM, as one that failed, ends nothing", []step{
			{passOwn, kubeControllers, []string{"up"}, []string{"up"}},
			{passOwn, kubeControllers, []string{"up", size}, []string{"up", size + "-"}},
		}},
		{"a scrape of which nothing is left does not arrive", []step{{passOwn, kubeControllers, own, endsOf(own)}, {passOwn, kubeControllers, own, nil}}},
		{"all pass where kube-controllers is the source", []step{{passAll, kubeControllers, append([]string{gc}, own...), append([]string{gc}, own...)}}},
		{"none of IPAM passes where it is off, and what passed before ends", []step{
			{passNone, kubeControllers, append([]string{"up", gc}, own...), append([]string{"up", gc + "-"}, endsOf(own)...)},
			{passNone, kubeControllers, append([]string{"up", gc}, own...), []string{"up"}},
		}},
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
		{"what is held back ends once, be it alive or not", []step{
			{passOwn, kubeControllers, []string{size}, []string{size + "-"}},
			{passOwn, kubeControllers, []string{size + "-"}, nil},
		}},
		{"there and back again, each change ends what is open", []step{
			{passOwn, kubeControllers, []string{size}, []string{size + "-"}},
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

func TestEachResourceEndsByItself(t *testing.T) {
	sink := &consumertest.MetricsSink{}
	filter := newOneSource(sink, passOwn)
	for _, step := range []struct {
		instance string
		want     []string
	}{{"old", []string{"ipam_blocks-"}}, {"old", nil}, {"new", []string{"ipam_blocks-"}}, {"new", nil}, {"old", nil}} {
		sink.Reset()
		require.NoError(t, filter.ConsumeMetrics(t.Context(), scraped("calico-kube-controllers", step.instance, "ipam_blocks")))
		require.Equal(t, step.want, seen(t, sink.AllMetrics()), step.instance)
	}
}

func TestWhatHasNoEndIsHeldBack(t *testing.T) {
	sink := &consumertest.MetricsSink{}
	md := scraped("calico-kube-controllers", "x", "ipam_blocks")
	md.ResourceMetrics().At(0).ScopeMetrics().At(0).Metrics().At(0).SetEmptySum().DataPoints().AppendEmpty().SetIntValue(7)
	require.NoError(t, newOneSource(sink, passOwn).ConsumeMetrics(t.Context(), md))
	require.Empty(t, sink.AllMetrics())
}

func TestResourcesThatEndedAreNotKeptForever(t *testing.T) {
	filter := newOneSource(consumertest.NewNop(), passOwn)
	for i := range 2*maxEnded + 1 {
		require.NoError(t, filter.ConsumeMetrics(t.Context(), scraped("calico-kube-controllers", strconv.Itoa(i), "ipam_blocks")))
		require.LessOrEqual(t, len(filter.ended), maxEnded)
	}
	require.Len(t, filter.ended, 1)
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
	const targets, scrapes = 4, 200
	scrape := func(target int) {
		if err := filter.ConsumeMetrics(t.Context(), scraped("calico-kube-controllers", strconv.Itoa(target), "ipam_blocks", "up")); err != nil {
			t.Error(err)
		}
	}
	for target := range targets {
		scrape(target)
	}
	// Each scrape of each target meets one change of the source, sooner or later.
	for i := range scrapes {
		var running sync.WaitGroup
		for target := range targets {
			running.Go(func() { scrape(target) })
		}
		running.Go(func() { filter.pass([]passing{passOwn, passAll}[i%2]) })
		running.Wait()
	}
	filter.pass(passOwn)
	for target := range targets {
		scrape(target)
	}
	// Of each target the last point of its series is an end, and there were others.
	last, alive := map[string]bool{}, map[string]bool{}
	for _, md := range sink.AllMetrics() {
		rm := md.ResourceMetrics().At(0)
		instance, _ := rm.Resource().Attributes().Get("service.instance.id")
		for _, m := range rm.ScopeMetrics().At(0).Metrics().All() {
			if m.Name() == "ipam_blocks" {
				ended := m.Gauge().DataPoints().At(0).Flags().NoRecordedValue()
				last[instance.Str()] = ended
				alive[instance.Str()] = alive[instance.Str()] || !ended
			}
		}
	}
	all := map[string]bool{"0": true, "1": true, "2": true, "3": true}
	require.Equal(t, all, alive)
	require.Equal(t, all, last)
}
