// Package discovery turns what the Kubernetes API says of Calico's pods and settings into /metrics endpoints, each with a state and a reason.
// It is pure: it takes values and returns values, in the same order for the same input.
package discovery

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
)

// Component is a part of Calico that publishes metrics, spelled as its key in the receiver's configuration.
type Component string

// The components that discovery knows.
const (
	Felix           Component = "felix"
	Typha           Component = "typha"
	KubeControllers Component = "kube_controllers"
)

// Components lists every component, in the order of reports.
func Components() []Component { return []Component{Felix, Typha, KubeControllers} }

// Job is the component's value of the label job.
func (c Component) Job() string {
	switch c {
	case Felix:
		return calicometric.JobFelix
	case Typha:
		return calicometric.JobTypha
	case KubeControllers:
		return calicometric.JobKubeControllers
	}
	return string(c)
}

// AppLabel is the pod label by which Calico's own Services and policies tell its components apart, in operator and manifest installs alike.
const AppLabel = "k8s-app"

// apps maps values of AppLabel to components. Images are no help: Calico 3.33 ships most components in one.
var apps = map[string]Component{
	"calico-node":             Felix,
	"calico-node-windows":     Felix,
	"canal":                   Felix,
	"calico-typha":            Typha,
	"calico-kube-controllers": KubeControllers,
}

// Apps lists the values of AppLabel that discovery asks for, sorted.
func Apps() []string {
	names := make([]string, 0, len(apps))
	for name := range apps {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Pod is what discovery reads of a pod.
type Pod struct {
	Namespace, Name, UID string
	// App is the value of AppLabel.
	App string
	// Node and IP are empty until the pod is scheduled and has an address.
	Node, IP string
	// Running is true in phase Running; readiness is not asked for, since a component that is not ready has the more to tell.
	Running bool
	// ControllerKind and ControllerName are the pod's controller, as in DaemonSet and calico-node.
	ControllerKind, ControllerName string
	// Containers in the order of the pod's spec.
	Containers []Container
}

// Container is what discovery reads of a container: its name and the settings in its environment.
type Container struct {
	Name string
	Env  []EnvVar
}

// EnvVar is one literal environment variable.
type EnvVar struct{ Name, Value string }

// Input is everything that endpoints are computed from.
type Input struct {
	Pods []Pod
	// FelixConfigurations by name: default, and node.<name> for one node. Nil where they may not be read.
	FelixConfigurations map[string]FelixConfiguration
	// KubeControllers is the KubeControllersConfiguration named default; nil where it does not exist or cannot be read.
	KubeControllers *KubeControllersConfiguration
}

// FelixConfiguration is what discovery reads of the resource of that name; nil and empty mean not set.
type FelixConfiguration struct {
	PrometheusMetricsEnabled *bool
	PrometheusMetricsPort    *int64
	PrometheusMetricsHost    string
}

// KubeControllersConfiguration is what discovery reads of the resource of that name.
type KubeControllersConfiguration struct {
	// PrometheusMetricsPort: nil and 0 both mean that kube-controllers serves no metrics.
	PrometheusMetricsPort *int64
}

// State says what becomes of an endpoint.
type State string

// The states of an endpoint.
const (
	// Scraped endpoints are targets.
	Scraped State = "scraped"
	// Disabled components have no metrics server; the reason names the setting that starts it.
	Disabled State = "disabled"
	// NotReady pods do not run or have no address yet.
	NotReady State = "not_ready"
	// Forbidden endpoints depend on settings that may not be read.
	Forbidden State = "forbidden"
	// Blocked endpoints cannot be reached from outside their node.
	Blocked State = "blocked"
)

// Endpoint is one metrics server of one component, running or not.
type Endpoint struct {
	Component Component
	State     State
	// Reason explains every state but Scraped.
	Reason string
	// Address is host:port, empty unless State is Scraped.
	Address string
	// Container is the name of the container that serves the metrics.
	Container string
	Pod       Pod
}

// Endpoints finds the endpoints of all components, ordered by component and pod.
func Endpoints(in Input) []Endpoint {
	var out []Endpoint
	for _, pod := range in.Pods {
		component, ok := apps[pod.App]
		if !ok {
			continue
		}
		out = append(out, endpoint(component, pod, in))
	}
	slices.SortFunc(out, func(a, b Endpoint) int {
		return cmp.Or(
			cmp.Compare(a.Component, b.Component),
			cmp.Compare(a.Pod.Namespace, b.Pod.Namespace),
			cmp.Compare(a.Pod.Name, b.Pod.Name),
			cmp.Compare(a.Pod.UID, b.Pod.UID),
		)
	})
	return out
}

func endpoint(component Component, pod Pod, in Input) Endpoint {
	e := Endpoint{Component: component, Pod: pod}
	var server metricsServer
	switch component {
	case Felix:
		server = felixServer(pod, in.FelixConfigurations)
	case Typha:
		server = typhaServer(pod)
	case KubeControllers:
		server = kubeControllersServer(in.KubeControllers)
	}
	e.Container = containerName(component, pod)
	switch {
	case server.unknown != "":
		e.State, e.Reason = Forbidden, server.unknown
	case !server.enabled:
		e.State, e.Reason = Disabled, server.enableBy
	case !pod.Running || pod.IP == "":
		e.State, e.Reason = NotReady, "the pod does not run or has no address"
	case server.onLoopbackOf(pod.IP):
		e.State, e.Reason = Blocked, "the metrics server listens on loopback only: set prometheusMetricsHost to an address of the node"
	default:
		e.State = Scraped
		e.Address = net.JoinHostPort(server.reachableAt(pod.IP), strconv.FormatInt(server.port, 10))
	}
	return e
}

// metricsServer is the effective setting of one component's metrics server.
type metricsServer struct {
	unknown  string // why the setting is not known; empty if it is
	enabled  bool
	enableBy string // the setting that switches it on
	host     string // the address it listens on; empty is all
	port     int64
}

// onLoopbackOf says whether only the node itself reaches the server. Its loopback address would lead a scraper elsewhere to its own node.
func (s metricsServer) onLoopbackOf(podIP string) bool {
	if s.host == podIP {
		return false
	}
	addr, err := netip.ParseAddr(s.host)
	return s.host == "localhost" || err == nil && addr.IsLoopback()
}

// reachableAt is the address to scrape: where the server listens, or the pod's own address when it listens on all.
func (s metricsServer) reachableAt(podIP string) string {
	if s.host == "" {
		return podIP
	}
	if addr, err := netip.ParseAddr(s.host); err == nil && addr.IsUnspecified() {
		return podIP
	}
	return s.host
}

// containerName is the container that runs the component: the only one, or the one Calico names after it.
func containerName(component Component, pod Pod) string {
	if len(pod.Containers) == 0 {
		return ""
	}
	known := map[Component][]string{
		Felix:           {"calico-node", "felix"},
		Typha:           {"calico-typha"},
		KubeControllers: {"calico-kube-controllers"},
	}[component]
	for _, c := range pod.Containers {
		if slices.Contains(known, c.Name) {
			return c.Name
		}
	}
	return pod.Containers[0].Name
}
