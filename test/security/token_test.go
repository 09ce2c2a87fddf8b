//go:build e2e

package security

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

func TestWhoHasNotTheTokenIsRefused(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	for _, test := range []struct{ name, authorization string }{
		{"no token", ""},
		{"another token", "Bearer something-else"},
		{"the beginning of the token", "Bearer " + g.token[:5]},
		{"the token and more", g.authorization() + "s"},
		{"an empty token", "Bearer "},
		{"the token of another scheme", "Basic " + g.token},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := g.export(t, g.authority.Trust(), test.authorization, "refused")
			require.Equal(t, codes.Unauthenticated, status.Code(err), "%v", err)
			require.NotContains(t, err.Error(), g.token)
			var headers []string
			if test.authorization != "" {
				headers = []string{"Authorization", test.authorization}
			}
			code, answer, err := g.post(t, g.authority.Trust(), encoded(t, "refused"), headers...)
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, code)
			require.NotContains(t, answer, g.token)
		})
	}
	// What one with the token sends comes after what was refused.
	g.serves(t, "allowed")
	require.Empty(t, g.backend.got("refused"))
}

func TestATokenIsReplacedWithoutARestart(t *testing.T) {
	t.Parallel()
	file := labtest.SecretFile(t, "old # a comment\nnew")
	g := newGateway(t, nil, "BEARER_TOKEN_FILE="+file)
	for _, token := range []string{"old", "new"} { // both, while agents go over to the new one
		require.NoError(t, g.export(t, g.authority.Trust(), "Bearer "+token, "accepted"))
	}
	next := labtest.SecretFile(t, "new")
	require.NoError(t, os.Rename(next, file)) // as it is replaced at once, not written to
	require.Eventually(t, func() bool {
		err := g.export(t, g.authority.Trust(), "Bearer old", "refused")
		return status.Code(err) == codes.Unauthenticated
	}, patience, poll, "the old token is refused")
	require.NoError(t, g.export(t, g.authority.Trust(), "Bearer new", "accepted"))
}

func TestAGatewayWithoutATokenDoesNotStart(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]string{
		"no file": filepath.Join(t.TempDir(), "none"), "an empty file": labtest.SecretFile(t, ""), "no name of a file": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id := pki.NewAuthority(t).Issue(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			cmd := exec.CommandContext(ctx, os.Getenv("COLLECTOR"), "--config", configs+"gateway.yaml", "--config", configs+"backends/otlp-http.yaml")
			cmd.Env = append(os.Environ(), "BEARER_TOKEN_FILE="+file, "STORAGE_DIRECTORY="+t.TempDir(),
				"TLS_CERT_FILE="+id.CertFile, "TLS_KEY_FILE="+id.KeyFile, "OTLP_GRPC_PORT="+labtest.FreePort(t), "OTLP_HTTP_PORT="+labtest.FreePort(t),
				"HEALTH_CHECK_PORT="+labtest.FreePort(t), "TELEMETRY_METRICS_PORT="+labtest.FreePort(t), "PPROF_PORT="+labtest.FreePort(t), "ZPAGES_PORT="+labtest.FreePort(t))
			out, err := cmd.CombinedOutput()
			require.Error(t, err)
			require.NoError(t, ctx.Err(), "it ends by itself")
			require.Regexp(t, "bearertokenauth/agents", string(out))
		})
	}
}
