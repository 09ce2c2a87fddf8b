package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
)

func TestDecode(t *testing.T) {
	for _, test := range []struct {
		name, yaml string
		want       []string
		err        string
	}{
		{"documents in order, empty ones left out", "# none\n---\nkind: A\nmetadata: {name: a}\n---\n\n---\nkind: B\nmetadata: {name: b}\n", []string{"A/a", "B/b"}, ""},
		{"an object without a name is an error", "kind: A\n", nil, "document 1: it has no kind or no metadata.name"},
		{"broken YAML is an error", "kind: [\n", nil, "document 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			objects, err := decode(strings.NewReader(test.yaml))
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			var got []string
			for _, object := range objects {
				got = append(got, object.GetKind()+"/"+object.GetName())
			}
			require.Equal(t, test.want, got)
		})
	}
}

func TestCredentialsAreVerifiableAndPrivate(t *testing.T) {
	dir := t.TempDir()
	credentials, err := NewCredentials(filepath.Join(dir, "pki"))
	require.NoError(t, err)
	pair, err := tls.LoadX509KeyPair(credentials.CertFile, credentials.KeyFile)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	require.NoError(t, err)
	authority, err := os.ReadFile(credentials.CAFile)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(authority))
	for _, name := range []string{"localhost", "127.0.0.1"} {
		_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: name})
		require.NoError(t, err)
	}

	path := filepath.Join(dir, "kubeconfig")
	require.NoError(t, credentials.WriteKubeconfig(path, "https://198.18.0.1:6443", "admin", "secret"))
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		info, err := entry.Info()
		if err == nil {
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), path)
		}
		return err
	}))
	require.Equal(t, 6, files, "three keys and tokens, two certificates and the kubeconfig")
	info, err := os.Stat(filepath.Join(dir, "pki"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	config, err := clientcmd.BuildConfigFromFlags("", path)
	require.NoError(t, err)
	require.Equal(t, "secret", config.BearerToken)
	require.Equal(t, "localhost", config.ServerName)
	host, err := url.Parse(config.Host)
	require.NoError(t, err)
	require.Equal(t, "198.18.0.1:6443", host.Host)
}

func TestFelixMetricsAreSwitchedOnTheWayOfTheLayout(t *testing.T) {
	for _, test := range []struct {
		layout Layout
		inEnv  bool
	}{{OperatorLayout, true}, {ManifestLayout, false}} {
		t.Run(string(test.layout), func(t *testing.T) {
			env := Placement{Layout: test.layout, FelixPort: 9091}.FelixEnv()
			require.Equal(t, test.inEnv, containsEnv(env, "FELIX_PROMETHEUSMETRICSPORT", "9091"))
		})
	}
}

func containsEnv(env []corev1.EnvVar, name, value string) bool {
	for _, variable := range env {
		if variable.Name == name && variable.Value == value {
			return true
		}
	}
	return false
}

func TestParseLayout(t *testing.T) {
	_, err := ParseLayout("helm")
	require.ErrorContains(t, err, `"helm" is none of operator, manifest`)
}
