package calicoreceiver

import (
	"context"
	"sync/atomic"

	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// identified passes metrics on with the identity of the cluster on every resource.
type identified struct {
	next        consumer.Metrics
	clusterName string
	clusterUID  atomic.Pointer[string]
}

var _ consumer.Metrics = (*identified)(nil)

func (i *identified) setUID(uid string) { i.clusterUID.Store(&uid) }

// Capabilities implements consumer.Metrics: the attributes are added in place.
func (*identified) Capabilities() consumer.Capabilities {
	return consumer.Capabilities{MutatesData: true}
}

// ConsumeMetrics implements consumer.Metrics.
func (i *identified) ConsumeMetrics(ctx context.Context, md pmetric.Metrics) error {
	uid := i.clusterUID.Load()
	for _, rm := range md.ResourceMetrics().All() {
		attributes := rm.Resource().Attributes()
		if i.clusterName != "" {
			attributes.PutStr(calicometric.AttrClusterName, i.clusterName)
		}
		if uid != nil && *uid != "" {
			attributes.PutStr(calicometric.AttrClusterUID, *uid)
		}
	}
	return i.next.ConsumeMetrics(ctx, md)
}
