//go:build e2e

package e2e

import (
	"fmt"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// TestPortsThatChangeAreFollowed changes the ports of Felix and of kube-controllers on an install by manifests, where both are resources of Calico.
func TestPortsThatChangeAreFollowed(t *testing.T) {
	const name = "ports"
	other, err := labtest.Start("--root", "../..", "--layout", "manifest")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, other.Stop()) })
	startCollector(t, collector{cluster: name, kubeconfig: other.CollectorKubeconfig})
	prom := prometheus(t)
	moved := 0
	for _, component := range other.Components {
		resource := map[string]string{"calico-felix": "felixconfigurations", "calico-kube-controllers": "kubecontrollersconfigurations"}[component.Job]
		if resource == "" {
			continue
		}
		up := func(address string) string {
			return fmt.Sprintf(`up{k8s_cluster_name=%q,job=%q,instance=%q}`, name, component.Job, address)
		}
		awaitValue(t, prom, up(component.Address), 1)
		host, _, err := net.SplitHostPort(component.Address)
		require.NoError(t, err)
		port := labtest.FreePort(t)
		_, err = other.Dynamic(t).Resource(crdGroup.WithResource(resource)).Patch(t.Context(), "default", types.MergePatchType,
			fmt.Appendf(nil, `{"spec":{"prometheusMetricsPort":%s}}`, port), metav1.PatchOptions{})
		require.NoError(t, err)
		awaitValue(t, prom, up(net.JoinHostPort(host, port)), 1)
		awaitNothing(t, prom, up(component.Address))
		t.Logf("%s moved from %s to port %s", component.Job, component.Address, port)
		moved++
	}
	require.NotZero(t, moved)
}
