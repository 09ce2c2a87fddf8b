package discovery

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOperator(t *testing.T) {
	on := v("METRICS_ENABLED", "true")
	https := v("METRICS_SCHEME", "https")
	for _, tc := range []struct {
		name   string
		env    []EnvVar
		client Client
		want   string
	}{
		{"it is off by default", nil, Client{}, "disabled METRICS_ENABLED"},
		{"since 1.43 it is switched on", []EnvVar{on}, Client{}, "scraped ok http://192.0.2.10:9484"},
		{"its switch is true in any case", []EnvVar{v("METRICS_ENABLED", "True")}, Client{}, "scraped ok http://192.0.2.10:9484"},
		{"its switch is true and nothing else", []EnvVar{v("METRICS_ENABLED", "1")}, Client{}, "disabled METRICS_ENABLED"},
		{"its switch beats the port", []EnvVar{v("METRICS_ENABLED", "false"), v("METRICS_PORT", "9000")}, Client{}, "disabled METRICS_ENABLED"},
		{"its port", []EnvVar{on, v("METRICS_PORT", "9000")}, Client{}, "scraped ok http://192.0.2.10:9000"},
		{"its host", []EnvVar{on, v("METRICS_HOST", "198.51.100.4")}, Client{}, "scraped ok http://198.51.100.4:9484"},
		{"all addresses are the pod's", []EnvVar{on, v("METRICS_HOST", "0.0.0.0")}, Client{}, "scraped ok http://192.0.2.10:9484"},
		{"an IPv6 address has its brackets", []EnvVar{on, v("METRICS_HOST", "[2001:db8::2]")}, Client{}, "scraped ok http://[2001:db8::2]:9484"},
		{"loopback would be the scraper's own", []EnvVar{on, v("METRICS_HOST", "127.0.0.1")}, Client{}, "blocked loopback_only"},

		{"before 1.43 a port alone switches it on", []EnvVar{v("METRICS_PORT", "9000")}, Client{}, "scraped ok http://192.0.2.10:9000"},
		{"before 1.43 a host alone switches it on, at another port", []EnvVar{v("METRICS_HOST", "0.0.0.0")}, Client{}, "scraped ok http://192.0.2.10:8484"},
		{"before 1.43 both may be set", []EnvVar{v("METRICS_HOST", "198.51.100.4"), v("METRICS_PORT", "9000")}, Client{}, "scraped ok http://198.51.100.4:9000"},
		{"a scheme is for 1.43 and later, which serve nothing without the switch", []EnvVar{v("METRICS_PORT", "9000"), https}, Client{}, "disabled METRICS_ENABLED"},
		{"empty variables are not set", []EnvVar{v("METRICS_ENABLED", ""), v("METRICS_HOST", ""), v("METRICS_PORT", ""), v("METRICS_SCHEME", "")}, Client{}, "disabled METRICS_ENABLED"},

		{"port 0 is a random one", []EnvVar{on, v("METRICS_PORT", "0")}, Client{}, "disabled METRICS_PORT"},
		{"a port has to be a number", []EnvVar{v("METRICS_PORT", "http")}, Client{}, "disabled METRICS_PORT"},
		{"the case of its variables matters", []EnvVar{v("metrics_enabled", "true")}, Client{}, "disabled METRICS_ENABLED"},

		{"TLS takes a verified server", []EnvVar{on, https}, Client{}, "tls_required tls.ca_file"},
		{"TLS takes a certificate of the client, unless told otherwise", []EnvVar{on, https}, Client{Verifies: true}, "tls_required tls.cert_file"},
		{"TLS with both", []EnvVar{on, v("METRICS_SCHEME", "HTTPS")}, Client{Verifies: true, Certificate: true}, "scraped ok https://192.0.2.10:9484"},
		{"TLS may take any certificate", []EnvVar{on, https, v("METRICS_CLIENT_AUTH", "RequireAnyClientCert")}, Client{Verifies: true}, "tls_required tls.cert_file"},
		{"TLS may take none", []EnvVar{on, https, v("METRICS_CLIENT_AUTH", "noclientcert")}, Client{Verifies: true}, "scraped ok https://192.0.2.10:9484"},
		{"another scheme is no TLS", []EnvVar{on, v("METRICS_SCHEME", "http"), v("METRICS_CLIENT_AUTH", "RequireAnyClientCert")}, Client{}, "scraped ok http://192.0.2.10:9484"},

		{"a variable may not be readable", []EnvVar{on, unreadable("METRICS_PORT", "get configmaps/ports in namespace tigera-operator")}, Client{}, "forbidden get configmaps/ports in namespace tigera-operator"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := only(Operator, operatorPod(tc.env...))
			in.Clients = map[Component]Client{Operator: tc.client}
			require.Equal(t, tc.want, short(one(t, in)))
		})
	}
}
