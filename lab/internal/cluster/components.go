package cluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/utils/ptr"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

const (
	operatorNamespace = "tigera-operator"
	operatorVersion   = "v1.34.13"

	// felixComponent runs in a pod of nodeWorkload.
	felixComponent          = "calico-felix"
	nodeWorkload            = "calico-node"
	typhaWorkload           = "calico-typha"
	kubeControllersWorkload = "calico-kube-controllers"

	// typhaServicePort is what clients of Typha dial, whichever port it listens on.
	typhaServicePort = 5473
)

// CreateComponents creates the workloads of Calico's components and one ready pod for every process that runs, and
// returns where they serve metrics.
func (c *Client) CreateComponents(ctx context.Context, p Placement) ([]state.Component, error) {
	var components []state.Component
	if p.Layout == OperatorLayout {
		if err := c.createOperator(ctx); err != nil {
			return nil, err
		}
	}
	nodePod, err := c.createCalicoNode(ctx, p)
	if err != nil {
		return nil, err
	}
	if nodePod != "" {
		components = append(components, component(p, felixComponent, nodePod, felixNode, p.FelixAddress, p.FelixPort))
	}
	typha := podTemplate(p, typhaWorkload, "docker.io/calico/typha:"+CalicoVersion, p.TyphaEnv())
	typha.Spec.HostNetwork = true
	typha.Spec.Containers[0].Ports = []corev1.ContainerPort{{
		Name: typhaWorkload, ContainerPort: int32(p.TyphaServerPort), HostPort: int32(p.TyphaServerPort), Protocol: corev1.ProtocolTCP,
	}}
	if p.Layout == OperatorLayout {
		scrapeAnnotations(&typha, p.TyphaPort)
	}
	typhaPod, err := c.createDeployment(ctx, p.Layout.Namespace(), typhaWorkload, typha, 1)
	if err != nil {
		return nil, err
	}
	components = append(components, component(p, typhaWorkload, typhaPod, localNode, loopback, p.TyphaPort))

	controllers := podTemplate(p, kubeControllersWorkload, "docker.io/calico/kube-controllers:"+CalicoVersion, p.KubeControllersEnv())
	controllersPod, err := c.createDeployment(ctx, p.Layout.Namespace(), kubeControllersWorkload, controllers, 1)
	if err != nil {
		return nil, err
	}
	components = append(components, component(p, kubeControllersWorkload, controllersPod, localNode, loopback, p.KubeControllersPort))
	return components, c.createServices(ctx, p)
}

func component(p Placement, job, pod string, node int, host string, port int) state.Component {
	return state.Component{
		Job: job, Namespace: p.Layout.Namespace(), Pod: pod, Node: NodeName(node),
		Address: net.JoinHostPort(host, strconv.Itoa(port)),
	}
}

func podTemplate(p Placement, name, image string, env []corev1.EnvVar) corev1.PodTemplateSpec {
	labels := map[string]string{"k8s-app": name}
	if p.Layout == OperatorLayout {
		labels["app.kubernetes.io/name"] = name
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{}},
		Spec: corev1.PodSpec{
			Containers:                    []corev1.Container{{Name: name, Image: image, Env: env}},
			NodeSelector:                  map[string]string{"kubernetes.io/os": "linux"},
			Tolerations:                   []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			TerminationGracePeriodSeconds: ptr.To[int64](0),
		},
	}
}

// scrapeAnnotations are what the operator sets where the Installation switched a component's metrics on.
func scrapeAnnotations(template *corev1.PodTemplateSpec, port int) {
	template.Annotations["prometheus.io/scrape"] = "true"
	template.Annotations["prometheus.io/port"] = strconv.Itoa(port)
}

// createCalicoNode creates the DaemonSet and, where Felix runs, its pod. The DaemonSet selects only the node that has a
// Felix, so that its status is true.
func (c *Client) createCalicoNode(ctx context.Context, p Placement) (string, error) {
	template := podTemplate(p, nodeWorkload, "docker.io/calico/node:"+CalicoVersion, p.FelixEnv())
	template.Spec.HostNetwork = true
	template.Spec.NodeSelector[felixLabel] = "true"
	if p.Layout == OperatorLayout {
		scrapeAnnotations(&template, p.FelixPort)
	}
	sets := c.Kube.AppsV1().DaemonSets(p.Layout.Namespace())
	set, err := sets.Create(ctx, &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: nodeWorkload, Labels: template.Labels},
		Spec: appsv1.DaemonSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": nodeWorkload}}, Template: template,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("create DaemonSet %q: %w", nodeWorkload, err)
	}
	var pod string
	var ready int32
	if p.FelixAddress != "" {
		ready = 1
		pod = nodeWorkload + "-" + rand.String(5)
		owner := metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("DaemonSet"))
		hash := map[string]string{"controller-revision-hash": rand.SafeEncodeString(rand.String(8))}
		if err := c.createPod(ctx, p.Layout.Namespace(), pod, template, owner, hash, NodeName(felixNode), p.FelixAddress); err != nil {
			return "", err
		}
	}
	set.Status = appsv1.DaemonSetStatus{
		ObservedGeneration: set.Generation, DesiredNumberScheduled: ready, CurrentNumberScheduled: ready,
		UpdatedNumberScheduled: ready, NumberAvailable: ready, NumberReady: ready,
	}
	if _, err := sets.UpdateStatus(ctx, set, metav1.UpdateOptions{}); err != nil {
		return "", fmt.Errorf("update the status of DaemonSet %q: %w", nodeWorkload, err)
	}
	return pod, nil
}

// createDeployment creates a Deployment with its ReplicaSet and, for one replica, its pod on the node that this machine is.
func (c *Client) createDeployment(ctx context.Context, namespace, name string, template corev1.PodTemplateSpec, replicas int32) (string, error) {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"k8s-app": name}}
	deployments := c.Kube.AppsV1().Deployments(namespace)
	deployment, err := deployments.Create(ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: template.Labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas, Selector: selector, Template: template,
			Strategy: appsv1.DeploymentStrategy{Type: appsv1.RecreateDeploymentStrategyType},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("create Deployment %q: %w", name, err)
	}
	hash := map[string]string{"pod-template-hash": rand.SafeEncodeString(rand.String(9))}
	setName := name + "-" + hash["pod-template-hash"]
	setSelector := selector.DeepCopy()
	maps.Copy(setSelector.MatchLabels, hash)
	setTemplate := *template.DeepCopy()
	maps.Copy(setTemplate.Labels, hash)
	sets := c.Kube.AppsV1().ReplicaSets(namespace)
	set, err := sets.Create(ctx, &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: setName, Labels: setTemplate.Labels, OwnerReferences: []metav1.OwnerReference{
			*metav1.NewControllerRef(deployment, appsv1.SchemeGroupVersion.WithKind("Deployment")),
		}},
		Spec: appsv1.ReplicaSetSpec{Replicas: &replicas, Selector: setSelector, Template: setTemplate},
	}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("create ReplicaSet %q: %w", setName, err)
	}
	var pod string
	if replicas > 0 {
		pod = setName + "-" + rand.String(5)
		owner := metav1.NewControllerRef(set, appsv1.SchemeGroupVersion.WithKind("ReplicaSet"))
		if err := c.createPod(ctx, namespace, pod, setTemplate, owner, nil, NodeName(localNode), loopback); err != nil {
			return "", err
		}
	}
	set.Status = appsv1.ReplicaSetStatus{
		ObservedGeneration: set.Generation, Replicas: replicas, FullyLabeledReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
	}
	if _, err := sets.UpdateStatus(ctx, set, metav1.UpdateOptions{}); err != nil {
		return "", fmt.Errorf("update the status of ReplicaSet %q: %w", setName, err)
	}
	deployment.Status = appsv1.DeploymentStatus{
		ObservedGeneration: deployment.Generation, Replicas: replicas, UpdatedReplicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas,
		Conditions: []appsv1.DeploymentCondition{{
			Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "MinimumReplicasAvailable",
			LastUpdateTime: metav1.Now(), LastTransitionTime: metav1.Now(),
		}},
	}
	if _, err := deployments.UpdateStatus(ctx, deployment, metav1.UpdateOptions{}); err != nil {
		return "", fmt.Errorf("update the status of Deployment %q: %w", name, err)
	}
	return pod, nil
}

func (c *Client) createPod(ctx context.Context, namespace, name string, template corev1.PodTemplateSpec, owner *metav1.OwnerReference,
	labels map[string]string, node, ip string,
) error {
	meta := *template.ObjectMeta.DeepCopy()
	meta.Name = name
	meta.OwnerReferences = []metav1.OwnerReference{*owner}
	maps.Copy(meta.Labels, labels)
	spec := *template.Spec.DeepCopy()
	spec.NodeName = node
	pods := c.Kube.CoreV1().Pods(namespace)
	pod, err := pods.Create(ctx, &corev1.Pod{ObjectMeta: meta, Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create pod %q: %w", name, err)
	}
	pod.Status = RunningStatus(pod, ip, ip)
	if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("update the status of pod %q: %w", name, err)
	}
	return nil
}

// createOperator creates the operator's Deployment scaled to zero: the lab has its objects and no operator process.
func (c *Client) createOperator(ctx context.Context) error {
	const name = "tigera-operator"
	template := podTemplate(Placement{Layout: OperatorLayout}, name, "quay.io/tigera/operator:"+operatorVersion, nil)
	template.Spec.HostNetwork = true
	_, err := c.createDeployment(ctx, operatorNamespace, name, template, 0)
	return err
}

func (c *Client) createServices(ctx context.Context, p Placement) error {
	type service struct {
		name, label, selector, portName string
		port                            int32
		target                          int
		headless                        bool
	}
	services := []service{{typhaWorkload, typhaWorkload, typhaWorkload, typhaWorkload, typhaServicePort, p.TyphaServerPort, false}}
	if p.Layout == OperatorLayout {
		services = append(services,
			service{"calico-typha-metrics", "calico-typha-metrics", typhaWorkload, "calico-typha-metrics", int32(p.TyphaPort), p.TyphaPort, false},
			service{"calico-kube-controllers-metrics", kubeControllersWorkload, kubeControllersWorkload, "metrics-port", int32(p.KubeControllersPort), p.KubeControllersPort, true},
		)
	}
	for _, s := range services {
		object := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: s.name, Labels: map[string]string{"k8s-app": s.label}},
			Spec: corev1.ServiceSpec{
				Selector: map[string]string{"k8s-app": s.selector},
				Ports:    []corev1.ServicePort{{Name: s.portName, Port: s.port, TargetPort: intstr.FromInt32(int32(s.target)), Protocol: corev1.ProtocolTCP}},
			},
		}
		if s.headless {
			object.Spec.ClusterIP = corev1.ClusterIPNone
			object.Annotations = map[string]string{"prometheus.io/scrape": "true", "prometheus.io/port": strconv.Itoa(int(s.port))}
		}
		if _, err := c.Kube.CoreV1().Services(p.Layout.Namespace()).Create(ctx, object, metav1.CreateOptions{}); err != nil {
			return fmt.Errorf("create Service %q: %w", s.name, err)
		}
	}
	return nil
}
