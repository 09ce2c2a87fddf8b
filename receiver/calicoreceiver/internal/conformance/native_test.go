//go:build e2e

package conformance

import (
	"bytes"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// native is a cluster whose Calico has its v3 resources as CRDs. It gets what the lab's Calico writes, converted as Calico's own migration does.
type native struct {
	lab     *labtest.Lab
	watcher *cluster.Watcher
	// written are the objects as the API server answered, by kind and name, and specs what was asked for.
	written map[objectKey]*unstructured.Unstructured
	specs   map[objectKey]map[string]any
	nodes   map[string]*corev1.Node
}

type objectKey struct{ kind, name string }

// mirrored says how a resource of the lab is called natively, and how its spec is converted (kube-controllers/pkg/controllers/migration).
var mirrored = []struct {
	v1, v3, kind string
	convert      func(*testing.T, map[string]any)
}{
	{"ippools", "ippools", "IPPool", nil},
	{"ipreservations", "ipreservations", "IPReservation", func(t *testing.T, spec map[string]any) {
		// The schema wants CIDRs, each once. Calico's migration copies what is there, which the API server may refuse; its user must mend that.
		ranges, _ := spec["reservedCIDRs"].([]any)
		unique := []any{}
		for _, r := range ranges {
			if cidr := prefixOf(t, r.(string)).String(); !slices.Contains(unique, any(cidr)) {
				unique = append(unique, cidr)
			}
		}
		spec["reservedCIDRs"] = unique
	}},
	{"ipamconfigs", "ipamconfigurations", "IPAMConfiguration", nil},
	{"blockaffinities", "blockaffinities", "BlockAffinity", func(_ *testing.T, spec map[string]any) { spec["deleted"] = spec["deleted"] == "true" }},
	{"ipamblocks", "ipamblocks", "IPAMBlock", func(_ *testing.T, spec map[string]any) { spec["strictAffinity"] = false }},
	{"clusterinformations", "clusterinformations", "ClusterInformation", nil},
}

// startBare starts a lab of its own for a test that has Calico's v3 CRDs and nothing else.
func startBare(t *testing.T) *labtest.Lab {
	t.Helper()
	l, err := labtest.Start("--root", root, "--bare")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Stop()) })
	content, err := os.ReadFile("testdata/crds.yaml")
	require.NoError(t, err)
	resource := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	definitions := l.Dynamic(t).Resource(resource)
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		definition := &unstructured.Unstructured{}
		if err := decoder.Decode(&definition.Object); errors.Is(err, io.EOF) {
			return l
		} else if err != nil {
			require.NoError(t, err)
		}
		_, err := definitions.Create(t.Context(), definition, metav1.CreateOptions{})
		require.NoError(t, err)
		resource := calicoapi.GroupV3.WithResource(strings.TrimSuffix(definition.GetName(), "."+calicoapi.GroupV3.Group))
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			_, err := l.Dynamic(t).Resource(resource).List(t.Context(), metav1.ListOptions{Limit: 1})
			require.NoError(c, err)
		}, startPatience, poll)
	}
}

func startNative(t *testing.T) *native {
	t.Helper()
	n := &native{
		lab:     startBare(t),
		written: map[objectKey]*unstructured.Unstructured{}, specs: map[objectKey]map[string]any{}, nodes: map[string]*corev1.Node{},
	}
	n.watcher, _ = watch(t, n.lab.Collector(t))
	return n
}

// mirror brings the cluster to what another has: it creates, updates and deletes what differs.
func (n *native) mirror(t *testing.T, o *objects) {
	t.Helper()
	for _, m := range mirrored {
		there := map[string]bool{}
		for _, u := range o.byResource[m.v1] {
			there[u.GetName()] = true
			spec := u.DeepCopy().Object["spec"].(map[string]any)
			if m.convert != nil {
				m.convert(t, spec)
			}
			n.write(t, m.v3, m.kind, u.GetName(), spec)
		}
		for key := range n.written {
			if key.kind == m.kind && !there[key.name] {
				n.remove(t, m.v3, key)
			}
		}
	}
	n.mirrorNodes(t, o.nodes)
}

// write creates or updates an object, unless it is what was written last.
func (n *native) write(t *testing.T, plural, kind, name string, spec map[string]any) {
	t.Helper()
	key := objectKey{kind, name}
	if reflect.DeepEqual(n.specs[key], spec) {
		return
	}
	client := n.lab.Dynamic(t).Resource(calicoapi.GroupV3.WithResource(plural))
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": calicoapi.GroupV3.String(), "kind": kind, "metadata": map[string]any{"name": name}, "spec": spec,
	}}
	put := func() (*unstructured.Unstructured, error) {
		return client.Create(t.Context(), object, metav1.CreateOptions{})
	}
	if before := n.written[key]; before != nil {
		object.SetResourceVersion(before.GetResourceVersion())
		put = func() (*unstructured.Unstructured, error) {
			return client.Update(t.Context(), object, metav1.UpdateOptions{})
		}
	}
	written, err := put()
	require.NoError(t, err)
	n.written[key], n.specs[key] = written, spec
}

func (n *native) remove(t *testing.T, plural string, key objectKey) {
	t.Helper()
	require.NoError(t, n.lab.Dynamic(t).Resource(calicoapi.GroupV3.WithResource(plural)).Delete(t.Context(), key.name, metav1.DeleteOptions{}))
	delete(n.written, key)
	delete(n.specs, key)
}

func (n *native) mirrorNodes(t *testing.T, labels map[string]map[string]string) {
	t.Helper()
	client := n.lab.Kube(t).CoreV1().Nodes()
	for name, now := range labels {
		node, err := n.nodes[name], error(nil)
		switch {
		case node == nil:
			node, err = client.Create(t.Context(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: now}}, metav1.CreateOptions{})
		case !reflect.DeepEqual(node.Labels, now):
			node.Labels = now
			node, err = client.Update(t.Context(), node, metav1.UpdateOptions{})
		}
		require.NoError(t, err)
		n.nodes[name] = node
	}
	for name := range n.nodes {
		if _, ok := labels[name]; !ok {
			require.NoError(t, client.Delete(t.Context(), name, metav1.DeleteOptions{}))
			delete(n.nodes, name)
		}
	}
}
