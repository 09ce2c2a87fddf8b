//go:build e2e

package security

import (
	"crypto/sha1"
	"encoding/base64"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

const (
	user     = "agent"
	password = "pa55word-of-the-agent"
)

// verbose has the collector tell as much as it can.
var verbose = []string{"yaml:service::telemetry::logs::level: debug", "yaml:service::telemetry::metrics::level: detailed"}

// Each configuration of configs/auth is run, with a secret that is right and with one that is not.
func TestSecretsAreNowhereToBeRead(t *testing.T) {
	t.Parallel()
	basic := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	for _, test := range []struct {
		name string
		// file is that of the secret.
		file, secret string
		// start starts what the agent sends to, a gateway or the backend itself, and says how the agent is run.
		start func(t *testing.T) (b *backend, g *gateway, files, env []string)
		// delivered says that what was sent has come, with the secret.
		delivered func(b *backend) bool
		// shown are the other forms of the secret.
		shown []string
		// refusal is in the log of an agent whose secret is wrong.
		refusal string
	}{
		{
			name: "otlp-grpc-bearer.yaml", file: "OTLP_TOKEN_FILE", secret: "t0ken-of-the-agents", refusal: "Unauthenticated",
			start: func(t *testing.T) (*backend, *gateway, []string, []string) {
				g := newGateway(t, verbose)
				return g.backend, g, []string{"backends/otlp-grpc.yaml", "auth/otlp-grpc-bearer.yaml"},
					[]string{"OTLP_ENDPOINT=" + g.grpc, "OTLP_CA_FILE=" + g.authority.File}
			},
			delivered: func(b *backend) bool { return len(b.got(scrapesMetric)) > 0 },
		},
		{
			name: "otlp-grpc-basic.yaml to gateway-basic.yaml", file: "OTLP_PASSWORD_FILE", secret: password, shown: []string{basic}, refusal: "Unauthenticated",
			start: func(t *testing.T) (*backend, *gateway, []string, []string) {
				hash := sha1.Sum([]byte(password))
				g := newGateway(t, append([]string{"auth/gateway-basic.yaml"}, verbose...),
					"BEARER_TOKEN_FILE="+t.TempDir()+"/none", "HTPASSWD_FILE="+labtest.SecretFile(t, user+":{SHA}"+base64.StdEncoding.EncodeToString(hash[:])))
				return g.backend, g, []string{"backends/otlp-grpc.yaml", "auth/otlp-grpc-basic.yaml"},
					[]string{"OTLP_ENDPOINT=" + g.grpc, "OTLP_CA_FILE=" + g.authority.File, "OTLP_USERNAME=" + user}
			},
			delivered: func(b *backend) bool { return len(b.got(scrapesMetric)) > 0 },
		},
		{
			name: "otlp-http-oauth2.yaml", file: "OAUTH2_CLIENT_SECRET_FILE", secret: password, shown: []string{basic, "acce55-token"}, refusal: "invalid_client",
			start: func(t *testing.T) (*backend, *gateway, []string, []string) {
				b := newBackend(t, pki.NewAuthority(t))
				b.client, b.secret, b.accessToken = user, password, "acce55-token"
				return b, nil, []string{"backends/otlp-http.yaml", "auth/otlp-http-oauth2.yaml"}, append(b.env(),
					"OAUTH2_TOKEN_URL="+b.url+"/token", "OAUTH2_CA_FILE="+b.authority.File, "OAUTH2_CLIENT_ID="+user, "OAUTH2_SCOPES=[metrics.write]")
			},
			delivered: func(b *backend) bool { return b.authorized("/v1/metrics", "Bearer acce55-token") },
		},
		{
			name: "remote-write-basic.yaml", file: "REMOTE_WRITE_PASSWORD_FILE", secret: password, shown: []string{basic}, refusal: "401",
			start: func(t *testing.T) (*backend, *gateway, []string, []string) {
				b := newBackend(t, pki.NewAuthority(t))
				b.client, b.secret = user, password
				return b, nil, []string{"backends/remote-write.yaml", "auth/remote-write-basic.yaml"}, []string{
					"REMOTE_WRITE_ENDPOINT=" + b.url + "/api/v1/write", "REMOTE_WRITE_CA_FILE=" + b.authority.File,
					"REMOTE_WRITE_USERNAME=" + user, "REMOTE_WRITE_HOP=127.0.0.1:" + labtest.FreePort(t),
				}
			},
			delivered: func(b *backend) bool { return b.authorized("/api/v1/write", "Basic "+basic) },
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b, g, files, env := test.start(t)
			files = slices.Concat([]string{"sidecar.yaml"}, files, verbose)
			env = append(env, "TYPHA_ENDPOINTS=["+newEndpoint(t).url+"]", test.file+"="+labtest.SecretFile(t, "not-"+test.secret))
			wrong := startCollector(t, files, env...)
			require.Eventually(t, func() bool { return wrong.Contains(test.refusal) }, patience, poll, "the log says that the secret is wrong")
			require.False(t, test.delivered(b))
			secretsAreNotIn(t, wrong, files, env, append(test.shown, test.secret)...)
			wrong.Stop(t)

			env = append(env, test.file+"="+labtest.SecretFile(t, test.secret), "REMOTE_WRITE_HOP=127.0.0.1:"+labtest.FreePort(t))
			right := startCollector(t, files, env...)
			require.Eventually(t, func() bool { return test.delivered(b) }, patience, poll, "it arrives")
			secretsAreNotIn(t, right, files, env, append(test.shown, test.secret)...)
			if g != nil {
				secretsAreNotIn(t, g.collector, g.files, g.env, append(test.shown, test.secret)...)
			}
		})
	}
}

func TestSecretsFromTheEnvironmentAreRedacted(t *testing.T) {
	t.Parallel()
	files := []string{
		"sidecar.yaml", "backends/remote-write.yaml", "auth/remote-write-basic.yaml",
		"yaml:extensions::basicauth/remote_write::client_auth: {password_file: '', password: \"${env:PASSWORD}\"}",
		"yaml:exporters::prometheus_remote_write::headers: {X-Key: \"${env:PASSWORD}\"}",
		"yaml:receivers::calico::typha::basic_auth: {username: agent, password: \"${env:PASSWORD}\"}",
	}
	printed := printConfig(t, files, []string{"PASSWORD=" + password, "TYPHA_ENDPOINTS=[http://localhost:9093/metrics]"})
	require.NotContains(t, printed, password)
	require.Contains(t, printed, "[REDACTED]")
}

// secretsAreNotIn looks for secrets in everything that a collector tells.
func secretsAreNotIn(t *testing.T, c *collector, files, env []string, secrets ...string) {
	t.Helper()
	told := map[string]string{
		"the log":               c.String(),
		"print-config":          printConfig(t, files, env),
		"print-config, in full": printConfig(t, files, env, "--mode=unredacted"),
	}
	for name, url := range map[string]string{
		"its metrics":        "http://localhost:" + c.telemetry + "/metrics",
		"its health":         "http://localhost:" + c.health,
		"its pipelines":      "http://localhost:" + c.zpages + "/debug/pipelinez",
		"its extensions":     "http://localhost:" + c.zpages + "/debug/extensionz",
		"its service":        "http://localhost:" + c.zpages + "/debug/servicez",
		"its command line":   "http://localhost:" + c.pprof + "/debug/pprof/cmdline",
		"its goroutines":     "http://localhost:" + c.pprof + "/debug/pprof/goroutine?debug=2",
		"its feature gates":  "http://localhost:" + c.zpages + "/debug/featurez",
		"spans of its calls": "http://localhost:" + c.zpages + "/debug/tracez",
	} {
		status, body, err := get(url)
		require.NoError(t, err)
		require.NotEmpty(t, body, "%s: %d", name, status)
		told[name] = body
	}
	for name, text := range told {
		for _, secret := range secrets {
			require.NotContains(t, text, secret, name)
		}
	}
}

// printConfig is what the distribution says of a configuration.
func printConfig(t *testing.T, files, env []string, arguments ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Getenv("COLLECTOR"), append([]string{"print-config"}, arguments...)...)
	for _, path := range paths(files) {
		cmd.Args = append(cmd.Args, "--config", path)
	}
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}
