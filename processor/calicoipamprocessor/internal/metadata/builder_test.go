package metadata

import "go.opentelemetry.io/collector/processor/processortest"

// settings is what TestMetricsBuilder makes the builder with: the generated test declares it for receivers, scrapers and connectors only, and uses it in any case.
var settings = processortest.NewNopSettings(processortest.NopType)
