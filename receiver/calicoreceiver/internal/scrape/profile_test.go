package scrape

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumertest"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// captures are what components of Calico 3.28 served in a real cluster.
var captures = map[string]string{
	calicometric.JobFelix:           "felix.prom",
	calicometric.JobTypha:           "typha.prom",
	calicometric.JobKubeControllers: "kube-controllers.prom",
}

func capture(t *testing.T, job string) (exposition string, names []string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", captures[job]))
	require.NoError(t, err)
	for lines := bufio.NewScanner(strings.NewReader(string(content))); lines.Scan(); {
		if name := lines.Text(); !strings.HasPrefix(name, "#") {
			names = append(names, name[:strings.IndexAny(name, "{ ")])
		}
	}
	slices.Sort(names)
	return string(content), slices.Compact(names)
}

// dropped are those of some names that a profile leaves out of a job.
func dropped(p Profile, job string, names ...string) []string {
	var out []string
	for _, name := range names {
		if !relabel.ProcessBuilder(labels.NewBuilder(labels.FromStrings(model.MetricNameLabel, name)), p.relabelConfigs(job)...) {
			out = append(out, name)
		}
	}
	return out
}

func TestEssentialProfileKeepsWhatIsCalicos(t *testing.T) {
	for job := range captures {
		t.Run(job, func(t *testing.T) {
			_, names := capture(t, job)
			var want []string
			for _, name := range names {
				if strings.HasPrefix(name, "go_") || strings.HasPrefix(name, "process_") || strings.HasPrefix(name, "promhttp_") || strings.HasSuffix(name, "_per_node") {
					want = append(want, name)
				}
			}
			require.NotEmpty(t, want)
			require.Equal(t, want, dropped(ProfileEssential, job, names...))
			require.Equal(t, want, dropped("", job, names...), "an empty profile is the essential one")
			require.Empty(t, dropped(ProfileAll, job, names...))
		})
	}
}

func TestEssentialProfile(t *testing.T) {
	for _, tc := range []struct {
		job, name     string
		want, dropped []string
	}{
		{
			job: calicometric.JobFelix, name: "Felix keeps one WireGuard series a node, none a pair of nodes",
			want: []string{"wireguard_meta", "felix_host"}, dropped: []string{"wireguard_bytes_rcvd", "wireguard_bytes_sent", "wireguard_latest_handshake_seconds"},
		},
		{
			job: calicometric.JobOperator, name: "the operator keeps what it knows of Calico",
			want: []string{"tigera_operator_component_status", "tigera_operator_tls_certificate_expiry_timestamp_seconds"},
			dropped: []string{
				"controller_runtime_reconcile_total", "controller_runtime_reconcile_time_seconds_bucket", "workqueue_depth", "rest_client_requests_total",
				"certwatcher_read_certificate_total", "leader_election_master_status", "go_goroutines",
			},
		},
		{
			job: calicometric.JobKubeControllers, name: "kube-controllers keeps what is counted by pool",
			want:    []string{"ipam_allocations_in_use", "ipam_allocations_gc_candidates", "ipam_blocks", "ipam_ippool_size", "calico_migration_duration_seconds_bucket"},
			dropped: []string{"ipam_allocations_per_node", "ipam_allocations_borrowed_per_node", "ipam_blocks_per_node"},
		},
		{job: calicometric.JobGoldmane, name: "the rules of a component are its own", want: []string{"workqueue_depth", "goldmane_num_streams", "good_name", "ipam_blocks_per_node"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			require.Empty(t, dropped(ProfileEssential, tc.job, tc.want...))
			require.Equal(t, tc.dropped, dropped(ProfileEssential, tc.job, tc.dropped...))
		})
	}
}

func TestEveryRuleOfTheEssentialProfileHasAReason(t *testing.T) {
	for _, d := range Essential() {
		require.NotEmpty(t, d.Families)
		require.NotEmpty(t, d.Reason, "%v", d.Families)
	}
}

func TestProfileOnTheWire(t *testing.T) {
	t.Parallel()
	exposition, _ := capture(t, calicometric.JobFelix)
	essentialAddress, _ := serve(t, exposition)
	allAddress, _ := serve(t, exposition)
	s, sink := startJobs(t, nopSettings(), job(calicometric.JobFelix, Settings{}), job("all", Settings{Profile: ProfileAll}))
	require.NoError(t, s.Update(calicometric.JobFelix, []Target{{Address: essentialAddress}}))
	require.NoError(t, s.Update("all", []Target{{Address: allAddress}}))
	require.Eventually(t, func() bool { return s.Up(calicometric.JobFelix)[essentialAddress] && s.Up("all")[allAddress] }, patience, interval/10)
	require.Eventually(t, func() bool { return len(namesOf(sink, essentialAddress)) > 0 && len(namesOf(sink, allAddress)) > 0 }, patience, interval/10)

	few, all := namesOf(sink, essentialAddress), namesOf(sink, allAddress)
	for _, name := range []string{"felix_active_local_endpoints", "felix_int_dataplane_apply_time_seconds", "up", "scrape_samples_scraped"} {
		require.Contains(t, few, name)
		require.Contains(t, all, name)
	}
	for _, name := range []string{"go_goroutines", "process_cpu_seconds_total", "promhttp_metric_handler_requests_total"} {
		require.NotContains(t, few, name)
		require.Contains(t, all, name)
	}
}

// namesOf are the names of all metrics under a service.instance.id.
func namesOf(sink *consumertest.MetricsSink, instance string) map[string]bool {
	names := map[string]bool{}
	for _, md := range sink.AllMetrics() {
		for _, rm := range md.ResourceMetrics().All() {
			if id, _ := rm.Resource().Attributes().Get("service.instance.id"); id.AsString() != instance {
				continue
			}
			for _, sm := range rm.ScopeMetrics().All() {
				for _, m := range sm.Metrics().All() {
					names[m.Name()] = true
				}
			}
		}
	}
	return names
}
