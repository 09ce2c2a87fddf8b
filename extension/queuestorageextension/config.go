package queuestorageextension

import (
	"errors"

	"go.opentelemetry.io/collector/component"
)

// Config is the configuration of the extension.
type Config struct {
	// Storage is the extension that stores, such as file_storage.
	Storage component.ID `mapstructure:"storage"`
	// Directory is where the storage has its files, of which those that are damaged are set aside at the start. None is looked at if it is empty.
	Directory string `mapstructure:"directory"`
}

// Validate names the key that is missing.
func (c *Config) Validate() error {
	if c.Storage == (component.ID{}) {
		return errors.New("storage: is required, as in file_storage")
	}
	return nil
}
