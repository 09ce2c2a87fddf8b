package cluster

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

func TestNothingIsKnownWhileTheAPIServerCannotBeReached(t *testing.T) {
	w, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, []string{"kube-system"}, zap.NewNop())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	require.Eventually(t, func() bool { return w.Err() != nil }, 10*time.Second, 10*time.Millisecond)
	require.ErrorContains(t, w.Err(), "connection refused")
	require.NotContains(t, w.Err().Error(), "https://", "the request is named in words, without the options in its URL")
	select {
	case <-w.Changed():
	case <-time.After(10 * time.Second):
		require.Fail(t, "no notice of the failure")
	}
	_, known := w.Snapshot()
	require.False(t, known, "a failure that may pass is not taken for an answer")
	cancel()
	running.Wait()
}

func TestPodIsStrippedToWhatIsRead(t *testing.T) {
	controller := true
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "calico-system", Name: "calico-node-1", UID: "u1", ResourceVersion: "7",
			Labels:      map[string]string{discovery.AppLabel: "calico-node", "other": "label"},
			Annotations: map[string]string{"large": "annotation"},
			OwnerReferences: []metav1.OwnerReference{
				{Kind: "Other", Name: "owner"}, {Kind: "DaemonSet", Name: "calico-node", Controller: &controller},
			},
		},
		Spec: corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{
			Name: "calico-node", Image: "image",
			Env: []corev1.EnvVar{
				{Name: "Felix_PrometheusMetricsPort", Value: "9191"},
				{Name: "PASSWORD", Value: "secret"},
				{Name: "FELIX_PROMETHEUSMETRICSHOST", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.hostIP"}}},
			},
		}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "192.0.2.1", Message: "message"},
	}
	stripped := stripPod(pod)
	require.Equal(t, "7", stripped.ResourceVersion, "the informer needs it")
	require.Empty(t, stripped.Annotations)
	require.Equal(t, map[string]string{discovery.AppLabel: "calico-node"}, stripped.Labels)
	require.Equal(t, []corev1.EnvVar{{Name: "Felix_PrometheusMetricsPort", Value: "9191"}}, stripped.Spec.Containers[0].Env, "no secret is kept")
	require.Equal(t, discovery.Pod{
		Namespace: "calico-system", Name: "calico-node-1", UID: "u1", App: "calico-node", Node: "node-1", IP: "192.0.2.1", Running: true,
		ControllerKind: "DaemonSet", ControllerName: "calico-node",
		Containers: []discovery.Container{{Name: "calico-node", Env: []discovery.EnvVar{{Name: "Felix_PrometheusMetricsPort", Value: "9191"}}}},
	}, toPod(stripped))
}
