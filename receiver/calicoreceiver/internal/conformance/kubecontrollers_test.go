//go:build e2e

package conformance

import (
	"fmt"
	"maps"
	"net/http"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// seriesKey is a series of one of the families that are compared.
type seriesKey struct{ name, pool, node string }

func (k seriesKey) String() string {
	return fmt.Sprintf("%s{ippool=%q,node=%q}", k.name, k.pool, k.node)
}

type series map[seriesKey]float64

// compared are the families of kube-controllers that the account has as well. Those of its garbage collector say nothing of addresses, and the
// three per node are sums of these.
var compared = []string{calicometric.IPPoolSize, calicometric.AllocationsInUse, calicometric.AllocationsBorrowed, calicometric.Blocks}

// scrapeKubeControllers is false while kube-controllers does not answer, as it starts anew when its configuration changes.
func scrapeKubeControllers(t *testing.T) (series, bool) {
	t.Helper()
	for _, component := range lab.Components {
		if component.Job != "calico-kube-controllers" {
			continue
		}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+component.Address+"/metrics", http.NoBody)
		require.NoError(t, err)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, false
		}
		defer response.Body.Close()
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(response.Body)
		if err != nil {
			return nil, false
		}
		found := series{}
		for _, name := range compared {
			for _, metric := range families[name].GetMetric() {
				labels := map[string]string{}
				for _, label := range metric.GetLabel() {
					labels[label.GetName()] = label.GetValue()
				}
				found[seriesKey{name, labels[calicometric.LabelIPPool], labels[calicometric.LabelNode]}] = metric.GetGauge().GetValue()
			}
		}
		return found, true
	}
	t.Fatal("the lab has no kube-controllers")
	return nil, false
}

// seriesOf are the series that kube-controllers publishes where it knows what the account has (updateMetrics in
// kube-controllers/pkg/controllers/node/ipam.go): of each pool and each node of the cluster, and beyond that where the number is not 0. The number of
// blocks is never 0.
func seriesOf(report ipam.Report) series {
	all := series{}
	for _, p := range report.Pools {
		all[seriesKey{calicometric.IPPoolSize, p.Name, ""}] = p.Size.Float64()
		for _, node := range report.NodeNames {
			all[seriesKey{calicometric.AllocationsInUse, p.Name, node}] = 0
			all[seriesKey{calicometric.AllocationsBorrowed, p.Name, node}] = 0
		}
		all.add(p.Name, p.Nodes)
	}
	all.add(calicometric.NoPool, report.NoPool)
	return all
}

func (all series) add(pool string, shares []ipam.NodeShare) {
	for _, s := range shares {
		for name, value := range map[string]int{
			calicometric.AllocationsInUse: s.InUse, calicometric.AllocationsBorrowed: s.Borrowed, calicometric.Blocks: s.Blocks,
		} {
			if value != 0 {
				all[seriesKey{name, pool, s.Node}] = float64(value)
			}
		}
	}
}

// compareWithKubeControllers leaves no_ippool out while there is no block without a pool: the last values stay then (projectcalico/calico#8562).
func compareWithKubeControllers(c *check, a account, o *objects, published series) {
	want, got := maps.Clone(published), seriesOf(a.report)
	if len(o.in("")) == 0 {
		maps.DeleteFunc(want, func(k seriesKey, _ float64) bool { return k.pool == calicometric.NoPool })
	}
	for k := range got {
		if _, ok := want[k]; !ok {
			c.equal(poolOf(k), k.String()+" of kube-controllers", nil, got[k])
		}
	}
	for k, value := range want {
		if own, ok := got[k]; ok {
			c.equal(poolOf(k), k.String()+" of kube-controllers", value, own)
		} else {
			c.equal(poolOf(k), k.String()+" of kube-controllers", value, nil)
		}
	}
}

// poolOf is the pool that a series is of; empty is none.
func poolOf(k seriesKey) string {
	if k.pool == calicometric.NoPool {
		return ""
	}
	return k.pool
}
