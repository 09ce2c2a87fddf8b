package discovery

import (
	"net/netip"
	"strconv"
	"strings"
)

// metricsServer is the effective setting of one component's metrics server.
type metricsServer struct {
	// missing is the right without which the setting is not known; empty if it is.
	missing string
	// offBy is the setting on account of which there is no server, and why says how; empty if there is one.
	offBy, why string
	// host is the address it listens on; empty is all.
	host string
	port int64
	// https is true where it serves TLS, and clientCertificate where it asks for a certificate of the client then.
	https, clientCertificate bool
}

// onLoopbackOf says whether only the node itself reaches the server. Its loopback address would lead a scraper elsewhere to its own node.
func (s metricsServer) onLoopbackOf(podIP string) bool {
	if s.host == podIP {
		return false
	}
	addr, err := netip.ParseAddr(s.host)
	return strings.EqualFold(s.host, "localhost") || err == nil && addr.IsLoopback()
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

// servers knows the settings of a cluster that the metrics servers of its pods depend on.
type servers struct {
	felix           felixSettings
	installation    *Installation
	kubeControllers *KubeControllersConfiguration
}

func newServers(in Input) servers {
	return servers{felix: newFelixSettings(in), installation: in.Installation, kubeControllers: in.KubeControllers.Value}
}

// of finds the metrics server of a component that runs in a container on a node.
func (s servers) of(component Component, node string, c Container) metricsServer {
	switch component {
	case Felix:
		return s.felix.server(node, c)
	case Typha:
		return typhaServer(c, s.installation)
	case KubeControllers:
		return kubeControllersServer(s.kubeControllers)
	case Goldmane:
		return goldmaneServer(c)
	case Operator:
		return operatorServer(c)
	case IPAM:
	}
	return metricsServer{offBy: string(component), why: "it has no metrics server"}
}

// kubeControllersServer reads the port from KubeControllersConfiguration, the only place that has it. Where the resource cannot be read or does not
// exist, Calico's default is the best guess: kube-controllers creates the resource with that port when it starts (getOrCreateSnapshot in
// kube-controllers/pkg/config/runconfig.go).
func kubeControllersServer(configuration *KubeControllersConfiguration) metricsServer {
	if configuration == nil {
		return metricsServer{port: kubeControllersDefaultPort}
	}
	switch port := configuration.PrometheusMetricsPort; {
	case port == nil:
		return metricsServer{offBy: kubeControllersPort, why: "KubeControllersConfiguration default has no prometheusMetricsPort"}
	case !validPort(*port):
		return metricsServer{offBy: kubeControllersPort, why: "prometheusMetricsPort is " + strconv.FormatInt(*port, 10) + " in KubeControllersConfiguration default"}
	default:
		return metricsServer{port: *port}
	}
}

// goldmaneServer reads the environment, into which the operator puts Goldmane.spec.metricsPort (goldmane/pkg/daemon/daemon.go, which knows no host
// and no TLS for its metrics).
func goldmaneServer(c Container) metricsServer {
	v := c.variable(envGoldmanePort)
	if v.Unreadable != "" {
		return metricsServer{missing: v.Unreadable}
	}
	// As github.com/kelseyhightower/envconfig reads an int. Goldmane does not start with what is no number.
	port, err := strconv.ParseInt(v.Value, 0, 64)
	switch {
	case v.Value == "":
		return metricsServer{offBy: goldmanePort, why: envGoldmanePort + " is not set"}
	case err != nil || !validPort(port):
		return metricsServer{offBy: goldmanePort, why: envGoldmanePort + " is " + strconv.Quote(v.Value)}
	}
	return metricsServer{port: port}
}
