package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery/cached/memory"
	fakediscovery "k8s.io/client-go/discovery/fake"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	kubefake "k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/restmapper"
)

var tigeraStatuses = schema.GroupVersionResource{Group: "operator.tigera.io", Version: "v1", Resource: "tigerastatuses"}

// fakeClient has the objects, and says that it serves the resources.
func fakeClient(t *testing.T, served []*metav1.APIResourceList, objects ...map[string]any) *Client {
	t.Helper()
	kube := kubefake.NewSimpleClientset()
	kube.Discovery().(*fakediscovery.FakeDiscovery).Resources = served
	existing := make([]runtime.Object, 0, len(objects))
	for _, object := range objects {
		existing = append(existing, &unstructured.Unstructured{Object: object})
	}
	return &Client{
		Kube: kube, Dynamic: dynamicfake.NewSimpleDynamicClient(runtime.NewScheme(), existing...),
		mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(kube.Discovery())),
	}
}

func TestTheOperatorSaysThatAllIsWell(t *testing.T) {
	c := fakeClient(t, []*metav1.APIResourceList{{
		GroupVersion: "operator.tigera.io/v1", APIResources: []metav1.APIResource{{Name: "tigerastatuses", Kind: "TigeraStatus"}},
	}})
	require.NoError(t, c.CreateOperatorStatuses(t.Context()))
	for _, name := range []string{"calico", "apiserver"} {
		object, err := c.Dynamic.Resource(tigeraStatuses).Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
		require.NoError(t, err)
		got := map[any]any{}
		for _, condition := range conditions {
			fields := condition.(map[string]any)
			got[fields["type"]] = fields["status"]
		}
		require.Equal(t, map[any]any{"Available": "True", "Progressing": "False", "Degraded": "False"}, got)
	}
}

func TestTheOperatorSaysNothingWhereItsKindIsMissing(t *testing.T) {
	c := fakeClient(t, []*metav1.APIResourceList{{
		GroupVersion: "operator.tigera.io/v1", APIResources: []metav1.APIResource{{Name: "installations", Kind: "Installation"}},
	}})
	require.NoError(t, c.CreateOperatorStatuses(t.Context()))
}

func TestMetricsPorts(t *testing.T) {
	controllers := calicoObject("KubeControllersConfiguration", "default", map[string]any{"prometheusMetricsPort": int64(9095)})
	felix := calicoObject("FelixConfiguration", "default", map[string]any{"prometheusMetricsPort": int64(9191)})
	for _, test := range []struct {
		name    string
		layout  Layout
		objects []map[string]any
		want    map[string]int
		err     string
	}{
		{"both have one where Calico was installed by manifests", ManifestLayout, []map[string]any{controllers, felix},
			map[string]int{kubeControllersWorkload: 9095, felixComponent: 9191}, ""},
		{"the operator sets that of Felix in its environment", OperatorLayout, []map[string]any{controllers, felix},
			map[string]int{kubeControllersWorkload: 9095}, ""},
		{"what is not set is left out", OperatorLayout, []map[string]any{calicoObject("KubeControllersConfiguration", "default", map[string]any{})},
			map[string]int{}, ""},
		{"an object that is missing is an error", OperatorLayout, nil, nil, "read the metrics port of calico-kube-controllers"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := fakeClient(t, nil, test.objects...).MetricsPorts(t.Context(), test.layout)
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func definition(name string) map[string]any {
	return map[string]any{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": map[string]any{"name": name}}
}

func TestDeleteCRDsDeletesThoseOfTheFilesOnly(t *testing.T) {
	dir := t.TempDir()
	const header = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: "
	require.NoError(t, os.WriteFile(filepath.Join(dir, "all.yaml"), []byte(header+"ippools}\n---\n"+header+"missing}\n"), 0o600))
	c := fakeClient(t, nil, definition("ippools"), definition("others"))
	require.NoError(t, c.DeleteCRDs(t.Context(), dir), "what is missing is no error")
	_, err := c.Dynamic.Resource(crdResource).Get(t.Context(), "ippools", metav1.GetOptions{})
	require.True(t, apierrors.IsNotFound(err))
	_, err = c.Dynamic.Resource(crdResource).Get(t.Context(), "others", metav1.GetOptions{})
	require.NoError(t, err)

	require.ErrorContains(t, c.DeleteCRDs(t.Context(), t.TempDir()), "run `lab build`")
}

func TestServedResource(t *testing.T) {
	spec := func(group string, versions ...any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
			"group": group, "names": map[string]any{"plural": "ippools"}, "versions": versions,
		}}}
	}
	got, err := servedResource(spec("crd.projectcalico.org", map[string]any{"name": "v1beta1", "served": false}, map[string]any{"name": "v1", "served": true}))
	require.NoError(t, err)
	require.Equal(t, IPPools, got)
	_, err = servedResource(spec("crd.projectcalico.org", map[string]any{"name": "v1", "served": false}))
	require.ErrorContains(t, err, "serves no version")
}

func TestIsEstablished(t *testing.T) {
	for _, test := range []struct {
		name       string
		conditions any
		want       bool
	}{
		{"no conditions were written yet", nil, false},
		{"the names are accepted only", []any{map[string]any{"type": "NamesAccepted", "status": "True"}}, false},
		{"it is not yet", []any{map[string]any{"type": "Established", "status": "False"}}, false},
		{"it is", []any{map[string]any{"type": "NamesAccepted", "status": "True"}, map[string]any{"type": "Established", "status": "True"}}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			object := &unstructured.Unstructured{Object: map[string]any{"status": map[string]any{"conditions": test.conditions}}}
			require.Equal(t, test.want, isEstablished(object))
		})
	}
}
