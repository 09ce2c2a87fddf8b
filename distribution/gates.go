// Program otelcol-calico: what ocb generates from builder-config.yaml, and the feature gates that are open by default.
package main

import (
	"fmt"

	"go.opentelemetry.io/collector/featuregate"
)

// retryOn429 has the Prometheus remote write exporter send again what a backend had no room for, in place of dropping it.
const retryOn429 = "exporter.prometheusremotewritexporter.RetryOn429"

// Gates that the distribution opens by default; --feature-gates=-NAME closes one again.
func init() {
	if err := featuregate.GlobalRegistry().Set(retryOn429, true); err != nil {
		panic(fmt.Sprintf("the exporter's version is another than the distribution was made for: %v", err))
	}
}
