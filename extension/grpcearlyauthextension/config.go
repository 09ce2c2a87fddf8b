package grpcearlyauthextension

import (
	"errors"

	"go.opentelemetry.io/collector/component"
)

// Config is the configuration of the extension.
type Config struct {
	// Authenticator is the extension that authenticates calls, such as bearertokenauth.
	Authenticator component.ID `mapstructure:"authenticator"`
}

// Validate names the key that is missing.
func (c *Config) Validate() error {
	if c.Authenticator == (component.ID{}) {
		return errors.New("authenticator: is required, as in bearertokenauth")
	}
	return nil
}
