//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// TestAPIServerThatComesLaterOrGoesIsFoundAgain starts the collector before its API server can be reached, and takes it away once more.
func TestAPIServerThatComesLaterOrGoesIsFoundAgain(t *testing.T) {
	const name = "later"
	address := "127.0.0.1:" + labtest.FreePort(t)
	out := startCollector(t, collector{cluster: name, kubeconfig: kubeconfig(t, func(config *clientcmdapi.Config) {
		for _, cluster := range config.Clusters {
			cluster.Server = "https://" + address
		}
	})})
	require.Eventually(t, func() bool { return out.Contains("connection refused") }, patience, poll)

	server, err := url.Parse(lab.APIServerURL)
	require.NoError(t, err)
	stop := forward(t, address, server.Host)
	prom := prometheus(t)
	up := fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-kube-controllers"}`, name)
	awaitValue(t, prom, up, 1)
	require.True(t, out.Contains("succeeds again"))
	require.False(t, out.Contains("watch ippools"), "no watch failed so far")

	stop()
	require.Eventually(t, func() bool { return out.Contains("watch ippools.crd.projectcalico.org: ") }, patience, poll)
	gone := time.Now()
	require.Eventually(t, func() bool {
		vector, err := query(t.Context(), prom, "timestamp("+up+" == 1)")
		return err == nil && len(vector) == 1 && vector[0].Value > model.SampleValue(gone.Add(2*interval).Unix())
	}, patience, poll, "what is known is scraped without the API server")

	ended := func() int { return strings.Count(out.String(), "succeeds again") }
	before := ended()
	stop = forward(t, address, server.Host)
	defer stop()
	require.Eventually(t, func() bool { return ended() > before }, patience, poll)
}

// kubeconfig writes the collector's kubeconfig with a change.
func kubeconfig(t *testing.T, change func(*clientcmdapi.Config)) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(lab.CollectorKubeconfig)
	require.NoError(t, err)
	change(config)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, path))
	require.NoError(t, os.Chmod(path, 0o600))
	return path
}

// forward passes TCP connections from one address on to another, until it is stopped, at the latest by the end of the test.
func forward(t *testing.T, from, to string) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", from)
	require.NoError(t, err)
	var running sync.WaitGroup
	stop = func() {
		cancel()
		_ = listener.Close()
		running.Wait()
	}
	t.Cleanup(stop)
	running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer client.Close()
				server, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
				if err != nil {
					return
				}
				defer server.Close()
				stop := context.AfterFunc(ctx, func() { _ = client.Close(); _ = server.Close() })
				defer stop()
				running.Go(func() { _, _ = io.Copy(server, client); _ = server.Close() })
				_, _ = io.Copy(client, server)
			})
		}
	})
	return stop
}

// TestAPIServerThatIsStoppedForAMinute stops the API server itself: what is known is scraped on, and what happened meanwhile is noticed.
// It mostly waits, and goes on beside the test of the gateway, which has clusters of its own.
func TestAPIServerThatIsStoppedForAMinute(t *testing.T) {
	t.Parallel()
	const name, outage = "outage", time.Minute
	startCollector(t, collector{cluster: name})
	prom := prometheus(t)
	up := fmt.Sprintf(`up{k8s_cluster_name=%q}`, name)
	awaitValue(t, prom, "count("+up+" == 1)", float64(len(lab.Components)))
	awaitState(t, prom, name, "ipam", "scraped", "ok", 1)

	stopPart(t, "kube-apiserver")
	stopped := time.Now()
	// Every component is asked at every moment of the outage: Calico's own programs may end without an API server, and that is theirs to report.
	// Some seconds more, for the last samples of that minute to arrive.
	require.Eventually(t, func() bool { return time.Since(stopped) > outage+3*interval }, 2*outage, time.Second)
	value, _, err := prom.Query(t.Context(), fmt.Sprintf("min(count_over_time(%s[%ds]))", up, int(outage.Seconds())), stopped.Add(outage))
	require.NoError(t, err)
	scrapes := value.(model.Vector)
	require.Len(t, scrapes, 1)
	require.Greater(t, float64(scrapes[0].Value), 0.8*outage.Seconds()/interval.Seconds(), "scrapes of each component during the outage")
	awaitValue(t, prom, fmt.Sprintf(`count(calico_ipam_pool_info{k8s_cluster_name=%q,ippool=%q})`, name, ipv6Pool), 1)
	awaitState(t, prom, name, "ipam", "unreachable", "kubernetes_api", 1)

	lab.Command(t, "part", "start", "kube-apiserver")
	pod := lab.RunningPod(t, "goldmane", "127.0.0.1", corev1.Container{})
	// client-go waits up to a minute between two tries once an API server has been away for long.
	require.Eventually(t, func() bool {
		vector, err := query(t.Context(), prom, fmt.Sprintf(`calico_component_endpoints{k8s_cluster_name=%q,component="goldmane",state="disabled"}`, name))
		return err == nil && len(vector) == 1
	}, 3*time.Minute, poll)
	lab.DeletePod(t, pod)
	awaitState(t, prom, name, "goldmane", "absent", "no_pods", 1)
	awaitValue(t, prom, "count("+up+" == 1)", float64(len(lab.Components)))
}
