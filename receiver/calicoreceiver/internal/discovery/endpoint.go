package discovery

import (
	"cmp"
	"net"
	"slices"
	"strconv"
	"strings"
)

// State says what becomes of an endpoint.
type State string

// The states of an endpoint. Reasons tells the reasons of each.
const (
	// Scraped endpoints are targets; of IPAM it means that what it is counted from is read.
	Scraped State = "scraped"
	// Disabled components have no metrics server; the reason names the setting to change.
	Disabled State = "disabled"
	// NotReady pods do not run or have no address yet.
	NotReady State = "not_ready"
	// Forbidden endpoints depend on what may not be read; the reason is the missing right.
	Forbidden State = "forbidden"
	// TLSRequired endpoints ask for more than the receiver is configured for; the reason is the key that is missing in its configuration.
	TLSRequired State = "tls_required"
	// Blocked endpoints cannot be reached from outside their node or through Calico's own policies.
	Blocked State = "blocked"
	// Unreachable endpoints are targets whose scrapes fail.
	Unreachable State = "unreachable"
	// Absent components do not run in this cluster.
	Absent State = "absent"
	// Unsupported is what this cluster does without: the addresses of its pods are not Calico's.
	Unsupported State = "unsupported"
)

// Endpoint is one metrics server of one component, running or not, or what there is instead of one.
type Endpoint struct {
	Component Component
	State     State
	// Reason says why, in one of the few words that Reasons lists: what there is to change.
	Reason string
	// Detail says the same in a sentence for the log.
	Detail string
	// Scheme is http or https, and Address host:port; both are empty where there is nothing to scrape.
	Scheme, Address string
	// Path of the metrics; empty is /metrics, which is all that Calico knows.
	Path string
	// Container is the name of the container that serves the metrics.
	Container string
	// Pod is the zero value where no pod was found.
	Pod Pod
}

// IsTarget says whether the endpoint is scraped, also where that fails at present.
func (e Endpoint) IsTarget() bool { return e.Address != "" }

// Endpoints finds the endpoints of all components in scope: one a pod, or one that says why there is no pod. They are ordered by component and pod.
func Endpoints(in Input) []Endpoint {
	all := newServers(in)
	var out []Endpoint
	found := map[Component]bool{}
	for _, pod := range in.Pods {
		a, ok := appOf(pod)
		if !ok {
			continue
		}
		found[a.component] = true
		if slices.Contains(in.Scope, a.component) {
			out = append(out, endpoint(a, pod, all, in.Clients[a.component]))
		}
	}
	// Where Calico's data is in an etcd of its own, its pods are all that the API server knows of it.
	installed := in.CalicoInstalled || len(found) > 0
	for _, component := range Components() {
		if slices.Contains(in.Scope, component) && !found[component] {
			out = append(out, withoutPod(component, in.PodsMissing, installed))
		}
	}
	if slices.Contains(in.Scope, IPAM) {
		out = append(out, ipam(in))
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

func endpoint(a app, pod Pod, all servers, client Client) Endpoint {
	container := a.serving(pod)
	e := Endpoint{Component: a.component, Pod: pod, Container: container.Name}
	server := all.of(a.component, pod.Node, container)
	switch {
	case server.missing != "":
		return e.with(Forbidden, server.missing, "whether and where it serves metrics is not known without: "+server.missing)
	case server.offBy != "":
		return e.with(Disabled, server.offBy, "serves no metrics: "+server.why)
	case !pod.Running:
		return e.with(NotReady, ReasonPodNotRunning, "does not run")
	case pod.IP == "":
		return e.with(NotReady, ReasonPodHasNoIP, "has no address yet")
	case server.onLoopbackOf(pod.IP):
		return e.with(Blocked, ReasonLoopbackOnly, "serves metrics on "+server.host+" only, which nothing but its own node reaches")
	case server.https && !client.Verifies:
		return e.with(TLSRequired, ReasonTLSCAFile, "serves metrics with TLS, and the receiver is not told how to verify the certificate")
	case server.https && server.clientCertificate && !client.Certificate:
		return e.with(TLSRequired, ReasonTLSCertFile, "serves metrics to clients with a certificate only, and the receiver has none")
	}
	e.Scheme = "http"
	if server.https {
		e.Scheme = "https"
	}
	e.Address = net.JoinHostPort(server.reachableAt(pod.IP), strconv.FormatInt(server.port, 10))
	return e.with(Scraped, ReasonOK, "serves metrics at "+e.url())
}

// with sets the state; the detail is what is to be said of the pod, if there is one.
func (e Endpoint) with(state State, reason, detail string) Endpoint {
	e.State, e.Reason, e.Detail = state, reason, detail
	if e.Pod.Name != "" {
		e.Detail = "pod " + e.Pod.Namespace + "/" + e.Pod.Name + " " + detail
	}
	return e
}

func (e Endpoint) url() string { return e.Scheme + "://" + e.Address + cmp.Or(e.Path, "/metrics") }

// withoutPod says why a component has no pod.
func withoutPod(component Component, podsMissing []string, installed bool) Endpoint {
	e := Endpoint{Component: component}
	switch {
	case len(podsMissing) > 0:
		return e.with(Forbidden, podsMissing[0], "whether it runs is not known without: "+strings.Join(podsMissing, ", "))
	case !installed:
		return e.with(Absent, ReasonNoCalico, "the API server serves none of Calico's resources, and no pod of Calico was found")
	}
	var labels []string
	for _, name := range Apps() {
		if apps[name].component == component {
			labels = append(labels, AppLabel+"="+name)
		}
	}
	return e.with(Absent, ReasonNoPods, "no pod has the label "+strings.Join(labels, " or "))
}

// EndpointCount is a number of endpoints that are alike.
type EndpointCount struct {
	Component Component
	State     State
	Reason    string
	Endpoints int
}

// Count counts endpoints by component, state and reason, and orders the counts so.
func Count(endpoints []Endpoint) []EndpointCount {
	counts := map[EndpointCount]int{}
	for _, e := range endpoints {
		counts[EndpointCount{Component: e.Component, State: e.State, Reason: e.Reason}]++
	}
	out := make([]EndpointCount, 0, len(counts))
	for c, n := range counts {
		c.Endpoints = n
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b EndpointCount) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.State, b.State), cmp.Compare(a.Reason, b.Reason))
	})
	return out
}
