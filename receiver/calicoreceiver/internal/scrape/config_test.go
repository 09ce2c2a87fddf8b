package scrape

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"
)

// componentConfig is how the receiver's configuration holds Settings.
type componentConfig struct {
	Enabled bool     `mapstructure:"enabled"`
	Scrape  Settings `mapstructure:",squash"`
}

func decode(t *testing.T, text string) (*componentConfig, error) {
	t.Helper()
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
	require.NoError(t, err)
	conf, err := retrieved.AsConf()
	require.NoError(t, err)
	c := &componentConfig{}
	return c, conf.Unmarshal(c)
}

func TestSettingsAreReadFromPrometheusKeys(t *testing.T) {
	c, err := decode(t, `
enabled: true
collection_interval: 15s
timeout: 5s
tls:
  ca_file: /etc/calico/ca.pem
  cert_file: /etc/calico/client.pem
  key_file: /etc/calico/client.key
  server_name: felix
  insecure_skip_verify: true
  min_version: TLS13
basic_auth:
  username: u
  password: p
profile: all
sample_limit: 1000
body_size_limit: 10MB
label_limit: 1
label_name_length_limit: 2
label_value_length_limit: 3
metric_relabel_configs:
- {source_labels: [__name__], regex: felix_.*, action: keep}
`)
	require.NoError(t, err)
	require.NoError(t, c.Scrape.Check())
	require.Equal(t, &componentConfig{Enabled: true, Scrape: Settings{
		CollectionInterval: 15 * time.Second, Timeout: 5 * time.Second,
		TLS: TLSConfig{
			CAFile: "/etc/calico/ca.pem", CertFile: "/etc/calico/client.pem", KeyFile: "/etc/calico/client.key",
			ServerName: "felix", InsecureSkipVerify: true, MinVersion: "TLS13",
		},
		BasicAuth: &BasicAuth{Username: "u", Password: "p"},
		Profile:   ProfileAll,
		Limits:    Limits{BodySizeLimit: "10MB", SampleLimit: 1000, LabelLimit: 1, LabelNameLengthLimit: 2, LabelValueLengthLimit: 3},
		MetricRelabelConfigs: []map[string]any{
			{"source_labels": []any{"__name__"}, "regex": "felix_.*", "action": "keep"},
		},
	}}, c)

	_, err = decode(t, "tls: {ca: x}")
	require.ErrorContains(t, err, "ca", "unknown keys are refused")
	_, err = decode(t, "sample_limit: -1")
	require.ErrorContains(t, err, "sample_limit")
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name, yaml string
		errs       []string // each once; empty is valid
	}{
		{name: "nothing is said", yaml: "{}"},
		{name: "sections are empty", yaml: "{basic_auth: , authorization: , tls: , metric_relabel_configs: }"},
		{name: "the essential profile", yaml: "profile: essential"},
		{name: "the server's certificate only", yaml: "tls: {ca_file: missing.pem}"},
		{name: "a password in a file", yaml: "basic_auth: {username: u, password_file: missing}"},
		{name: "a token in a file", yaml: "authorization: {credentials_file: missing}"},
		{name: "a timeout under the receiver's interval", yaml: "timeout: 5s"},

		{name: "a negative interval", yaml: "collection_interval: -1s", errs: []string{"collection_interval: must be at least 1s, not -1s"}},
		{name: "a short interval", yaml: "collection_interval: 10ms", errs: []string{"collection_interval: must be at least 1s, not 10ms"}},
		{name: "a negative timeout", yaml: "timeout: -5s", errs: []string{"timeout: must be at least 1ms, not -5s"}},
		{name: "a timeout of microseconds", yaml: "timeout: 5us", errs: []string{"timeout: must be at least 1ms, not 5µs"}},
		{
			name: "a timeout over the interval", yaml: "{collection_interval: 5s, timeout: 6s}",
			errs: []string{"timeout: must not be greater than collection_interval, 5s, not 6s"},
		},
		{name: "a certificate without its key", yaml: "tls: {cert_file: a}", errs: []string{"tls.key_file: is needed with tls.cert_file"}},
		{name: "a key without its certificate", yaml: "tls: {key_file: a}", errs: []string{"tls.cert_file: is needed with tls.key_file"}},
		{
			name: "a version of TLS that is none", yaml: "tls: {min_version: '1.2'}",
			errs: []string{`tls.min_version: "1.2" is not one of: TLS10, TLS11, TLS12, TLS13`},
		},
		{name: "a user without a name", yaml: "basic_auth: {password: s3cret}", errs: []string{"basic_auth.username: must not be empty"}},
		{name: "a user with a colon", yaml: "basic_auth: {username: 'a:b', password: s3cret}", errs: []string{"basic_auth.username: must not be empty, and must not contain a colon"}},
		{name: "a user without a password", yaml: "basic_auth: {username: u}", errs: []string{"basic_auth.password: is needed, or password_file"}},
		{
			name: "two passwords", yaml: "basic_auth: {username: u, password: s3cret, password_file: f}",
			errs: []string{"basic_auth.password: must not be set together with password_file"},
		},
		{name: "no token", yaml: "authorization: {type: Bearer}", errs: []string{"authorization.credentials: is needed, or credentials_file"}},
		{
			name: "two tokens", yaml: "authorization: {credentials: s3cret, credentials_file: f}",
			errs: []string{"authorization.credentials: must not be set together with credentials_file"},
		},
		{
			name: "basic authentication at the wrong place", yaml: "authorization: {type: basic, credentials: s3cret}",
			errs: []string{`authorization.type: must not be "basic": use basic_auth`},
		},
		{
			name: "two kinds of credentials", yaml: "{basic_auth: {username: u, password: s3cret}, authorization: {credentials: s3cret}}",
			errs: []string{"authorization: must not be set together with basic_auth"},
		},
		{name: "a profile that is none", yaml: "profile: minimal", errs: []string{`profile: "minimal" is not one of: essential, all`}},
		{name: "a limit without a unit", yaml: "body_size_limit: '100'", errs: []string{"body_size_limit: "}},
		{name: "a limit that is none", yaml: "body_size_limit: 0B", errs: []string{"body_size_limit: must be greater than 0, not 0B"}},
		{name: "a negative limit", yaml: "body_size_limit: -1MB", errs: []string{"body_size_limit: must be greater than 0, not -1MB"}},
		{
			name: "limits that Prometheus would take for none", yaml: "{sample_limit: 9223372036854775808, label_limit: 2147483648}",
			errs: []string{"sample_limit: must be at most 2147483647", "label_limit: must be at most 2147483647"},
		},
		{name: "a rule that is none", yaml: "metric_relabel_configs: [{action: drp}]", errs: []string{"metric_relabel_configs[0].action: unknown relabel action"}},
		{
			name: "everything is wrong", yaml: "{timeout: -1s, profile: x, tls: {key_file: k}, metric_relabel_configs: [{}]}",
			errs: []string{"timeout: ", "profile: ", "tls.cert_file: ", "metric_relabel_configs[0]: "},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := decode(t, tc.yaml)
			require.NoError(t, err)
			err = c.Scrape.Check()
			if len(tc.errs) == 0 {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			for _, want := range tc.errs {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error(), "s3cret")
			require.Equal(t, len(tc.errs), countLines(err), "every error once: %v", err)
			require.NotContains(t, fmt.Sprintf("%+v %#v", c.Scrape.BasicAuth, c.Scrape.Authorization), "s3cret")
		})
	}
}

// countLines counts the errors that were joined.
func countLines(err error) int {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		n := 0
		for _, e := range joined.Unwrap() {
			n += countLines(e)
		}
		return n
	}
	if wrapped, ok := err.(interface{ Unwrap() error }); ok && wrapped.Unwrap() != nil {
		return countLines(wrapped.Unwrap())
	}
	return 1
}

func TestTimesFallBackToTheReceivers(t *testing.T) {
	for _, tc := range []struct {
		name                      string
		settings                  Settings
		interval, timeout         time.Duration // the receiver's
		wantInterval, wantTimeout time.Duration
		err                       string
	}{
		{name: "nothing is said", interval: 30 * time.Second, timeout: 10 * time.Second, wantInterval: 30 * time.Second, wantTimeout: 10 * time.Second},
		{
			name: "the component is scraped less often", settings: Settings{CollectionInterval: time.Minute},
			interval: 30 * time.Second, timeout: 10 * time.Second, wantInterval: time.Minute, wantTimeout: 10 * time.Second,
		},
		{
			name: "the interval is shorter than the receiver's timeout", settings: Settings{CollectionInterval: 5 * time.Second},
			interval: 30 * time.Second, timeout: 10 * time.Second, wantInterval: 5 * time.Second, wantTimeout: 5 * time.Second,
		},
		{
			name: "the component has more time", settings: Settings{Timeout: 20 * time.Second},
			interval: 30 * time.Second, timeout: 10 * time.Second, wantInterval: 30 * time.Second, wantTimeout: 20 * time.Second,
		},
		{
			name: "the timeout is over the receiver's interval", settings: Settings{Timeout: 40 * time.Second},
			interval: 30 * time.Second, timeout: 10 * time.Second, wantInterval: 30 * time.Second, wantTimeout: 40 * time.Second,
			err: "timeout: must not be greater than the receiver's collection_interval, 30s, not 40s",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			interval, timeout := tc.settings.times(tc.interval, tc.timeout)
			require.Equal(t, tc.wantInterval, interval)
			require.Equal(t, tc.wantTimeout, timeout)
			err := tc.settings.ValidateTimeout(tc.interval)
			if tc.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, tc.err)
			}
		})
	}
}
