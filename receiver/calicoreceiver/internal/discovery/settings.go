package discovery

import "strings"

// Ports that Calico uses when nothing is said (felix/config/config_params.go, typha/pkg/config/config_params.go,
// libcalico-go/lib/clientv3/kubecontrollersconfig.go, and cmd/main.go of tigera/operator, where 1.43 changed it).
const (
	felixDefaultPort           = 9091
	typhaDefaultPort           = 9093
	kubeControllersDefaultPort = 9094
	operatorDefaultPort        = 9484
	operatorOldDefaultPort     = 8484
)

// Prefixes of environment variables, in lower case, that carry the parameters of Felix and Typha. Their case does not matter
// (felix/config/env_var_loader.go, typha/pkg/config/env_var_loader.go).
const (
	felixEnvPrefix = "felix_"
	typhaEnvPrefix = "typha_"
)

// Environment variables of the other components, whose case matters.
const (
	envGoldmanePort      = "PROMETHEUS_PORT"
	envMetricsEnabled    = "METRICS_ENABLED"
	envMetricsHost       = "METRICS_HOST"
	envMetricsPort       = "METRICS_PORT"
	envMetricsScheme     = "METRICS_SCHEME"
	envMetricsClientAuth = "METRICS_CLIENT_AUTH"
	// envBackend is what routes between nodes: bird, vxlan, or none where that is not Calico's task.
	envBackend = "CALICO_NETWORKING_BACKEND"
)

// IsSetting says whether discovery reads the environment variable of that name; all others need not be kept.
func IsSetting(env string) bool {
	switch env {
	case envGoldmanePort, envMetricsEnabled, envMetricsHost, envMetricsPort, envMetricsScheme, envMetricsClientAuth, envBackend:
		return true
	}
	env = strings.ToLower(env)
	return strings.HasPrefix(env, felixEnvPrefix+"prometheusmetrics") || strings.HasPrefix(env, typhaEnvPrefix+"prometheusmetrics")
}

// variable finds the environment variable of exactly that name; the zero value is none. The last of several counts.
func (c Container) variable(name string) EnvVar {
	var found EnvVar
	for _, v := range c.Env {
		if v.Name == name {
			found = v
		}
	}
	return found
}

// parameter is one of Felix's or Typha's, spelled as in FelixConfiguration.spec.
type parameter string

const (
	paramEnabled    parameter = "prometheusMetricsEnabled"
	paramHost       parameter = "prometheusMetricsHost"
	paramPort       parameter = "prometheusMetricsPort"
	paramCAFile     parameter = "prometheusMetricsCAFile"
	paramCertFile   parameter = "prometheusMetricsCertFile"
	paramKeyFile    parameter = "prometheusMetricsKeyFile"
	paramClientAuth parameter = "prometheusMetricsClientAuth"
)

// in spells the parameter as the environment variable with a prefix, and as the field of FelixConfiguration, for reasons.
func (p parameter) in(envPrefix string) string { return strings.ToUpper(envPrefix + string(p)) }
func (p parameter) inSpec() string             { return felixConfigurationSpec + string(p) }

// rawValue is what one source says of a parameter, not yet parsed.
type rawValue struct {
	text string
	// unreadable says why the text is not known; empty if it is.
	unreadable string
}

// values are what one source says, by parameter in lower case.
type values map[string]rawValue

func (v values) set(p parameter, text string) { v[strings.ToLower(string(p))] = rawValue{text: text} }

// withoutEmpty drops what is set to the empty string: Felix and Typha take it for not set, and so ask the next source
// (Config.UpdateFrom in felix/config/config_params.go).
func (v values) withoutEmpty() values {
	for name, value := range v {
		if value == (rawValue{}) {
			delete(v, name)
		}
	}
	return v
}

// parameters reads those with a prefix from the environment of a container; the last of several counts, however each is spelled.
func (c Container) parameters(prefix string) values {
	v := values{}
	for _, e := range c.Env {
		if name, ok := strings.CutPrefix(strings.ToLower(e.Name), prefix); ok {
			v[name] = rawValue{text: e.Value, unreadable: e.Unreadable}
		}
	}
	return v.withoutEmpty()
}
