//go:build e2e

package security

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

// podIP is an address of this machine that is not the one of localhost.
const podIP = "127.0.0.2"

func TestNothingListensBeyondLoopbackUnlessAsked(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"node.yaml", "cluster.yaml", "sidecar.yaml", "gateway.yaml"} {
		for _, asked := range []bool{false, true} {
			name := base + " by default"
			if asked {
				name = base + " with the address of a pod"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				hop, grpcPort, httpPort := labtest.FreePort(t), labtest.FreePort(t), labtest.FreePort(t)
				id := pki.NewAuthority(t).Issue(t)
				env := []string{
					"KUBECONFIG=" + kubeconfig(t), "CALICO_AUTH_TYPE=kubeConfig", "K8S_NODE_NAME=node-1",
					"TYPHA_ENDPOINTS=[" + newEndpoint(t).url + "]",
					"REMOTE_WRITE_HOP=localhost:" + hop,
					"OTLP_GRPC_PORT=" + grpcPort, "OTLP_HTTP_PORT=" + httpPort,
					"TLS_CERT_FILE=" + id.CertFile, "TLS_KEY_FILE=" + id.KeyFile, "BEARER_TOKEN_FILE=" + labtest.SecretFile(t, "token"),
				}
				pod := "127.0.0.1"
				if asked {
					env = append(env, "MY_POD_IP="+podIP, "OTLP_LISTEN_HOST="+podIP)
					pod = podIP
				}
				c := startCollector(t, []string{base, "backends/remote-write.yaml"}, env...)
				want := []string{
					net.JoinHostPort(pod, c.health), net.JoinHostPort(pod, c.telemetry),
					net.JoinHostPort("127.0.0.1", c.pprof), net.JoinHostPort("127.0.0.1", c.zpages), net.JoinHostPort("127.0.0.1", hop),
				}
				if base == "gateway.yaml" {
					want = append(want, net.JoinHostPort(pod, grpcPort), net.JoinHostPort(pod, httpPort))
				}
				require.ElementsMatch(t, want, listening(t, c.PID()))
			})
		}
	}
}

// kubeconfig is a file for an API server that has nothing to say. It ends with the test.
func kubeconfig(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "not now", http.StatusServiceUnavailable)
	}))
	t.Cleanup(server.Close)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test}}]
clusters: [{name: test, cluster: {server: %q}}]
`, server.URL), 0o600))
	return file
}

// listening are the addresses that a process listens on, by TCP or as a bound socket of UDP.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	descriptors, err := os.ReadDir(filepath.Join(proc, "fd"))
	require.NoError(t, err)
	var inodes []string
	for _, d := range descriptors {
		target, err := os.Readlink(filepath.Join(proc, "fd", d.Name()))
		if err != nil {
			continue // closed meanwhile
		}
		if inode, ok := strings.CutPrefix(target, "socket:["); ok {
			inodes = append(inodes, strings.TrimSuffix(inode, "]"))
		}
	}
	var addresses []string
	for file, state := range map[string]string{"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"} {
		content, err := os.ReadFile(filepath.Join(proc, "net", file))
		if os.IsNotExist(err) {
			continue // no IPv6
		}
		require.NoError(t, err)
		for line := range strings.Lines(string(content)) {
			// sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode
			fields := strings.Fields(line)
			if len(fields) > 9 && fields[3] == state && slices.Contains(inodes, fields[9]) {
				addresses = append(addresses, decodeAddress(t, fields[1]))
			}
		}
	}
	return addresses
}

// decodeAddress reads an address as /proc/net has it: words of 32 bits in the order of bytes of the machine, which has to be little endian.
func decodeAddress(t *testing.T, address string) string {
	t.Helper()
	host, port, ok := strings.Cut(address, ":")
	require.True(t, ok)
	raw, err := hex.DecodeString(host)
	require.NoError(t, err)
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	ip, ok := netip.AddrFromSlice(raw)
	require.True(t, ok)
	number, err := strconv.ParseUint(port, 16, 16)
	require.NoError(t, err)
	return netip.AddrPortFrom(ip, uint16(number)).String()
}
