package calicoipamprocessor

import (
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
)

var (
	_ component.Config  = (*Config)(nil)
	_ confmap.Validator = (*Config)(nil)
)

// Config is the configuration of the processor. It has no key: what there is to compute follows from the metrics.
type Config struct {
	_ struct{}
}

// Validate accepts every Config. A key that does not exist is refused before, when the configuration is read.
func (*Config) Validate() error { return nil }
