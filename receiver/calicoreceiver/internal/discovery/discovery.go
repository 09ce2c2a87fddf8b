// Package discovery turns what the Kubernetes API says of Calico's pods and settings into /metrics endpoints, each with a state and a reason.
// It is pure: it takes values and returns values, in the same order for the same input.
package discovery

import (
	"maps"
	"slices"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Component is a part of Calico that publishes metrics, spelled as its key in the receiver's configuration.
type Component string

// The components that discovery knows.
const (
	Felix           Component = "felix"
	Typha           Component = "typha"
	KubeControllers Component = "kube_controllers"
	Goldmane        Component = "goldmane"
	Operator        Component = "operator"
	// IPAM is Calico's address management. It has no endpoint of its own: its pools and blocks are read from the Kubernetes API.
	IPAM Component = "ipam"
)

// Components lists every component that is scraped, in the order of reports.
func Components() []Component { return []Component{Felix, Typha, KubeControllers, Goldmane, Operator} }

// Job is the component's value of the label job.
func (c Component) Job() string {
	switch c {
	case Felix:
		return calicometric.JobFelix
	case Typha:
		return calicometric.JobTypha
	case KubeControllers:
		return calicometric.JobKubeControllers
	case Goldmane:
		return calicometric.JobGoldmane
	case Operator:
		return calicometric.JobOperator
	case IPAM:
		return calicometric.JobIPAM
	}
	return string(c)
}

// Labels of pods.
const (
	// AppLabel is the one by which Calico's own Services and policies tell its components apart, in operator and manifest installs alike.
	AppLabel = "k8s-app"
	// NameLabel is the one that the operator adds to it (pkg/controller/utils/component.go of tigera/operator), so that policies may select by it.
	NameLabel = "app.kubernetes.io/name"
)

// app is what runs in the pods with one value of AppLabel.
type app struct {
	component Component
	// container is the name that Calico gives to the one that serves the metrics.
	container string
}

// apps by value of AppLabel. Images are no help: Calico 3.33 ships most components in one.
var apps = map[string]app{
	"calico-node":             {Felix, "calico-node"},
	"calico-node-windows":     {Felix, "felix"},
	"canal":                   {Felix, "calico-node"},
	"calico-typha":            {Typha, "calico-typha"},
	"calico-kube-controllers": {KubeControllers, "calico-kube-controllers"},
	"goldmane":                {Goldmane, "goldmane"},
	"tigera-operator":         {Operator, "tigera-operator"},
}

// Apps lists the values of AppLabel that discovery asks for, sorted.
func Apps() []string { return slices.Sorted(maps.Keys(apps)) }

// appOf says what runs in a pod. The pods of a Job are Helm's hooks, which install or remove a component whose label they may bear.
func appOf(pod Pod) (app, bool) {
	a, ok := apps[pod.App]
	return a, ok && pod.ControllerKind != "Job"
}

// ComponentOf is what runs in a pod; empty where that is no component.
func ComponentOf(pod Pod) Component {
	a, ok := appOf(pod)
	if !ok {
		return ""
	}
	return a.component
}

// serving is the container that serves the metrics, whatever stands beside it: the one that Calico names so, else the first.
func (a app) serving(pod Pod) Container {
	for _, c := range pod.Containers {
		if c.Name == a.container {
			return c
		}
	}
	if len(pod.Containers) == 0 {
		return Container{}
	}
	return pod.Containers[0]
}
