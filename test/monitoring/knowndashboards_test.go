//go:build e2e

package monitoring

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// TestWellKnownDashboardsKeepWorking has what the dashboards for Felix and Typha ask for that are around, and that these components publish, arrive through the
// collector, and says what of it the profile essential leaves out.
func TestWellKnownDashboardsKeepWorking(t *testing.T) {
	if lab.Felix != "running" {
		t.Skipf("Felix is %s", lab.Felix)
	}
	var known struct {
		Dashboards []struct {
			Name, From string
			Metrics    []string
		}
		Missing, Removed map[string]string
	}
	content, err := os.ReadFile("testdata/felix-dashboards.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(content, &known, yaml.DisallowUnknownFields))

	prometheus := labtest.StartPrometheus(t, "global: {scrape_interval: 1h}")
	prom := labtest.PrometheusAPI(t, prometheus)
	for _, profile := range []string{"all", "essential"} {
		configs := []string{"../../configs/cluster.yaml", remoteWrite, "../../configs/options/no-election.yaml"}
		for _, component := range []string{"felix", "typha"} {
			configs = append(configs, "yaml:receivers::calico::"+component+"::profile: "+profile)
		}
		labtest.StartCollector(t, configs, "KUBECONFIG="+lab.CollectorKubeconfig, "CALICO_AUTH_TYPE=kubeConfig", "CALICO_COLLECTION_INTERVAL="+interval.String(),
			"K8S_CLUSTER_NAME="+profile, "LEASE_NAME=none", "STORAGE_DIRECTORY="+t.TempDir(),
			"REMOTE_WRITE_ENDPOINT="+prometheus+"/api/v1/write", "REMOTE_WRITE_HOP=127.0.0.1:"+labtest.FreePort(t))
	}
	arrived := func(profile string) map[string]bool {
		selector := fmt.Sprintf(`{k8s_cluster_name=%q,job=~"calico-felix|calico-typha"}`, profile)
		names, _, err := prom.LabelValues(t.Context(), model.MetricNameLabel, []string{selector}, time.Now().Add(-time.Hour), time.Now())
		require.NoError(t, err)
		set := map[string]bool{}
		for _, name := range names {
			set[string(name)] = true
		}
		return set
	}
	published := exposed(t)
	wanted := map[string]bool{}
	for _, d := range known.Dashboards {
		for _, name := range d.Metrics {
			wanted[name] = true
		}
	}
	for name := range maps.Keys(wanted) {
		if why, missing := known.Missing[name]; missing {
			require.False(t, published[name], "%s is published, though: %s", name, why)
			delete(wanted, name)
			continue
		}
		require.True(t, published[name], "%s is not published, and nothing says why", name)
	}
	settle(t, patience, "metrics that do not arrive", func() (missing []string) {
		all, essential := arrived("all"), arrived("essential")
		for name := range wanted {
			leftOut := strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_")
			if !all[name] || (!leftOut && !essential[name]) {
				missing = append(missing, name)
			}
			require.False(t, leftOut && essential[name], "%s comes with the profile essential", name)
		}
		return missing
	})
	var dropped []string
	for name := range wanted {
		if !arrived("essential")[name] {
			dropped = append(dropped, name)
		}
	}
	slices.Sort(dropped)
	t.Logf("%d dashboards: %d metrics that Calico publishes arrive, %d it does not publish; the profile essential leaves out %s",
		len(known.Dashboards), len(wanted), len(known.Missing), strings.Join(dropped, ", "))
}

// exposed are the names that series have that Felix and Typha serve themselves.
func exposed(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, component := range lab.Components {
		if component.Job != "calico-felix" && component.Job != "calico-typha" {
			continue
		}
		response, err := http.Get("http://" + component.Address + "/metrics")
		require.NoError(t, err)
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		for name, family := range families {
			names[name] = true
			if family.GetMetric()[0].GetSummary() != nil || family.GetMetric()[0].GetHistogram() != nil {
				names[name+"_sum"], names[name+"_count"] = true, true
			}
		}
	}
	return names
}
