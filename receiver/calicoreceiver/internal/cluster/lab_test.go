//go:build e2e

package cluster

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// lab is an API server without Calico, which all tests of the package share.
var lab *labtest.Lab

func TestMain(m *testing.M) {
	labtest.Main(m, func(l *labtest.Lab) { lab = l }, "--root", "../../../..", "--bare")
}

const (
	patience = 2 * time.Minute
	poll     = 50 * time.Millisecond
)

var allResources = []calicoapi.Resource{
	calicoapi.IPPools, calicoapi.FelixConfigurations, calicoapi.KubeControllersConfigurations, calicoapi.ClusterInformations,
	calicoapi.CalicoNodeStatuses, calicoapi.Installations, calicoapi.TigeraStatuses,
}

// watched runs a Watcher until the end of the test, or until stop is called.
func watched(t *testing.T, config *rest.Config, options Options) (w *Watcher, stop func()) {
	t.Helper()
	if options.Redetect == 0 {
		options.Redetect = time.Second
	}
	w, err := New(config, options, zap.NewNop())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return w, stop
}

func await(t *testing.T, w *Watcher, holds func(Snapshot) bool, message string) {
	t.Helper()
	require.Eventually(t, func() bool {
		snapshot, ok := w.Snapshot()
		return ok && holds(snapshot)
	}, patience, poll, message)
}

// TestCalicoThatIsInstalledLaterOrMovesIsFollowed begins without Calico, installs it, moves it to the other API group and removes it.
func TestCalicoThatIsInstalledLaterOrMovesIsFollowed(t *testing.T) {
	w, _ := watched(t, lab.Admin(t), Options{Namespaces: []string{"kube-system"}, Resources: allResources})
	await(t, w, func(s Snapshot) bool { return !s.Discovery.CalicoInstalled }, "no Calico is a state")
	require.NoError(t, w.Err(), "and no error")

	lab.Command(t, "crds", "apply", "--group", "calico")
	await(t, w, func(s Snapshot) bool { return s.Discovery.CalicoInstalled && s.Group == calicoapi.GroupV1 }, "installed later")
	lab.Create(t, string(calicoapi.IPPools), "crd.projectcalico.org/v1", "IPPool", "pool", map[string]any{"cidr": "10.0.0.0/16"})
	lab.Create(t, string(calicoapi.ClusterInformations), "crd.projectcalico.org/v1", "ClusterInformation", "default", map[string]any{
		"calicoVersion": "v3.28.5", "clusterType": "k8s,kdd", "datastoreReady": true,
	})
	await(t, w, func(s Snapshot) bool { return len(s.Pools) == 1 && s.ClusterInformation != nil }, "objects of the group v1")
	require.Nil(t, mustSnapshot(t, w).Discovery.Installation)

	lab.Command(t, "crds", "apply", "--group", "operator")
	lab.Create(t, string(calicoapi.Installations), "operator.tigera.io/v1", "Installation", "default", map[string]any{
		"cni": map[string]any{"type": "AmazonVPC"},
	})
	await(t, w, func(s Snapshot) bool {
		return s.Discovery.Installation != nil && s.Discovery.Installation.CNI == "AmazonVPC"
	},
		"a resource whose definition came later")

	// From here on the pool must never be gone, whichever group holds it.
	done := make(chan struct{})
	var gone atomic.Int64
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(poll / 5):
				if s, ok := w.Snapshot(); ok && len(s.Pools) == 0 {
					gone.Add(1)
				}
			}
		}
	})
	defineNative(t)
	lab.Create(t, string(calicoapi.IPPools), "projectcalico.org/v3", "IPPool", "pool", map[string]any{"cidr": "10.0.0.0/16"})
	lab.Create(t, "datastoremigrations", "migration.projectcalico.org/v1", "DatastoreMigration", "v1-to-v3", map[string]any{})
	setPhase(t, "Migrating")
	require.Never(t, func() bool { s, ok := w.Snapshot(); return ok && s.Group != calicoapi.GroupV1 }, 4*time.Second, poll,
		"while it migrates the old group counts")

	setPhase(t, "Converged")
	await(t, w, func(s Snapshot) bool { return s.Group == calicoapi.GroupV3 && len(s.Pools) == 1 }, "the new group counts once it converged")
	lab.Create(t, string(calicoapi.IPPools), "projectcalico.org/v3", "IPPool", "second", map[string]any{"cidr": "10.1.0.0/16"})
	await(t, w, func(s Snapshot) bool { return len(s.Pools) == 2 }, "pools come from the new group")
	lab.Command(t, "crds", "delete", "--group", "calico")
	await(t, w, func(s Snapshot) bool { return s.Group == calicoapi.GroupV3 && len(s.Pools) == 2 }, "the old group is not missed")
	close(done)
	watching.Wait()
	require.Zero(t, gone.Load(), "the pools were never gone")

	removeNative(t)
	lab.Command(t, "crds", "delete", "--group", "operator")
	await(t, w, func(s Snapshot) bool {
		return !s.Discovery.CalicoInstalled && len(s.Pools) == 0 && s.Discovery.Installation == nil
	}, "an uninstalled Calico is gone")
	require.Eventually(t, func() bool { return w.Err() == nil }, patience, poll, "and no error")
}

func mustSnapshot(t *testing.T, w *Watcher) Snapshot {
	t.Helper()
	snapshot, ok := w.Snapshot()
	require.True(t, ok)
	return snapshot
}

// population creates Node and pod objects as a cluster of that many nodes has them, and removes them again.
type population struct {
	kube      kubernetes.Interface
	namespace string
	nodes     int
}

const workers = 24

func (p population) each(ctx context.Context, do func(ctx context.Context, i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for i := range p.nodes {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

func (p population) create(t *testing.T) {
	t.Helper()
	require.NoError(t, p.each(t.Context(), func(ctx context.Context, i int) error {
		name := fmt.Sprintf("%s-%05d", p.namespace, i)
		labels := map[string]string{}
		for j := range 20 { // as many as nodes of a managed cluster have
			labels[fmt.Sprintf("node.example.org/label-%d", j)] = fmt.Sprintf("value-%d-%d", j, i%7)
		}
		_, err := p.kube.CoreV1().Nodes().Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		pod := calicoNodePod(name)
		created, err := p.kube.CoreV1().Pods(p.namespace).Create(ctx, pod, metav1.CreateOptions{})
		if err != nil {
			return err
		}
		created.Status = pod.Status
		_, err = p.kube.CoreV1().Pods(p.namespace).UpdateStatus(ctx, created, metav1.UpdateOptions{})
		return err
	}))
}

func (p population) remove(t *testing.T) {
	t.Helper()
	now := int64(0)
	require.NoError(t, p.each(t.Context(), func(ctx context.Context, i int) error {
		name := fmt.Sprintf("%s-%05d", p.namespace, i)
		if err := p.kube.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{}); err != nil {
			return err
		}
		return p.kube.CoreV1().Pods(p.namespace).Delete(ctx, "calico-node-"+name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	}))
}

// calicoNodePod has the size of the pod that the operator makes: some forty variables in the environment, volumes, annotations.
func calicoNodePod(node string) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "calico-node-" + node,
			Labels:      map[string]string{"k8s-app": "calico-node", "app.kubernetes.io/name": "calico-node", "controller-revision-hash": "6d8c5f7b9c"},
			Annotations: map[string]string{},
		},
		Spec: corev1.PodSpec{NodeName: node, HostNetwork: true, Containers: []corev1.Container{{
			Name: "calico-node", Image: "docker.io/calico/node:v3.28.5",
			EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "kubernetes-services-endpoint"}}}},
			Env:     []corev1.EnvVar{{Name: "FELIX_PROMETHEUSMETRICSENABLED", Value: "true"}, {Name: "FELIX_PROMETHEUSMETRICSPORT", Value: "9091"}},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "192.0.2.1", HostIP: "192.0.2.1"},
	}
	for i := range 40 {
		pod.Spec.Containers[0].Env = append(pod.Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprintf("CALICO_SETTING_%d", i), Value: strings.Repeat("v", 40)})
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: fmt.Sprintf("volume-%d", i), VolumeSource: corev1.VolumeSource{
			HostPath: &corev1.HostPathVolumeSource{Path: fmt.Sprintf("/var/lib/calico/%d", i)},
		}})
		pod.Annotations[fmt.Sprintf("annotation.example.org/%d", i)] = strings.Repeat("a", 60)
	}
	return pod
}

func newPopulation(t *testing.T, namespace string, nodes int) population {
	t.Helper()
	p := population{kube: lab.Kube(t), namespace: namespace, nodes: nodes}
	_, err := p.kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	require.NoError(t, err)
	return p
}

// selectByLabel installs Calico with a FelixConfiguration that selects nodes by their labels, for the time of the test.
func selectByLabel(t *testing.T) {
	t.Helper()
	lab.Command(t, "crds", "apply", "--group", "calico")
	t.Cleanup(func() { lab.Command(t, "crds", "delete", "--group", "calico") })
	lab.Keep(t, "felixconfigurations.crd.projectcalico.org", "spec")
	lab.Create(t, string(calicoapi.FelixConfigurations), "crd.projectcalico.org/v1", "FelixConfiguration", "some", map[string]any{
		"nodeSelector": "node.example.org/label-1 == 'value-1-3'", "prometheusMetricsPort": int64(9191),
	})
}

func TestChurnOfAThousandNodesLeavesNothing(t *testing.T) {
	const nodes = 1000
	selectByLabel(t)
	p := newPopulation(t, "churn", nodes)
	w, _ := watched(t, lab.Admin(t), Options{Namespaces: []string{p.namespace}, Resources: allResources})
	turn := func() {
		p.create(t)
		await(t, w, func(s Snapshot) bool {
			return len(s.Discovery.Pods) == nodes && len(s.Discovery.NodeLabels.Value) == nodes
		}, "all came")
		p.remove(t)
		await(t, w, func(s Snapshot) bool { return len(s.Discovery.Pods) == 0 && len(s.Discovery.NodeLabels.Value) == 0 }, "all went")
	}
	turn() // what is made once and kept, such as connections and maps that have grown
	goroutines, memory := runtime.NumGoroutine(), heap()
	for range 2 {
		turn()
	}
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= goroutines+2 }, patience, poll, "goroutines")
	var grown int64
	require.Eventually(t, func() bool {
		grown = int64(heap()) - int64(memory)
		return grown < 2<<20
	}, patience, time.Second, "memory does not grow with the objects that come and go")
	t.Logf("after two more turns of %d nodes and pods: %+.2f MiB", nodes, float64(grown)/(1<<20))
}

// watches counts the watches that are open at one time, and keeps what was asked for.
type watches struct {
	next http.RoundTripper
	mu   sync.Mutex
	open map[*http.Request]string
	most int
	urls []string
}

func (w *watches) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	w.urls = append(w.urls, r.URL.String())
	w.mu.Unlock()
	response, err := w.next.RoundTrip(r)
	if err != nil || response.StatusCode != http.StatusOK || r.URL.Query().Get("watch") == "" {
		return response, err
	}
	w.mu.Lock()
	w.open[r] = r.URL.Path
	w.most = max(w.most, len(w.open))
	w.mu.Unlock()
	response.Body = &closing{ReadCloser: response.Body, closed: func() {
		w.mu.Lock()
		delete(w.open, r)
		w.mu.Unlock()
	}}
	return response, nil
}

type closing struct {
	io.ReadCloser
	closed func()
}

func (c *closing) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}

func TestNodeModeOpensAtMostFourWatchesAndAsksForItsOwnPods(t *testing.T) {
	selectByLabel(t)
	p := newPopulation(t, "few", 3)
	p.create(t)
	config := lab.Admin(t)
	counted := &watches{open: map[*http.Request]string{}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { counted.next = next; return counted })
	node := p.namespace + "-00001"
	w, _ := watched(t, config, Options{
		Namespaces: []string{p.namespace, "kube-system"}, Node: node, Resources: []calicoapi.Resource{calicoapi.FelixConfigurations},
	})
	await(t, w, func(s Snapshot) bool { return len(s.Discovery.Pods) == 1 && len(s.Discovery.NodeLabels.Value) == 1 }, "the node's own pod and labels")
	require.Equal(t, node, mustSnapshot(t, w).Discovery.Pods[0].Node)
	counted.mu.Lock()
	defer counted.mu.Unlock()
	t.Logf("watches at one time: %d: %v", counted.most, counted.open)
	require.LessOrEqual(t, counted.most, 4)
	for _, url := range counted.urls {
		if strings.Contains(url, "/pods") {
			require.Contains(t, url, "/namespaces/", "no list of all pods")
			require.Contains(t, url, "spec.nodeName", "only those of the node")
		}
	}
	p.remove(t)
}

func TestNamespaceThatDoesNotExistIsNoMissingRight(t *testing.T) {
	w, _ := watched(t, lab.Collector(t), Options{Namespaces: []string{"kube-system", "calico-system"}})
	await(t, w, func(s Snapshot) bool { return len(s.Discovery.PodsMissing) == 0 }, "the namespace of the operator does not exist here")
	require.NoError(t, w.Err())

	kube := lab.Kube(t)
	_, err := kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "calico-system"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	await(t, w, func(s Snapshot) bool {
		return len(s.Discovery.PodsMissing) == 1 && s.Discovery.PodsMissing[0] == "list pods in namespace calico-system"
	}, "once it exists the right is missing")
	require.ErrorContains(t, w.Err(), "missing RBAC: list pods in namespace calico-system")
}

// TestCacheOfFiveThousandNodes bounds what discovery keeps of a large cluster, with the labels of all nodes, which it reads where a
// FelixConfiguration selects by them. It is the last of the tests: its nodes stay.
func TestCacheOfFiveThousandNodes(t *testing.T) {
	const nodes, limit = 5000, 60 << 20
	selectByLabel(t)
	p := newPopulation(t, "large", nodes)
	p.create(t)
	p.kube = nil
	before := heap()
	w, _ := watched(t, lab.Admin(t), Options{Namespaces: []string{p.namespace}, Resources: allResources})
	await(t, w, func(s Snapshot) bool {
		return len(s.Discovery.Pods) == nodes && len(s.Discovery.NodeLabels.Value) >= nodes
	}, "all pods and nodes")
	after := heap()
	runtime.KeepAlive(w)
	used := int64(after) - int64(before)
	t.Logf("the cache of %d nodes, their pods and labels: %.1f MiB", nodes, float64(used)/(1<<20))
	require.Less(t, used, int64(limit))
}
