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
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// TestDeniedVerbIsNamedAndTheRestGoesOn takes the right to read pools from the rights that are shipped.
func TestDeniedVerbIsNamedAndTheRestGoesOn(t *testing.T) {
	const name = "denied"
	k8s := admin(t)
	shipped, err := k8s.RbacV1().ClusterRoles().Get(t.Context(), "otelcol-calico", metav1.GetOptions{})
	require.NoError(t, err)
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: name}}
	taken := false
	for _, rule := range shipped.Rules {
		var kept []string
		for _, resource := range rule.Resources {
			if resource == "ippools" {
				taken = true
				continue
			}
			kept = append(kept, resource)
		}
		rule.Resources = kept
		role.Rules = append(role.Rules, rule)
	}
	require.True(t, taken, "the shipped role grants ippools")
	_, err = k8s.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{})
	require.NoError(t, err)
	account, err := k8s.CoreV1().ServiceAccounts("default").Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = k8s.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account.Name, Namespace: account.Namespace}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	token, err := k8s.CoreV1().ServiceAccounts("default").CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	require.NoError(t, err)

	out := startCollector(t, name, kubeconfig(t, func(config *clientcmdapi.Config) {
		for _, user := range config.AuthInfos {
			*user = clientcmdapi.AuthInfo{Token: token.Status.Token}
		}
	}))
	require.Eventually(t, func() bool { return out.contains("missing RBAC: list ippools.crd.projectcalico.org") }, patience, poll)
	prom := prometheus(t)
	for _, c := range lab.Components {
		awaitValue(t, prom, fmt.Sprintf(`up{k8s_cluster_name=%q,job=%q}`, name, c.Job), 1)
	}
	// Without the pools of the API, what the scrape itself proves is still computed.
	awaitValue(t, prom, fmt.Sprintf(`count(calico_ipam_pool_utilization_ratio{k8s_cluster_name=%q,ippool=%q,ip_family="IPv6"})`, name, ipv6Pool), 1)
	awaitNothing(t, prom, fmt.Sprintf(`calico_ipam_pool_info{k8s_cluster_name=%q}`, name))

	role.Rules = shipped.Rules
	_, err = k8s.RbacV1().ClusterRoles().Update(t.Context(), role, metav1.UpdateOptions{})
	require.NoError(t, err)
	awaitValue(t, prom, fmt.Sprintf(`calico_ipam_pool_info{k8s_cluster_name=%q,ippool=%q}`, name, ipv6Pool), 1)
	awaitValue(t, prom, fmt.Sprintf(`calico_ipam_pool_utilization_ratio{k8s_cluster_name=%q,ippool=%q,cidr!=""}`, name, fullPool), 1)
	require.True(t, out.contains("succeeds again"), "the end of the failure is logged")
}

// TestAPIServerThatComesLaterOrGoesIsFoundAgain starts the collector before its API server can be reached, and takes it away once more.
func TestAPIServerThatComesLaterOrGoesIsFoundAgain(t *testing.T) {
	const name = "later"
	address := "127.0.0.1:" + freePort(t)
	out := startCollector(t, name, kubeconfig(t, func(config *clientcmdapi.Config) {
		for _, cluster := range config.Clusters {
			cluster.Server = "https://" + address
		}
	}))
	require.Eventually(t, func() bool { return out.contains("connection refused") }, patience, poll)

	server, err := url.Parse(lab.APIServerURL)
	require.NoError(t, err)
	stop := forward(t, address, server.Host)
	prom := prometheus(t)
	up := fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-kube-controllers"}`, name)
	awaitValue(t, prom, up, 1)
	require.True(t, out.contains("succeeds again"))
	require.False(t, out.contains("watch ippools"), "no watch failed so far")

	stop()
	require.Eventually(t, func() bool { return out.contains("watch ippools.crd.projectcalico.org: ") }, patience, poll)
	gone := time.Now()
	require.Eventually(t, func() bool {
		vector, err := query(t.Context(), prom, "timestamp("+up+" == 1)")
		return err == nil && len(vector) == 1 && vector[0].Value > model.SampleValue(gone.Add(2*interval).Unix())
	}, patience, poll, "what is known is scraped without the API server")

	stop = forward(t, address, server.Host)
	defer stop()
	ended := func() int { return strings.Count(out.String(), "succeeds again") }
	before := ended()
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
