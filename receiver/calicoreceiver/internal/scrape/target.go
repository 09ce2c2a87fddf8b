package scrape

import (
	"cmp"

	"github.com/prometheus/common/model"
)

// Target is one metrics endpoint. The label instance is its Address.
type Target struct {
	// Address is host:port.
	Address string
	// Scheme is http or https; empty is http.
	Scheme string
	// Path of the URL; empty is /metrics.
	Path string
	// Namespace, Pod, PodUID, Node and Container say where the endpoint runs; empty is unknown.
	// They become k8s.* resource attributes.
	Namespace, Pod, PodUID, Node, Container string
	// ControllerKind and ControllerName are the pod's controller, as in DaemonSet and calico-node.
	ControllerKind, ControllerName string
}

const (
	defaultScheme = "http"
	defaultPath   = "/metrics"
)

// labels that the Prometheus receiver maps to resource attributes, and Prometheus drops after relabelling.
const (
	labelNamespace      = "__meta_kubernetes_namespace"
	labelPod            = "__meta_kubernetes_pod_name"
	labelPodUID         = "__meta_kubernetes_pod_uid"
	labelNode           = "__meta_kubernetes_pod_node_name"
	labelContainer      = "__meta_kubernetes_pod_container_name"
	labelControllerKind = "__meta_kubernetes_pod_controller_kind"
	labelControllerName = "__meta_kubernetes_pod_controller_name"

	// labelIdentity is not dropped before Prometheus compares targets, unlike the labels above, and is in no series. Without it a pod that takes
	// the place of another at the same address, as hostNetwork pods do, would take over its scrape loop and leave its series without an end.
	labelIdentity = "__calico_pod_uid"
)

func (t Target) labels() model.LabelSet {
	id := t.identity()
	set := model.LabelSet{}
	for name, value := range map[model.LabelName]string{
		model.AddressLabel: id.address, model.SchemeLabel: id.scheme, model.MetricsPathLabel: id.path, labelIdentity: id.podUID,
		labelNamespace: t.Namespace, labelPod: t.Pod, labelPodUID: t.PodUID, labelNode: t.Node, labelContainer: t.Container,
		labelControllerKind: t.ControllerKind, labelControllerName: t.ControllerName,
	} {
		if value != "" {
			set[name] = model.LabelValue(value)
		}
	}
	return set
}

func (t Target) identity() identity {
	return identity{address: t.Address, podUID: t.PodUID, scheme: cmp.Or(t.Scheme, defaultScheme), path: cmp.Or(t.Path, defaultPath)}
}

func compareTargets(a, b Target) int {
	return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.PodUID, b.PodUID), cmp.Compare(a.Scheme, b.Scheme), cmp.Compare(a.Path, b.Path))
}
