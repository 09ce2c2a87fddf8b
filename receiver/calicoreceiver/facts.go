package calicoreceiver

import (
	"cmp"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/receiver"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/metadata"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/nodestatus"
)

// unknown stands for what Calico does not say, where a label cannot be left out.
const unknown = "unknown"

// facts writes what the receiver itself knows as metrics: all points of one moment, under the jobs calico-ipam and calico-cluster.
type facts struct {
	builder *metadata.MetricsBuilder
	ipam    *ipamFacts
	// node is that of node mode, and instance what tells this receiver's series from those of another of the same cluster; both may be empty.
	node, instance string
}

func newFacts(config *Config, set receiver.Settings, instance string) *facts {
	builderConfig := metadata.NewDefaultMetricsBuilderConfig()
	builderConfig.Metrics = config.Metrics
	builder := metadata.NewMetricsBuilder(builderConfig, set)
	return &facts{
		builder: builder,
		ipam:    &ipamFacts{logger: set.Logger, builder: builder, detail: nodeDetail(config.IPAM.detail())},
		node:    config.Node, instance: instance,
	}
}

// write makes the metrics of one moment.
func (f *facts) write(now time.Time, snapshot cluster.Snapshot, account cluster.IPAM, endpoints []discovery.Endpoint) pmetric.Metrics {
	ts := pcommon.NewTimestampFromTime(now)
	if account.State == cluster.AccountReady {
		// The pools of the account, so that they are those of its numbers.
		for _, pool := range account.Report.Pools {
			f.pool(ts, pool.Pool)
		}
		f.ipam.write(ts, account)
	} else {
		for _, pool := range snapshot.Pools {
			f.pool(ts, pool)
		}
	}
	f.builder.EmitForResource(metadata.WithResource(f.resource(calicometric.JobIPAM, snapshot.UID)))

	for _, c := range discovery.Count(endpoints) {
		f.builder.RecordCalicoComponentEndpointsDataPoint(ts, int64(c.Endpoints), string(c.Component), string(c.State), c.Reason)
	}
	f.cluster(ts, snapshot)
	for _, status := range snapshot.TigeraStatuses {
		for _, condition := range calicoapi.TigeraConditions() {
			if holds, ok := status.Conditions[condition]; ok {
				f.builder.RecordCalicoTigeraStatusDataPoint(ts, number(holds), status.Component, condition)
			}
		}
	}
	f.nodes(ts, snapshot, now)
	return f.builder.Emit(metadata.WithResource(f.resource(calicometric.JobCluster, snapshot.UID)))
}

func (f *facts) resource(job, uid string) pcommon.Resource {
	resource := pcommon.NewResource()
	attributes := resource.Attributes()
	attributes.PutStr(calicometric.AttrServiceName, job)
	if instance := cmp.Or(f.instance, uid); instance != "" {
		attributes.PutStr(calicometric.AttrServiceInstanceID, instance)
	}
	if f.node != "" {
		attributes.PutStr(calicometric.AttrNode, f.node)
	}
	return resource
}

func (f *facts) pool(ts pcommon.Timestamp, pool ipam.Pool) {
	f.builder.RecordCalicoIpamPoolInfoDataPoint(ts, 1, pool.Name, pool.CIDR.String(), metadata.MapAttributeIPFamily[pool.Family()],
		int64(pool.BlockSize), metadata.MapAttributeState[pool.State], strings.Join(pool.AllowedUses, ","), pool.AssignmentMode, pool.Encapsulation)
}

func (f *facts) cluster(ts pcommon.Timestamp, snapshot cluster.Snapshot) {
	info := snapshot.ClusterInformation
	if info == nil {
		return
	}
	cni := unknown
	if installation := snapshot.Discovery.Installation; installation != nil {
		cni = cmp.Or(installation.CNI, "Calico")
	}
	f.builder.RecordCalicoClusterInfoDataPoint(ts, 1, cmp.Or(info.CalicoVersion, unknown), info.Datastore(), snapshot.Group.String(), info.InstalledBy(), cni)
	if info.DatastoreReady != nil {
		f.builder.RecordCalicoDatastoreReadyDataPoint(ts, number(*info.DatastoreReady))
	}
}

func number(holds bool) int64 {
	if holds {
		return 1
	}
	return 0
}

// nodes writes what calico-node says of BGP. Where it is known which pods run, calico-node runs where one does.
func (f *facts) nodes(ts pcommon.Timestamp, snapshot cluster.Snapshot, now time.Time) {
	running := map[string]bool{}
	for _, pod := range snapshot.Discovery.Pods {
		if pod.Running && discovery.ComponentOf(pod) == discovery.Felix {
			running[pod.Node] = true
		}
	}
	known := len(snapshot.Discovery.PodsMissing) == 0
	observed := nodestatus.Observe(snapshot.NodeStatuses, now, func(node string) bool { return running[node] || !known })
	for _, node := range observed.Nodes {
		if node.Age != nil {
			f.builder.RecordCalicoNodeStatusAgeSecondsDataPoint(ts, node.Age.Seconds(), node.Name)
		}
		if node.Stale {
			f.builder.RecordCalicoNodeStatusStaleDataPoint(ts, 1, node.Name)
		}
		for _, p := range node.Peers {
			f.builder.RecordCalicoBgpPeersDataPoint(ts, int64(p.Count), node.Name, metadata.MapAttributeIPFamily[p.Family], p.State)
		}
		for _, p := range node.Down {
			f.builder.RecordCalicoBgpPeerDownDataPoint(ts, 1, node.Name, p.Address, p.Type, p.State)
		}
		for _, family := range node.AgentsDown {
			f.builder.RecordCalicoBgpAgentDownDataPoint(ts, 1, node.Name, metadata.MapAttributeIPFamily[family])
		}
	}
}
