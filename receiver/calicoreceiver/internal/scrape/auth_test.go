package scrape

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	logobserver "go.uber.org/zap/zaptest/observer"
)

// guarded serves an exposition to those who send a header.
func guarded(t *testing.T, allowed func(r *http.Request) bool) (address string) {
	t.Helper()
	return serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		if !allowed(r) {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, felixExposition)
	})
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	dir := newFiles(t)
	user := func(name, password string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			u, p, ok := r.BasicAuth()
			return ok && u == name && p == password
		}
	}
	header := func(value string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Header.Get("Authorization") == value }
	}
	// Each of them is something else in YAML than in Go.
	const odd = "s3cret: #\n\"'%$1 ${2} <secret> "

	cases := []struct {
		name     string
		allowed  func(*http.Request) bool
		settings Settings
		err      string // in the error of the last scrape; empty is up
	}{
		{"a password by value", user("u", "s3cret"), Settings{BasicAuth: &BasicAuth{Username: "u", Password: "s3cret"}}, ""},
		{"a password of any characters", user("u #\"'", odd), Settings{BasicAuth: &BasicAuth{Username: "u #\"'", Password: odd}}, ""},
		{"a password that ends a document of YAML", user("u", "---"), Settings{BasicAuth: &BasicAuth{Username: "u", Password: "---"}}, ""},
		{"a password that looks like a number", user("1", "0x10"), Settings{BasicAuth: &BasicAuth{Username: "1", Password: "0x10"}}, ""},
		{
			"a password in a file, without the line break at its end", user("u", "s3cret"),
			Settings{BasicAuth: &BasicAuth{Username: "u", PasswordFile: dir.write(t, "password", []byte("s3cret\n"))}}, "",
		},
		{"a bearer token by value", header("Bearer s3cret"), Settings{Authorization: &Authorization{Credentials: "s3cret"}}, ""},
		{
			"a bearer token in a file", header("Bearer s3cret"),
			Settings{Authorization: &Authorization{CredentialsFile: dir.write(t, "token", []byte("s3cret\n"))}}, "",
		},
		{"another type of credentials", header("Token s3cret"), Settings{Authorization: &Authorization{Type: " Token ", Credentials: "s3cret"}}, ""},

		{"no credentials", header("Bearer s3cret"), Settings{}, "401 Unauthorized"},
		{"wrong credentials", header("Bearer s3cret"), Settings{Authorization: &Authorization{Credentials: "s3cret-wrong"}}, "401 Unauthorized"},
		{
			"a file that is missing", header("Bearer s3cret"),
			Settings{Authorization: &Authorization{CredentialsFile: dir.path("missing")}}, "missing: no such file",
		},
		{
			"credentials that no header can carry", header("Bearer s3cret"),
			Settings{Authorization: &Authorization{Credentials: "s3cret\n"}}, "invalid header field value",
		},
	}
	var jobs []Job
	for _, tc := range cases {
		jobs = append(jobs, job(tc.name, tc.settings))
	}
	core, logs := logobserver.New(zap.DebugLevel)
	set := nopSettings()
	set.Logger = zap.New(core)
	s, _ := startJobs(t, set, jobs...)
	addresses := map[string]string{}
	for _, tc := range cases {
		addresses[tc.name] = guarded(t, tc.allowed)
		require.NoError(t, s.Update(tc.name, []Target{{Address: addresses[tc.name]}}))
	}

	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			address := addresses[tc.name]
			require.Eventually(t, func() bool { return len(s.Up(tc.name)) == 1 }, patience, interval/10)
			if tc.err == "" {
				require.NoError(t, s.LastErrors(tc.name)[address])
				return
			}
			require.ErrorContains(t, s.LastErrors(tc.name)[address], tc.err)
			require.NotContains(t, s.LastErrors(tc.name)[address].Error(), "s3cret")
		})
	}
	require.NotEmpty(t, logs.FilterMessage("Failed to scrape Prometheus endpoint").All())
	for _, entry := range logs.All() {
		for key, field := range entry.ContextMap() {
			text, _ := field.(string)
			require.NotContains(t, text, "s3cret", "%s: %s", entry.Message, key)
		}
		require.NotContains(t, entry.Message, "s3cret")
	}
}

func TestChangedCredentialsAreTakenUpWithoutRestart(t *testing.T) {
	t.Parallel()
	dir := newFiles(t)
	var token, password atomic.Pointer[string]
	change := func(value string) { token.Store(&value); password.Store(&value) }
	change("one")
	bearer := guarded(t, func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer "+*token.Load() })
	basic := guarded(t, func(r *http.Request) bool { _, p, _ := r.BasicAuth(); return p == *password.Load() })
	untouched, _ := serve(t, felixExposition)

	s, _ := startJobs(t, nopSettings(),
		job("bearer", Settings{Authorization: &Authorization{CredentialsFile: dir.write(t, "token", []byte("one"))}}),
		job("basic", Settings{BasicAuth: &BasicAuth{Username: "u", PasswordFile: dir.write(t, "password", []byte("one"))}}),
		job("untouched", Settings{}))
	require.NoError(t, s.Update("bearer", []Target{{Address: bearer}}))
	require.NoError(t, s.Update("basic", []Target{{Address: basic}}))
	require.NoError(t, s.Update("untouched", []Target{{Address: untouched}}))
	up := func() bool { return s.Up("bearer")[bearer] && s.Up("basic")[basic] && s.Up("untouched")[untouched] }
	require.Eventually(t, up, patience, interval/10)

	change("two")
	require.Eventually(t, func() bool { return !s.Up("bearer")[bearer] && !s.Up("basic")[basic] }, patience, interval/10)
	dir.write(t, "token", []byte("two"))
	dir.write(t, "password", []byte("two"))
	require.Eventually(t, up, patience, interval/10)
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var visited atomic.Bool
	elsewhere := serveFunc(t, func(http.ResponseWriter, *http.Request) { visited.Store(true) })
	address := serveFunc(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://"+elsewhere, http.StatusFound)
	})
	s, _ := start(t, "calico-felix")
	require.NoError(t, s.Update("calico-felix", []Target{{Address: address}}))
	require.Eventually(t, func() bool { return len(s.Up("calico-felix")) == 1 }, patience, interval/10)
	require.ErrorContains(t, s.LastErrors("calico-felix")[address], "302 Found")
	require.False(t, visited.Load())
}
