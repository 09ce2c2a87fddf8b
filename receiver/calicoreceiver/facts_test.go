package calicoreceiver

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver/receivertest"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/nodestatus"
)

var moment = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func pool(name, cidr, state string) ipam.Pool {
	return ipam.Pool{
		Name: name, CIDR: netip.MustParsePrefix(cidr), BlockSize: 26, State: state,
		AllowedUses: []string{"Tunnel", "Workload"}, AssignmentMode: "Automatic", Encapsulation: "None",
	}
}

// values are the points of a metric: attributes and value.
func values(md pmetric.Metrics, name string) []map[string]any {
	var found []map[string]any
	for _, p := range gauges(md, name) {
		labels := p.Attributes().AsRaw()
		if p.ValueType() == pmetric.NumberDataPointValueTypeDouble {
			labels["="] = p.DoubleValue()
		} else {
			labels["="] = p.IntValue()
		}
		found = append(found, labels)
	}
	return found
}

func TestFactsOfACluster(t *testing.T) {
	ready := false
	snapshot := cluster.Snapshot{
		UID: "4711", Group: calicoapi.GroupV1,
		Discovery: discovery.Input{
			Installation: &discovery.Installation{CNI: "AmazonVPC"},
			Pods:         []discovery.Pod{{App: "calico-node", Node: "a", Running: true}},
		},
		Pools: []ipam.Pool{{
			Name: "v6", CIDR: netip.MustParsePrefix("fd00:10:244::/48"), BlockSize: 122, State: "terminating",
			AllowedUses: []string{"LoadBalancer"}, AssignmentMode: "Manual", Encapsulation: "VXLAN",
		}},
		ClusterInformation: &calicoapi.ClusterInformation{CalicoVersion: "v3.32.1", ClusterType: []string{"k8s", "kdd", "operator"}, DatastoreReady: &ready},
		TigeraStatuses:     []calicoapi.TigeraStatus{{Component: "calico", Conditions: map[string]bool{"Available": true, "Degraded": false}}},
		NodeStatuses: []nodestatus.Status{
			{
				Name: "a", Node: "a", ReportsBGP: true, ReportsAgent: true, Period: 10 * time.Second, Updated: moment.Add(-time.Minute),
				V4: nodestatus.Family{BIRD: "Ready", Established: 2, NotEstablished: 1, Down: []nodestatus.Peer{{Address: "192.0.2.1", Type: "NodeMesh", State: "Idle"}}},
				V6: nodestatus.Family{BIRD: "NotReady", Established: 3},
			},
			{Name: "b", Node: "b", ReportsBGP: true, Period: 10 * time.Second, Updated: moment.Add(-time.Minute), V4: nodestatus.Family{Established: 2}, V6: nodestatus.Family{Established: 2}},
		},
	}
	f := newFacts(createDefaultConfig().(*Config), receivertest.NewNopSettings(metadata.Type), "")
	md := f.write(moment, snapshot, cluster.IPAM{}, []discovery.Endpoint{
		{Component: discovery.Felix, State: discovery.Scraped, Reason: discovery.ReasonOK},
		{Component: discovery.Felix, State: discovery.Scraped, Reason: discovery.ReasonOK},
	})
	for name, want := range map[string][]map[string]any{
		"calico_ipam_pool_info": {{
			"ippool": "v6", "cidr": "fd00:10:244::/48", "ip_family": "IPv6", "block_size": int64(122), "state": "terminating",
			"allowed_uses": "LoadBalancer", "assignment_mode": "Manual", "encapsulation": "VXLAN", "=": int64(1),
		}},
		"calico_component_endpoints": {{"component": "felix", "state": "scraped", "reason": "ok", "=": int64(2)}},
		"calico_cluster_info": {{
			"calico_version": "v3.32.1", "datastore": "kubernetes", "api_group": "crd.projectcalico.org/v1", "install": "operator", "cni": "AmazonVPC", "=": int64(1),
		}},
		"calico_datastore_ready": {{"=": int64(0)}},
		"calico_tigera_status": {
			{"component": "calico", "condition": "Available", "=": int64(1)},
			{"component": "calico", "condition": "Degraded", "=": int64(0)},
		},
		"calico_bgp_peers": {
			{"node": "a", "ip_family": "IPv4", "state": "Established", "=": int64(2)},
			{"node": "a", "ip_family": "IPv4", "state": "Idle", "=": int64(1)},
			{"node": "a", "ip_family": "IPv6", "state": "Established", "=": int64(3)},
		},
		"calico_bgp_peer_down":           {{"node": "a", "peer": "192.0.2.1", "peer_type": "NodeMesh", "state": "Idle", "=": int64(1)}},
		"calico_bgp_agent_down":          {{"node": "a", "ip_family": "IPv6", "=": int64(1)}},
		"calico_node_status_age_seconds": {{"node": "a", "=": 60.0}, {"node": "b", "=": 60.0}},
		// On b no calico-node runs that could have nothing new to say.
		"calico_node_status_stale": {{"node": "b", "=": int64(1)}},
	} {
		require.Equal(t, want, values(md, name), name)
	}
	jobs := map[string]string{}
	for _, rm := range md.ResourceMetrics().All() {
		attributes := rm.Resource().Attributes().AsRaw()
		require.NotContains(t, attributes, "k8s.node.name")
		jobs[attributes["service.name"].(string)] = attributes["service.instance.id"].(string)
	}
	require.Equal(t, map[string]string{"calico-ipam": "4711", "calico-cluster": "4711"}, jobs)
}

func TestFactsOfANodeAreToldApartByItsName(t *testing.T) {
	config := createDefaultConfig().(*Config)
	config.Node = "node-1"
	f := newFacts(config, receivertest.NewNopSettings(metadata.Type), "node-1")
	md := f.write(moment, cluster.Snapshot{UID: "4711"}, cluster.IPAM{}, []discovery.Endpoint{{Component: discovery.Felix, State: discovery.Scraped, Reason: discovery.ReasonOK}})
	require.Equal(t, 1, md.ResourceMetrics().Len(), "what is not known is left out")
	require.Equal(t, map[string]any{"service.name": "calico-cluster", "service.instance.id": "node-1", "k8s.node.name": "node-1"},
		md.ResourceMetrics().At(0).Resource().Attributes().AsRaw())
}

func TestMetricsOfTheReceiverCanBeSwitchedOff(t *testing.T) {
	cfg, err := load(t, map[string]any{"metrics": map[string]any{"calico_ipam_pool_info": map[string]any{"enabled": false}}})
	require.NoError(t, err)
	f := newFacts(cfg, receivertest.NewNopSettings(metadata.Type), "")
	require.Zero(t, f.write(moment, cluster.Snapshot{Pools: []ipam.Pool{pool("a", "10.0.0.0/16", "enabled")}}, cluster.IPAM{}, nil).DataPointCount())
}

func TestSeriesThatAreNotThereAnyMoreEndOnce(t *testing.T) {
	f := newFacts(createDefaultConfig().(*Config), receivertest.NewNopSettings(metadata.Type), "")
	e := newEnded()
	delivered := true
	now := moment
	write := func(endpoints []discovery.Endpoint, pools ...ipam.Pool) map[string]bool {
		now = now.Add(time.Minute)
		ts := pcommon.NewTimestampFromTime(now)
		md := f.write(now, cluster.Snapshot{UID: "u", Pools: pools}, cluster.IPAM{}, endpoints)
		e.mark(md, ts)
		if delivered {
			sent := pmetric.NewMetrics()
			md.CopyTo(sent)
			e.sent(sent)
		}
		alive := map[string]bool{}
		for _, name := range []string{"calico_ipam_pool_info", "calico_component_endpoints"} {
			for _, p := range gauges(md, name) {
				require.Equal(t, ts, p.Timestamp())
				of := p.Attributes().AsRaw()
				key, ok := of["ippool"].(string)
				if !ok {
					key = of["component"].(string)
				}
				alive[key+" "+of["state"].(string)] = !p.Flags().NoRecordedValue()
			}
		}
		return alive
	}
	up := []discovery.Endpoint{{Component: discovery.Felix, State: discovery.Scraped, Reason: discovery.ReasonOK}}
	down := []discovery.Endpoint{{Component: discovery.Felix, State: discovery.Unreachable, Reason: "scrape_failed"}}
	a, b := pool("a", "10.0.0.0/16", "enabled"), pool("b", "fd00::/48", "enabled")

	require.Empty(t, write(nil), "nothing known, no metric")
	require.Equal(t, map[string]bool{"a enabled": true, "b enabled": true, "felix scraped": true}, write(up, a, b))
	require.Equal(t, map[string]bool{"a disabled": true, "a enabled": false, "b enabled": true, "felix scraped": true},
		write(up, pool("a", "10.0.0.0/16", "disabled"), b), "a label that changes makes another series")
	require.Equal(t, map[string]bool{"a disabled": false, "b enabled": true, "felix scraped": false, "felix unreachable": true}, write(down, b))
	delivered = false
	require.Equal(t, map[string]bool{"b enabled": false, "felix unreachable": false}, write(nil), "the last ones end as well")
	delivered = true
	require.Equal(t, map[string]bool{"b enabled": false, "felix unreachable": false}, write(nil), "an end that the pipeline refused is sent again")
	require.Empty(t, write(nil), "a series ends once")
}
