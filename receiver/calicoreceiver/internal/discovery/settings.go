package discovery

import (
	"strconv"
	"strings"
)

// Ports that Calico uses when nothing is said (felix/config/config_params.go, typha/pkg/config/config_params.go,
// libcalico-go/lib/clientv3/kubecontrollersconfig.go).
const (
	felixDefaultPort           = 9091
	typhaDefaultPort           = 9093
	kubeControllersDefaultPort = 9094
)

// Names of the parameters, in lower case: Felix and Typha compare them so.
const (
	paramEnabled = "prometheusmetricsenabled"
	paramHost    = "prometheusmetricshost"
	paramPort    = "prometheusmetricsport"
)

// Prefixes of environment variables, in lower case, that carry parameters.
const (
	felixEnvPrefix = "felix_"
	typhaEnvPrefix = "typha_"
)

// IsSetting says whether discovery reads the environment variable of that name; all others need not be kept.
func IsSetting(env string) bool {
	env = strings.ToLower(env)
	return strings.HasPrefix(env, felixEnvPrefix+"prometheusmetrics") || strings.HasPrefix(env, typhaEnvPrefix+"prometheusmetrics")
}

// parameters are raw values by lower-case name, as one source gives them.
type parameters map[string]string

// env reads the parameters with a prefix from the environment of a pod's containers. The names are case-insensitive, as
// felix/config/env_var_loader.go has it.
func env(pod Pod, prefix string) parameters {
	p := parameters{}
	for _, c := range pod.Containers {
		for _, v := range c.Env {
			if name, ok := strings.CutPrefix(strings.ToLower(v.Name), prefix); ok {
				p[name] = v.Value
			}
		}
	}
	return p
}

func (c FelixConfiguration) parameters() parameters {
	p := parameters{}
	if c.PrometheusMetricsEnabled != nil {
		p[paramEnabled] = strconv.FormatBool(*c.PrometheusMetricsEnabled)
	}
	if c.PrometheusMetricsPort != nil {
		p[paramPort] = strconv.FormatInt(*c.PrometheusMetricsPort, 10)
	}
	if c.PrometheusMetricsHost != "" {
		p[paramHost] = c.PrometheusMetricsHost
	}
	return p
}

// resolve finds the effective value of a parameter as Felix does (Config.resolve in felix/config/config_params.go): the first source that
// names it decides; "none" is the zero value; a value that cannot be parsed falls back to the default, not to the next source.
func resolve[T any](name string, parse func(string) (T, bool), fallback T, sources ...parameters) T {
	for _, source := range sources {
		raw, ok := source[name]
		if !ok {
			continue
		}
		if strings.EqualFold(raw, "none") {
			var zero T
			return zero
		}
		if value, ok := parse(raw); ok {
			return value
		}
		return fallback
	}
	return fallback
}

// parseBool accepts what BoolParam in felix/config/param_types.go accepts.
func parseBool(raw string) (value, ok bool) {
	switch strings.ToLower(raw) {
	case "true", "1", "yes", "y", "t":
		return true, true
	case "false", "0", "no", "n", "f":
		return false, true
	}
	return false, false
}

func parsePort(raw string) (int64, bool) {
	port, err := strconv.ParseInt(raw, 0, 32) // as IntParam in felix/config/param_types.go
	return port, err == nil && port >= 0 && port <= 65535
}

func validPort(port int64) bool { return port > 0 && port <= 65535 }

func parseHost(raw string) (string, bool) { return raw, true }

// felixServer applies Felix's order of sources: environment, FelixConfiguration node.<name>, FelixConfiguration default.
func felixServer(pod Pod, configurations map[string]FelixConfiguration) metricsServer {
	environment := env(pod, felixEnvPrefix)
	if _, decided := environment[paramEnabled]; !decided && configurations == nil {
		return metricsServer{unknown: "felixconfigurations may not be listed and watched"}
	}
	sources := []parameters{
		environment,
		configurations["node."+pod.Node].parameters(),
		configurations["default"].parameters(),
	}
	return server("FelixConfiguration spec.prometheusMetricsEnabled or Installation spec.nodeMetricsPort", felixDefaultPort, sources...)
}

// typhaServer reads the environment; Typha has no resource of its own, and the operator sets the environment from Installation.
func typhaServer(pod Pod) metricsServer {
	return server("TYPHA_PROMETHEUSMETRICSENABLED or Installation spec.typhaMetricsPort", typhaDefaultPort, env(pod, typhaEnvPrefix))
}

func server(enableBy string, defaultPort int64, sources ...parameters) metricsServer {
	port := resolve(paramPort, parsePort, defaultPort, sources...)
	return metricsServer{
		enabled:  resolve(paramEnabled, parseBool, false, sources...) && validPort(port),
		enableBy: enableBy,
		host:     resolve(paramHost, parseHost, "", sources...),
		port:     port,
	}
}

// kubeControllersServer reads the port from KubeControllersConfiguration, the only place that has it. Where the resource cannot be read,
// Calico's default is the best guess: kube-controllers creates the resource with that port when it starts.
func kubeControllersServer(configuration *KubeControllersConfiguration) metricsServer {
	s := metricsServer{
		enabled:  true,
		enableBy: "KubeControllersConfiguration default spec.prometheusMetricsPort",
		port:     kubeControllersDefaultPort,
	}
	if configuration == nil {
		return s
	}
	port := configuration.PrometheusMetricsPort
	s.enabled = port != nil && validPort(*port)
	if s.enabled {
		s.port = *port
	}
	return s
}
