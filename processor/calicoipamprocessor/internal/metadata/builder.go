// Package metadata is what mdatagen makes of metadata.yaml, and the constructor that it leaves out for processors.
package metadata

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor"
)

// NewMetricsBuilder makes a MetricsBuilder, which mdatagen generates for every class of component, but its constructor only for receivers, scrapers and
// connectors. TestMetricsBuilder, which is generated, fails where a metric is missing here.
func NewMetricsBuilder(mbc MetricsBuilderConfig, settings processor.Settings, options ...MetricBuilderOption) *MetricsBuilder {
	mb := &MetricsBuilder{
		config:        mbc,
		startTime:     pcommon.NewTimestampFromTime(time.Now()),
		metricsBuffer: pmetric.NewMetrics(),
		buildInfo:     settings.BuildInfo,

		metricCalicoIpamClusterUtilizationRatio:   newMetricCalicoIpamClusterUtilizationRatio(mbc.Metrics.CalicoIpamClusterUtilizationRatio),
		metricCalicoIpamNodes:                     newMetricCalicoIpamNodes(mbc.Metrics.CalicoIpamNodes),
		metricCalicoIpamPoolAvailable:             newMetricCalicoIpamPoolAvailable(mbc.Metrics.CalicoIpamPoolAvailable),
		metricCalicoIpamPoolBlockUtilizationRatio: newMetricCalicoIpamPoolBlockUtilizationRatio(mbc.Metrics.CalicoIpamPoolBlockUtilizationRatio),
		metricCalicoIpamPoolExhaustionSeconds:     newMetricCalicoIpamPoolExhaustionSeconds(mbc.Metrics.CalicoIpamPoolExhaustionSeconds),
		metricCalicoIpamPoolGrowthPerHour:         newMetricCalicoIpamPoolGrowthPerHour(mbc.Metrics.CalicoIpamPoolGrowthPerHour),
		metricCalicoIpamPoolUtilizationRatio:      newMetricCalicoIpamPoolUtilizationRatio(mbc.Metrics.CalicoIpamPoolUtilizationRatio),
	}
	for _, option := range options {
		option.apply(mb)
	}
	return mb
}
