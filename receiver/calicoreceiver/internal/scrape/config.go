package scrape

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	commonconfig "github.com/prometheus/common/config"
	"go.opentelemetry.io/collector/config/configopaque"

	"github.com/otelcol-calico/otelcol-calico/internal/oneof"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape/metricrelabel"
)

// Bounds of what a user can say of times.
const (
	MinInterval = time.Second
	MinTimeout  = time.Millisecond // Prometheus counts in milliseconds
)

// Settings is what a user can say of the scrapes of one component. The keys are those of a Prometheus scrape_config, but for
// collection_interval, timeout and tls, which are the Collector's. The zero value is right for a component that Calico installs.
//
// What holds it calls Check: a Validate here would put the name of a field that is no key before the errors of a squashed struct.
type Settings struct {
	// CollectionInterval is the time between two scrapes of an endpoint; 0 is the receiver's.
	CollectionInterval time.Duration `mapstructure:"collection_interval"`

	// Timeout bounds one scrape, at most the interval; 0 is the receiver's, or the interval where that is shorter.
	Timeout time.Duration `mapstructure:"timeout"`

	// TLS is for endpoints that speak HTTPS; others ignore it.
	TLS TLSConfig `mapstructure:"tls"`

	// BasicAuth and Authorization exclude each other; nil sends no credentials.
	BasicAuth     *BasicAuth     `mapstructure:"basic_auth"`
	Authorization *Authorization `mapstructure:"authorization"`

	// Profile says which families enter the pipeline; empty is essential.
	Profile Profile `mapstructure:"profile"`

	Limits `mapstructure:",squash"`

	// MetricRelabelConfigs are Prometheus' metric_relabel_configs. They run after the profile.
	//
	// Here they have Prometheus' own syntax. In the Collector's YAML a group of a regex is written $1 as in Prometheus, but $${1} in braces,
	// because ${…} is the Collector's own.
	MetricRelabelConfigs []map[string]any `mapstructure:"metric_relabel_configs"`
}

// TLSConfig says how an endpoint that speaks HTTPS is verified, and what it is shown. Files are read again when they change, and need not
// exist from the start.
type TLSConfig struct {
	// CAFile has the certificates that the endpoint's must be signed by, PEM; empty is the system's.
	CAFile string `mapstructure:"ca_file"`
	// CertFile and KeyFile are shown to an endpoint that asks for a client certificate, PEM.
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
	// ServerName is the name that the endpoint's certificate must be for; empty is the address that is scraped.
	ServerName string `mapstructure:"server_name"`
	// InsecureSkipVerify accepts any certificate.
	InsecureSkipVerify bool `mapstructure:"insecure_skip_verify"`
	// MinVersion is TLS10, TLS11, TLS12 or TLS13; empty is TLS12.
	MinVersion string `mapstructure:"min_version"`
}

// BasicAuth is a user and a password, given or in a file that is read again when it changes.
type BasicAuth struct {
	Username     string              `mapstructure:"username"`
	Password     configopaque.String `mapstructure:"password"`
	PasswordFile string              `mapstructure:"password_file"`
}

// Authorization is the header of that name: a type, and credentials, given or in a file that is read again when it changes.
type Authorization struct {
	// Type is Bearer where it is empty.
	Type            string              `mapstructure:"type"`
	Credentials     configopaque.String `mapstructure:"credentials"`
	CredentialsFile string              `mapstructure:"credentials_file"`
}

// Check names the key of every value that cannot be used. Files are not looked at.
func (s *Settings) Check() error {
	errs := []error{s.validateTimes(), s.TLS.validate(), s.validateAuth(), s.Profile.validate(), s.validateLimits()}
	_, err := metricrelabel.Parse(s.MetricRelabelConfigs)
	return errors.Join(append(errs, err)...)
}

func (s *Settings) validateTimes() error {
	var errs []error
	if s.CollectionInterval != 0 && s.CollectionInterval < MinInterval {
		errs = append(errs, fmt.Errorf("collection_interval: must be at least %s, not %s", MinInterval, s.CollectionInterval))
	}
	switch {
	case s.Timeout != 0 && s.Timeout < MinTimeout:
		errs = append(errs, fmt.Errorf("timeout: must be at least %s, not %s", MinTimeout, s.Timeout))
	case s.CollectionInterval > 0 && s.Timeout > s.CollectionInterval:
		errs = append(errs, fmt.Errorf("timeout: must not be greater than collection_interval, %s, not %s", s.CollectionInterval, s.Timeout))
	}
	return errors.Join(errs...)
}

// ValidateTimeout checks what Check cannot: the timeout of a component whose interval is the receiver's.
func (s *Settings) ValidateTimeout(receiverInterval time.Duration) error {
	if s.CollectionInterval == 0 && receiverInterval > 0 && s.Timeout > receiverInterval {
		return fmt.Errorf("timeout: must not be greater than the receiver's collection_interval, %s, not %s", receiverInterval, s.Timeout)
	}
	return nil
}

// times are the interval and the timeout of a component, given those of the receiver.
func (s *Settings) times(receiverInterval, receiverTimeout time.Duration) (interval, timeout time.Duration) {
	interval, timeout = s.CollectionInterval, s.Timeout
	if interval == 0 {
		interval = receiverInterval
	}
	if timeout == 0 {
		timeout = min(receiverTimeout, interval)
	}
	return interval, timeout
}

func (t *TLSConfig) validate() error {
	var errs []error
	if t.CertFile != "" && t.KeyFile == "" {
		errs = append(errs, errors.New("tls.key_file: is needed with tls.cert_file"))
	}
	if t.KeyFile != "" && t.CertFile == "" {
		errs = append(errs, errors.New("tls.cert_file: is needed with tls.key_file"))
	}
	if t.MinVersion != "" {
		errs = append(errs, oneof.Check("tls.min_version", t.MinVersion, slices.Sorted(maps.Keys(commonconfig.TLSVersions))...))
	}
	return errors.Join(errs...)
}

func (s *Settings) validateAuth() error {
	var errs []error
	if b := s.BasicAuth; b != nil {
		if b.Username == "" || strings.Contains(b.Username, ":") {
			errs = append(errs, errors.New("basic_auth.username: must not be empty, and must not contain a colon"))
		}
		errs = append(errs, oneOf("basic_auth.password", b.Password, "password_file", b.PasswordFile))
	}
	if a := s.Authorization; a != nil {
		if strings.EqualFold(strings.TrimSpace(a.Type), "basic") {
			errs = append(errs, fmt.Errorf("authorization.type: must not be %q: use basic_auth", a.Type))
		}
		errs = append(errs, oneOf("authorization.credentials", a.Credentials, "credentials_file", a.CredentialsFile))
	}
	if s.BasicAuth != nil && s.Authorization != nil {
		errs = append(errs, errors.New("authorization: must not be set together with basic_auth"))
	}
	return errors.Join(errs...)
}

// oneOf wants a secret from exactly one place. It never says what the secret is.
func oneOf(key string, secret configopaque.String, fileKey, file string) error {
	switch {
	case secret == "" && file == "":
		return fmt.Errorf("%s: is needed, or %s", key, fileKey)
	case secret != "" && file != "":
		return fmt.Errorf("%s: must not be set together with %s", key, fileKey)
	}
	return nil
}
