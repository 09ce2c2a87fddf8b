package labtest

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RunningPod creates a pod of a component that runs, as far as the API says. It goes with the test.
func (l *Lab) RunningPod(t *testing.T, app, ip string, container corev1.Container) *corev1.Pod {
	t.Helper()
	container.Name, container.Image = app, app
	pods := l.Kube(t).CoreV1().Pods("calico-system")
	pod, err := pods.Create(t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: app + "-", Labels: map[string]string{"k8s-app": app, "app.kubernetes.io/name": app}},
		Spec:       corev1.PodSpec{NodeName: "node-2", Containers: []corev1.Container{container}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}}
	pod, err = pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() { l.DeletePod(t, pod) })
	return pod
}

// DeletePod deletes a pod at once, unless it is gone.
func (l *Lab) DeletePod(t *testing.T, pod *corev1.Pod) {
	t.Helper()
	now := int64(0)
	err := l.Kube(t).CoreV1().Pods(pod.Namespace).Delete(cleanup(t), pod.Name, metav1.DeleteOptions{GracePeriodSeconds: &now})
	if !apierrors.IsNotFound(err) {
		require.NoError(t, err)
	}
}
