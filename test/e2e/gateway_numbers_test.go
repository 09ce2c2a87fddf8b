//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What the numbers of a cluster have to be, from its raw series. The account says itself what is allocated and reserved; kube-controllers of the lab's
// release does not.
const (
	sizes  = `sum by (ippool) (ipam_ippool_size{k8s_cluster_name=%[1]q})`
	usable = `(` + sizes + ` - (sum by (ippool) (ipam_ippool_reserved{k8s_cluster_name=%[1]q}) or 0 * ` + sizes + `))`
	taken  = `(sum by (ippool) (calico_ipam_pool_allocated{k8s_cluster_name=%[1]q})
		or sum by (ippool) (ipam_allocations_in_use{k8s_cluster_name=%[1]q,ippool!="no_ippool"}))`
	// ofPods leaves of them the pools that any pod can use.
	ofPods = ` * on (ippool) group_left (ip_family) calico_ipam_pool_info{k8s_cluster_name=%[1]q,state="enabled",allowed_uses=~".*Workload.*"}`

	claimed    = `sum by (ippool) (calico_ipam_pool_blocks{k8s_cluster_name=%[1]q,state=~"used|empty"})`
	claimable  = `sum by (ippool) (calico_ipam_pool_blocks{k8s_cluster_name=%[1]q,state!="reserved"})`
	nodeBlocks = `sum by (ippool) (ipam_blocks{k8s_cluster_name=%[1]q,ippool!="no_ippool"})`
)

var (
	// inUse are the pools of a site that have an address in use and allPools all, with the number of blocks that each is divided into.
	inUse    = []string{halfUsedPool, fullPool, ipv6Pool, loadBalancerPool, appsPool}
	allPools = map[string]float64{
		halfUsedPool: 16, fullPool: 4, ipv6Pool: 1 << (122 - 48), disabledPool: 4, loadBalancerPool: 1, appsPool: 16, sparePool: 16,
	}
)

// byLabel are the values of an expression, of which every value of a label has one.
func byLabel(ctx context.Context, t require.TestingT, prom promv1.API, expression string, name model.LabelName) map[string]float64 {
	vector, err := query(ctx, prom, expression)
	require.NoError(t, err)
	found := map[string]float64{}
	for _, sample := range vector {
		value := string(sample.Metric[name])
		require.NotContains(t, found, value, expression)
		found[value] = float64(sample.Value)
	}
	return found
}

// derivedNumbers compares what is derived with what the raw series say, which is there some seconds before.
func derivedNumbers(t *testing.T, prom promv1.API, sites ...*site) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		for _, s := range sites {
			of := func(expression string, label model.LabelName) map[string]float64 {
				return byLabel(t.Context(), c, prom, fmt.Sprintf(expression, s.name), label)
			}
			equal := func(want, metric string, label model.LabelName) {
				expected := of(want, label)
				require.NotEmpty(c, expected, "%s of %s", metric, s.name)
				require.Equal(c, expected, of(metric+`{k8s_cluster_name=%q}`, label), "%s of %s", metric, s.name)
			}
			equal(taken+" / "+usable, "calico_ipam_pool_utilization_ratio", "ippool")
			equal(usable+" - "+taken, "calico_ipam_pool_available", "ippool")
			equal("sum by (ip_family) ("+taken+ofPods+") / sum by (ip_family) ("+usable+ofPods+")", "calico_ipam_cluster_utilization_ratio", "ip_family")
			if s.source == "datastore" {
				equal(claimed+" / "+claimable, "calico_ipam_pool_block_utilization_ratio", "ippool")
				s.nodes(t.Context(), c, prom)
				continue
			}
			expected := of("0 * "+sizes, "ippool") // kube-controllers has no series for a pool without a block
			for pool, blocks := range of(nodeBlocks, "ippool") {
				expected[pool] = blocks / allPools[pool]
			}
			require.Equal(c, expected, of(`calico_ipam_pool_block_utilization_ratio{k8s_cluster_name=%q}`, "ippool"))
			require.Empty(c, of(`calico_ipam_nodes{k8s_cluster_name=%q}`, "state"), "kube-controllers does not say what nodes can give")
		}
	}, patience, poll)
}

// nodes compares the numbers of nodes with the series of each node.
func (s *site) nodes(ctx context.Context, t require.TestingT, prom promv1.API) {
	const raw = `{k8s_cluster_name=%[1]q,ip_family=%[2]q}`
	for _, family := range []string{"IPv4", "IPv6"} {
		want := map[string]float64{}
		for state, expression := range map[string]string{
			"starved": `calico_ipam_node_assignable` + raw + ` == 0`,
			"capped":  `(calico_ipam_node_blocks` + raw + ` >= on (node) calico_ipam_node_blocks_limit` + raw + `) and on (node) calico_ipam_node_assignable` + raw + ` > 0`,
			"all":     `calico_ipam_node_assignable` + raw,
		} {
			want[state] = byLabel(ctx, t, prom, fmt.Sprintf("count("+expression+") or vector(0)", s.name, family), "")[""]
		}
		require.InDelta(t, siteNodes, want["all"], 0)
		want["ok"] = want["all"] - want["starved"] - want["capped"]
		delete(want, "all")
		require.Equal(t, want, byLabel(ctx, t, prom, fmt.Sprintf("calico_ipam_nodes"+raw, s.name, family), "state"), family)
	}
}

// derivedLabels looks at all labels of the derived series.
func derivedLabels(t *testing.T, prom promv1.API, sites ...*site) {
	t.Helper()
	for _, s := range sites {
		for name, own := range map[string]map[model.LabelName]model.LabelValue{
			"calico_ipam_pool_utilization_ratio":       {"ippool": appsPool, "cidr": model.LabelValue(s.apps), "ip_family": "IPv4"},
			"calico_ipam_pool_block_utilization_ratio": {"ippool": sparePool, "cidr": model.LabelValue(s.spare), "ip_family": "IPv4"},
			"calico_ipam_pool_available":               {"ippool": ipv6Pool, "cidr": "fd00:10:244::/48", "ip_family": "IPv6"},
			"calico_ipam_cluster_utilization_ratio":    {"ip_family": "IPv4"},
		} {
			want := model.Metric{
				model.MetricNameLabel: model.LabelValue(name), "job": "calico-ipam", "instance": model.LabelValue(s.uid), "k8s_cluster_name": model.LabelValue(s.name),
			}
			maps.Copy(want, own)
			expression := fmt.Sprintf(`%s{k8s_cluster_name=%q,ip_family=%q,ippool=%q}`, name, s.name, own["ip_family"], own["ippool"])
			vector, err := query(t.Context(), prom, expression)
			require.NoError(t, err)
			require.Len(t, vector, 1, expression)
			require.Equal(t, want, vector[0].Metric)
		}
	}
}

// enriched waits until all raw series of a pool are there, and looks at their labels. kube-controllers tells of a new pool when it comes round to it.
func enriched(t *testing.T, prom promv1.API, sites ...*site) {
	t.Helper()
	for _, s := range sites {
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			vector, err := query(t.Context(), prom, fmt.Sprintf(`{__name__=~"ipam_.*",k8s_cluster_name=%q,ippool=%q}`, s.name, appsPool))
			require.NoError(c, err)
			names := map[string]bool{}
			for _, sample := range vector {
				names[string(sample.Metric[model.MetricNameLabel])] = true
				require.EqualValues(c, s.apps, sample.Metric["cidr"], "%s", sample.Metric)
				require.EqualValues(c, "IPv4", sample.Metric["ip_family"], "%s", sample.Metric)
			}
			for _, name := range []string{"ipam_ippool_size", "ipam_allocations_in_use", "ipam_blocks", "ipam_allocations_gc_candidates"} {
				require.True(c, names[name], "%s of %s", name, s.name)
			}
		}, patience, poll)
	}
}

// awaitDerived waits until the numbers of clusters are complete, and those of their pools of addresses that the test has allocated.
func awaitDerived(t *testing.T, prom promv1.API, sites ...*site) {
	t.Helper()
	for _, s := range sites {
		awaitValue(t, prom, s.derivedSeries(), float64(len(allPools)))
		awaitValue(t, prom, s.utilization(appsPool), float64(s.used)/float64(s.size))
		awaitValue(t, prom, fmt.Sprintf(`count(calico_ipam_cluster_utilization_ratio{k8s_cluster_name=%q})`, s.name), 2)
	}
}

// awaitSampleAfter waits until a series has a sample that is newer than a moment.
func awaitSampleAfter(t *testing.T, prom promv1.API, expression string, moment time.Time) {
	t.Helper()
	require.Eventually(t, func() bool {
		vector, err := query(t.Context(), prom, "timestamp("+expression+")")
		return err == nil && len(vector) == 1 && float64(vector[0].Value) > float64(moment.UnixMilli())/1000
	}, patience, poll, "a sample of %s after %s", expression, moment)
}

// window is the time since a moment as a range of PromQL.
func window(since time.Time) string { return fmt.Sprintf("[%dms", time.Since(since).Milliseconds()) }

// longestGap is the longest time between two samples of a pool's utilization in a cluster since a moment.
func longestGap(t *testing.T, prom promv1.API, s *site, since time.Time) time.Duration {
	t.Helper()
	value, _, err := prom.Query(t.Context(), fmt.Sprintf(`calico_ipam_pool_utilization_ratio{k8s_cluster_name=%q}%s]`, s.name, window(since)), time.Now())
	require.NoError(t, err)
	matrix := value.(model.Matrix)
	require.Len(t, matrix, len(allPools))
	var longest time.Duration
	for _, series := range matrix {
		samples := series.Values
		require.GreaterOrEqual(t, len(samples), 3, "%s", series.Metric)
		for i := 1; i < len(samples); i++ {
			longest = max(longest, samples[i].Timestamp.Time().Sub(samples[i-1].Timestamp.Time()))
		}
	}
	return longest
}

// throughout requires that since a moment the utilization of pools in use, and that of the cluster, was always the same where there was one: no zero, no
// double, no part of a sum.
func throughout(t *testing.T, prom promv1.API, since time.Time, pools []string, sites ...*site) {
	t.Helper()
	for _, s := range sites {
		series := func(function string) string {
			return fmt.Sprintf(`%s(calico_ipam_pool_utilization_ratio{k8s_cluster_name=%q}%s])`, function, s.name, window(since))
		}
		least := byLabel(t.Context(), t, prom, series("min_over_time"), "ippool")
		require.Equal(t, byLabel(t.Context(), t, prom, series("max_over_time"), "ippool"), least)
		for _, pool := range pools {
			require.Positive(t, least[pool], "%s of %s", pool, s.name)
		}
		// A ratio of some of its pools would be another one.
		family := fmt.Sprintf(`_over_time(calico_ipam_cluster_utilization_ratio{k8s_cluster_name=%q}%s])`, s.name, window(since))
		require.Equal(t, byLabel(t.Context(), t, prom, "max"+family, "ip_family"), byLabel(t.Context(), t, prom, "min"+family, "ip_family"), s.name)
	}
}

// The labels that tell the series of a cluster apart, of what is derived and of what gets labels on its way.
var (
	derivedLabelsOf = map[string]string{
		"calico_ipam_pool_utilization_ratio":       "ippool",
		"calico_ipam_pool_available":               "ippool",
		"calico_ipam_pool_block_utilization_ratio": "ippool",
		"calico_ipam_cluster_utilization_ratio":    "ip_family",
		"calico_ipam_nodes":                        "ip_family, state",
	}
	enrichedLabelsOf = map[string]string{
		"ipam_ippool_size":          "ippool",
		"ipam_allocations_in_use":   "ippool, node",
		"ipam_allocations_borrowed": "ippool, node",
		"ipam_blocks":               "ippool, node",
	}
)

// onceThroughout requires that since a moment at no time two series said the same of one cluster.
func onceThroughout(t *testing.T, prom promv1.API, since time.Time, labelsOf map[string]string) {
	t.Helper()
	for metric, labels := range labelsOf {
		expression := fmt.Sprintf(`max_over_time(count by (k8s_cluster_name, %s) (%s{k8s_cluster_name=~"c-[12]"})%s:500ms]) > 1`, labels, metric, window(since))
		vector, err := query(t.Context(), prom, expression)
		require.NoError(t, err)
		assert.Empty(t, vector, "%s was there twice", metric)
	}
}

// page are the metrics that a program serves of itself.
func page(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	found, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(t, err)
	return found
}

// sum adds up the series of a metric for which a label has a value, all of them where its name is empty. No series is 0.
func sum(family *dto.MetricFamily, name, value string) float64 {
	total := 0.0
	for _, m := range family.GetMetric() {
		if name == "" || slices.ContainsFunc(m.GetLabel(), func(l *dto.LabelPair) bool { return l.GetName() == name && l.GetValue() == value }) {
			total += m.GetCounter().GetValue() + m.GetGauge().GetValue() + m.GetUntyped().GetValue()
		}
	}
	return total
}

// rejected is how many samples Prometheus has refused for their time.
func rejected(t *testing.T) float64 {
	t.Helper()
	found, n := page(t, lab.PrometheusURL+"/metrics"), 0.0
	for _, name := range []string{"prometheus_tsdb_out_of_order_samples_total", "prometheus_tsdb_too_old_samples_total", "prometheus_tsdb_out_of_bound_samples_total"} {
		n += sum(found[name], "", "") // without a series as long as there was none
	}
	require.Contains(t, found, "prometheus_tsdb_head_series", "it is the page of Prometheus")
	return n
}

func (g *gateway) page(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	return page(t, "http://127.0.0.1:"+g.telemetry+"/metrics")
}

const scrapesMetric = "otelcol_processor_calico_ipam_scrapes"

// trouble are the gateway's metrics of what shall not be.
var trouble = regexp.MustCompile(`^otelcol_.*(fail|refused|dropped|unreadable)`)

// untroubled requires that the gateway has computed something, and has neither lost nor refused anything, but for so many scrapes that a collector was
// killed in the middle of.
func (g *gateway) untroubled(t *testing.T, cut int) {
	t.Helper()
	found := g.page(t)
	for name, family := range found {
		if trouble.MatchString(name) {
			assert.Zero(t, sum(family, "", ""), name)
		}
	}
	assert.Positive(t, sum(found[scrapesMetric], "outcome", "computed"))
	assert.LessOrEqual(t, sum(found[scrapesMetric], "outcome", "incomplete"), float64(cut))
	for _, outcome := range []string{"late", "future", "conflicting"} {
		assert.Zero(t, sum(found[scrapesMetric], "outcome", outcome), outcome)
	}
}

// computes requires that the gateway computes one scrape of each cluster an interval.
func (g *gateway) computes(t *testing.T, clusters int) {
	t.Helper()
	computed := func() float64 { return sum(g.page(t)[scrapesMetric], "outcome", "computed") }
	before, began := computed(), time.Now()
	want := float64(4 * clusters)
	require.Eventually(t, func() bool { return computed() >= before+want }, patience, poll)
	require.InDelta(t, want*interval.Seconds()/float64(clusters), time.Since(began).Seconds(), interval.Seconds()+poll.Seconds())
}

// stored requires that the histories of clusters are kept on disk.
func (g *gateway) stored(t *testing.T, sites ...*site) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(g.storage, "processor_*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	content, err := os.ReadFile(files[0])
	require.NoError(t, err)
	for _, s := range sites {
		require.True(t, bytes.Contains(content, []byte("cluster/"+s.uid)), s.name)
	}
}

// historySize is the memory of all histories. Each has the same size.
func (g *gateway) historySize(t *testing.T) float64 {
	t.Helper()
	return sum(g.page(t)["otelcol_processor_calico_ipam_history_size"], "", "")
}
