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
	w, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, Options{Namespaces: []string{"kube-system"}, Redetect: time.Minute}, zap.NewNop())
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

func TestWatcherEndsAtOnceWhileTheAPIServerCannotBeReached(t *testing.T) {
	w, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, Options{
		Namespaces: []string{"kube-system"}, Redetect: time.Minute,
	}, zap.NewNop())
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	// Long enough for the pauses between two tries to have grown beyond what follows.
	time.AfterFunc(12*time.Second, cancel)
	<-ctx.Done()
	ended := time.Now()
	running.Wait()
	require.Less(t, time.Since(ended), 3*time.Second)
}

func TestNothingOfAPodIsKeptThatIsNotRead(t *testing.T) {
	controller := true
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "calico-system", Name: "calico-node-1", UID: "u1", ResourceVersion: "7",
			Labels:      map[string]string{discovery.AppLabel: "calico-node", discovery.NameLabel: "calico-node", "other": "label"},
			Annotations: map[string]string{"large": "annotation"},
			OwnerReferences: []metav1.OwnerReference{
				{Kind: "Other", Name: "owner"}, {Kind: "DaemonSet", Name: "calico-node", Controller: &controller},
			},
		},
		Spec: corev1.PodSpec{NodeName: "node-1", HostNetwork: true, Containers: []corev1.Container{{
			Name: "calico-node", Image: "image",
			Env: []corev1.EnvVar{
				{Name: "Felix_PrometheusMetricsPort", Value: "9191"},
				{Name: "PASSWORD", Value: "secret"},
			},
		}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "192.0.2.1", HostIP: "192.0.2.2", Message: "message",
			ContainerStatuses: []corev1.ContainerStatus{{RestartCount: 2}, {RestartCount: 1}},
		},
	}
	cached, err := keep(readPod)(object)
	require.NoError(t, err)
	require.Equal(t, &kept[pod]{
		ObjectMeta: metav1.ObjectMeta{Namespace: "calico-system", Name: "calico-node-1", UID: "u1", ResourceVersion: "7"},
		value: pod{
			Pod: discovery.Pod{
				Namespace: "calico-system", Name: "calico-node-1", UID: "u1", App: "calico-node", Node: "node-1", IP: "192.0.2.1", HostNetwork: true,
				Labels:  map[string]string{discovery.AppLabel: "calico-node", discovery.NameLabel: "calico-node"},
				Running: true, ControllerKind: "DaemonSet", ControllerName: "calico-node",
				Containers: []discovery.Container{{Name: "calico-node"}},
			},
			restarts: 3,
			sources:  [][]envSource{{{name: "Felix_PrometheusMetricsPort", value: "9191"}}},
		},
	}, cached)
	again, err := keep(readPod)(cached)
	require.NoError(t, err)
	require.Same(t, cached, again, "an informer may transform what it has transformed already")
}

func TestEnvironmentIsWhatTheContainerSees(t *testing.T) {
	object := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "calico-system", Name: "calico-node-1"},
		Spec:       corev1.PodSpec{NodeName: "node-1"},
		Status:     corev1.PodStatus{PodIP: "192.0.2.1", HostIP: "192.0.2.2"},
	}
	from := func(name string, source corev1.EnvVarSource) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &source}
	}
	reference := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	container := corev1.Container{
		EnvFrom: []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: reference("all")}},
			{Prefix: "FELIX_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: reference("prefixed")}},
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: reference("refused")}},
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: reference("secret")}},
		},
		Env: []corev1.EnvVar{
			{Name: "FELIX_PROMETHEUSMETRICSENABLED", Value: "true"},
			from("FELIX_PROMETHEUSMETRICSHOST", corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.hostIP"}}),
			from("FELIX_PROMETHEUSMETRICSPORT", corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: reference("all"), Key: "port"}}),
			from("FELIX_PROMETHEUSMETRICSCAFILE", corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: reference("all"), Key: "none"}}),
			from("FELIX_PROMETHEUSMETRICSKEYFILE", corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: reference("refused"), Key: "key"}}),
			from("FELIX_PROMETHEUSMETRICSCERTFILE", corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: reference("secret"), Key: "cert"}}),
			from("FELIX_PROMETHEUSMETRICSCLIENTAUTH", corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['auth']"}}),
		},
	}
	configMaps := map[string]map[string]string{
		"all":      {"FELIX_PROMETHEUSMETRICSENABLED": "false", "port": "9191", "KUBERNETES_SERVICE_HOST": "192.0.2.9"},
		"prefixed": {"PROMETHEUSMETRICSPORT": "9292"},
	}
	env := environment(envSources(object, container), object.Namespace, func(name configMapName) (configMap, bool) {
		require.Equal(t, "calico-system", name.namespace)
		require.NotEqual(t, "secret", name.name, "a Secret is never read")
		if name.name == "refused" {
			return configMap{unreadable: name.request().String()}, true
		}
		return configMap{data: configMaps[name.name]}, true
	})
	require.Equal(t, []discovery.EnvVar{
		{Name: "FELIX_PROMETHEUSMETRICSENABLED", Value: "false"},
		{Name: "FELIX_PROMETHEUSMETRICSPORT", Value: "9292"},
		{Name: "FELIX_PROMETHEUSMETRICSENABLED", Value: "true"},
		{Name: "FELIX_PROMETHEUSMETRICSHOST", Value: "192.0.2.2"},
		{Name: "FELIX_PROMETHEUSMETRICSPORT", Value: "9191"},
		{Name: "FELIX_PROMETHEUSMETRICSKEYFILE", Unreadable: "get configmaps/refused in namespace calico-system"},
		{Name: "FELIX_PROMETHEUSMETRICSCERTFILE", Unreadable: "get secrets/secret in namespace calico-system"},
		{Name: "FELIX_PROMETHEUSMETRICSCLIENTAUTH", Unreadable: "the field metadata.annotations['auth']"},
	}, env)
}
