package discovery

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// felix looks for Felix, which these FelixConfigurations and the environment of its container configure.
func felix(configurations map[string]FelixConfiguration, env ...EnvVar) Input {
	in := only(Felix, felixPod(env...))
	in.FelixConfigurations.Value = configurations
	return in
}

// with changes an input.
func with(in Input, how func(*Input)) Input {
	how(&in)
	return in
}

// enabledAt is a FelixConfiguration that switches metrics on, at a port.
func enabledAt(port int64) FelixConfiguration {
	return FelixConfiguration{PrometheusMetricsEnabled: ptr(true), PrometheusMetricsPort: &port}
}

// selecting makes a FelixConfiguration one for the nodes that a selector picks.
func selecting(selector string, created int64, c FelixConfiguration) FelixConfiguration {
	c.NodeSelector, c.Created = &selector, created
	return c
}

// tlsConfiguration switches TLS on.
func tlsConfiguration(clientAuth string) FelixConfiguration {
	return FelixConfiguration{
		PrometheusMetricsEnabled: ptr(true),
		PrometheusMetricsCAFile:  "/ca", PrometheusMetricsCertFile: "/cert", PrometheusMetricsKeyFile: "/key", PrometheusMetricsClientAuth: clientAuth,
	}
}

const (
	at9091     = "scraped ok http://192.0.2.10:9091"
	offBySpec  = "disabled FelixConfiguration.spec.prometheusMetricsEnabled"
	offByEnv   = "disabled FELIX_PROMETHEUSMETRICSENABLED"
	listFelix  = "list felixconfigurations.crd.projectcalico.org"
	listNodes  = "list nodes"
	getConfigs = "get configmaps/felix in namespace calico-system"
)

func TestFelix(t *testing.T) {
	type configurations = map[string]FelixConfiguration
	enabled := v("FELIX_PROMETHEUSMETRICSENABLED", "true")
	port := func(value string) EnvVar { return v("FELIX_PROMETHEUSMETRICSPORT", value) }
	host := func(value string) EnvVar { return v("FELIX_PROMETHEUSMETRICSHOST", value) }
	noFelixRight := func(in *Input) { in.FelixConfigurations = Readable[map[string]FelixConfiguration]{Missing: listFelix} }
	for _, tc := range []struct {
		name string
		in   Input
		want string
	}{
		{"it is off by default", felix(nil), offBySpec},
		{"it is switched on by its environment", felix(nil, enabled), at9091},
		{"its environment switches it off", felix(configurations{"default": enabledAt(9999)}, v("FELIX_PROMETHEUSMETRICSENABLED", "false")), offByEnv},
		{"what is no boolean in its environment is the default, off", felix(configurations{"default": enabledAt(9999)}, v("FELIX_PROMETHEUSMETRICSENABLED", "on")), offByEnv},
		{"none is off", felix(configurations{"default": enabledAt(9999)}, v("FELIX_PROMETHEUSMETRICSENABLED", "None")), offByEnv},
		{"an empty variable is not set, so that the next source decides", felix(configurations{"default": enabledAt(9999)}, v("FELIX_PROMETHEUSMETRICSENABLED", ""), port("")), "scraped ok http://192.0.2.10:9999"},
		{"names of environment variables are case-insensitive", felix(nil, v("FELIX_PrometheusMetricsEnabled", "Yes"), v("felix_prometheusmetricsport", "9191")), "scraped ok http://192.0.2.10:9191"},
		{"the last of several variables counts, however each is spelled", felix(nil, enabled, v("felix_PrometheusMetricsEnabled", "no")), offByEnv},
		{"an empty variable hides the ones before it", felix(configurations{"default": {PrometheusMetricsEnabled: ptr(false)}}, enabled, v("felix_prometheusmetricsenabled", "")), offBySpec},
		{"variables of Typha and others are not Felix's", felix(nil, v("TYPHA_PROMETHEUSMETRICSENABLED", "true"), v("METRICS_ENABLED", "true")), offBySpec},
		{"FelixConfiguration default switches it on", felix(configurations{"default": enabledAt(9999)}), "scraped ok http://192.0.2.10:9999"},
		{
			"FelixConfiguration of the node beats default",
			felix(configurations{"default": enabledAt(9999), "node.node-1": {PrometheusMetricsPort: ptr(int64(9292))}, "node.node-2": {PrometheusMetricsPort: ptr(int64(9393))}}),
			"scraped ok http://192.0.2.10:9292",
		},
		{"FelixConfiguration of the node switches it off", felix(configurations{"default": enabledAt(9999), "node.node-1": {PrometheusMetricsEnabled: ptr(false)}}), offBySpec},

		{"ports are read as Calico reads them", felix(nil, enabled, port("0x2384")), "scraped ok http://192.0.2.10:9092"},
		{"a port that Felix cannot parse is its default, not the next source's", felix(configurations{"default": enabledAt(9999)}, port("many")), at9091},
		{"a port that is out of range is the default", felix(configurations{"default": enabledAt(70000)}), at9091},
		{"a port that is chosen at random cannot be known", felix(nil, enabled, port("0")), "disabled FELIX_PROMETHEUSMETRICSPORT"},
		{"none is port 0", felix(nil, enabled, port("none")), "disabled FELIX_PROMETHEUSMETRICSPORT"},
		{"port 0 in FelixConfiguration", felix(configurations{"default": enabledAt(0)}), "disabled FelixConfiguration.spec.prometheusMetricsPort"},
		{
			"port 0 that the operator gives is its own setting",
			with(felix(nil, enabled, port("0")), func(in *Input) { in.Installation = &Installation{NodeMetricsPort: ptr(int64(0))} }), "disabled Installation.spec.nodeMetricsPort",
		},
		{
			"the operator's port beats every FelixConfiguration",
			with(felix(configurations{"default": {PrometheusMetricsEnabled: ptr(false), PrometheusMetricsPort: ptr(int64(9999))}}, enabled, port("9090")), func(in *Input) {
				in.Installation = &Installation{NodeMetricsPort: ptr(int64(9090))}
			}),
			"scraped ok http://192.0.2.10:9090",
		},

		{"it may listen on one address only", felix(nil, enabled, host("198.51.100.4")), "scraped ok http://198.51.100.4:9091"},
		{"all addresses are the pod's", felix(nil, enabled, host("0.0.0.0")), at9091},
		{"all IPv6 addresses are the pod's", felix(nil, enabled, host("::")), at9091},
		{"none is all addresses", felix(configurations{"default": {PrometheusMetricsHost: "198.51.100.4"}}, enabled, host("none")), at9091},
		{"a host that Felix does not accept is its default, all addresses", felix(nil, enabled, host("[::1]")), at9091},
		{"a host of more than 64 characters is not accepted either", felix(nil, enabled, host(strings.Repeat("a", 65))), at9091},
		{"a loopback address would be the scraper's own", felix(nil, enabled, host("127.0.0.1")), "blocked loopback_only"},
		{"an IPv6 loopback address would be the scraper's own", felix(nil, enabled, host("::1")), "blocked loopback_only"},
		{"localhost would be the scraper's own", felix(nil, enabled, host("localhost")), "blocked loopback_only"},
		{
			"a loopback address that is the pod's is its own",
			with(felix(nil, enabled, host("127.0.0.1")), func(in *Input) { in.Pods[0].IP = "127.0.0.1" }), "scraped ok http://127.0.0.1:9091",
		},

		{"settings that may not be read are not taken for off", with(felix(nil), noFelixRight), "forbidden " + listFelix},
		{"the environment decides where the other settings may not be read", with(felix(nil, enabled), noFelixRight), at9091},
		{"the environment decides so also against metrics", with(felix(nil, v("FELIX_PROMETHEUSMETRICSENABLED", "0")), noFelixRight), offByEnv},
		{"TLS of the environment may have its CA from settings that may not be read", with(felix(nil, enabled, v("FELIX_PROMETHEUSMETRICSCERTFILE", "/c"), v("FELIX_PROMETHEUSMETRICSKEYFILE", "/k")), noFelixRight), "forbidden " + listFelix},
		{"a variable that decides may not be readable", felix(configurations{"default": enabledAt(9999)}, unreadable("FELIX_PROMETHEUSMETRICSENABLED", getConfigs)), "forbidden " + getConfigs},
		{"a port may not be readable", felix(nil, enabled, unreadable("FELIX_PROMETHEUSMETRICSPORT", getConfigs)), "forbidden " + getConfigs},
		{"a certificate may not be readable", felix(nil, enabled, unreadable("FELIX_PROMETHEUSMETRICSCERTFILE", getConfigs)), "forbidden " + getConfigs},
		{"a CA that is not readable matters with TLS", felix(configurations{"default": tlsConfiguration("")}, unreadable("FELIX_PROMETHEUSMETRICSCAFILE", getConfigs)), "forbidden " + getConfigs},
		{"a CA that is not readable does not matter without TLS", felix(nil, enabled, unreadable("FELIX_PROMETHEUSMETRICSCAFILE", getConfigs)), at9091},
		{"the asking for a certificate may not be readable", felix(configurations{"default": tlsConfiguration("")}, unreadable("FELIX_PROMETHEUSMETRICSCLIENTAUTH", getConfigs)), "forbidden " + getConfigs},
		{"a variable that is not readable is overridden by a later one", felix(nil, unreadable("FELIX_PROMETHEUSMETRICSENABLED", getConfigs), enabled), at9091},
		{"a port that is not readable does not matter where metrics are off", felix(nil, unreadable("FELIX_PROMETHEUSMETRICSPORT", getConfigs)), offBySpec},

		{"an annotation wins over the field of the same FelixConfiguration", felix(configurations{"default": {PrometheusMetricsEnabled: ptr(false), Overrides: map[string]string{"PrometheusMetricsEnabled": "true"}}}), at9091},
		{"an annotation does not win over a stronger source", felix(configurations{"default": {Overrides: map[string]string{"PrometheusMetricsEnabled": "true"}}, "node.node-1": {PrometheusMetricsEnabled: ptr(false)}}), offBySpec},
		{"an empty annotation unsets the field", felix(configurations{"default": {PrometheusMetricsEnabled: ptr(true), Overrides: map[string]string{"PrometheusMetricsEnabled": ""}}}), offBySpec},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, short(one(t, tc.in))) })
	}
}

func TestFelixConfigurationsWithANodeSelector(t *testing.T) {
	type configurations = map[string]FelixConfiguration
	const rack = "rack == 'a'"
	at := func(port string) string { return "scraped ok http://192.0.2.10:" + port }
	onRackA := map[string]map[string]string{"node-1": {"rack": "a"}, "node-2": {"rack": "b"}}
	for _, tc := range []struct {
		name           string
		configurations configurations
		labels         map[string]map[string]string // of nodes; nil where they cannot be read
		env            []EnvVar
		want           string
	}{
		{"one that picks the node beats default", configurations{"default": enabledAt(1), "rack-a": selecting(rack, 0, enabledAt(2))}, onRackA, nil, at("2")},
		{"one that picks another node does not count", configurations{"default": enabledAt(1), "rack-b": selecting("rack == 'b'", 0, enabledAt(2))}, onRackA, nil, at("1")},
		{"that of the node beats it", configurations{"node.node-1": enabledAt(3), "rack-a": selecting(rack, 0, enabledAt(2))}, onRackA, nil, at("3")},
		{"the environment beats it", configurations{"rack-a": selecting(rack, 0, enabledAt(2))}, onRackA, []EnvVar{v("FELIX_PROMETHEUSMETRICSPORT", "4")}, at("4")},
		{
			"what it does not set is asked of default", configurations{"default": enabledAt(1), "rack-a": selecting(rack, 0, FelixConfiguration{PrometheusMetricsHost: "192.0.2.11"})}, onRackA, nil,
			"scraped ok http://192.0.2.11:1",
		},
		{"of two the oldest counts", configurations{"a": selecting(rack, 20, enabledAt(1)), "b": selecting(rack, 10, enabledAt(2))}, onRackA, nil, at("2")},
		{"of two of the same age the first by name counts", configurations{"b": selecting(rack, 10, enabledAt(1)), "a": selecting("all()", 10, enabledAt(2))}, onRackA, nil, at("2")},
		{"the one that does not win sets nothing", configurations{"a": selecting(rack, 10, FelixConfiguration{PrometheusMetricsPort: ptr(int64(1))}), "b": selecting(rack, 20, enabledAt(2))}, onRackA, nil, offBySpec},
		{"without a selector it is for nobody", configurations{"a": enabledAt(1)}, onRackA, nil, offBySpec},
		{"an empty selector picks no node", configurations{"a": selecting("", 0, enabledAt(1))}, onRackA, nil, offBySpec},
		{"a selector that cannot be parsed picks no node", configurations{"a": selecting("rack = 'a'", 0, enabledAt(1)), "b": selecting(rack, 10, enabledAt(2))}, onRackA, nil, at("2")},
		{"a selector of default does not count", configurations{"default": selecting("!all()", 0, enabledAt(1))}, onRackA, nil, at("1")},
		{"a selector of a node's does not count", configurations{"node.node-1": selecting("!all()", 0, enabledAt(1)), "node.node-2": selecting("all()", 0, enabledAt(2))}, onRackA, nil, at("1")},
		{"a node that is not there is picked by none", configurations{"a": selecting("all()", 0, enabledAt(1))}, map[string]map[string]string{}, nil, offBySpec},
		{"a node without labels is picked by all", configurations{"a": selecting("all()", 0, enabledAt(1))}, map[string]map[string]string{"node-1": {}}, nil, at("1")},

		{"where labels cannot be read it is not known whom it picks", configurations{"default": enabledAt(1), "a": selecting(rack, 0, enabledAt(2))}, nil, nil, "forbidden " + listNodes},
		{"its port matters where another source switches metrics on", configurations{"default": enabledAt(1), "a": selecting(rack, 0, FelixConfiguration{PrometheusMetricsPort: ptr(int64(2))})}, nil, nil, "forbidden " + listNodes},
		{"its port does not matter where nothing switches metrics on", configurations{"a": selecting(rack, 0, FelixConfiguration{PrometheusMetricsPort: ptr(int64(2))})}, nil, nil, offBySpec},
		{"what a stronger source decides is known without labels", configurations{"node.node-1": enabledAt(3), "a": selecting(rack, 0, enabledAt(2))}, nil, nil, at("3")},
		{"what the environment switches off is known without labels", configurations{"a": selecting(rack, 0, enabledAt(2))}, nil, []EnvVar{v("FELIX_PROMETHEUSMETRICSENABLED", "f")}, offByEnv},
		{"labels do not matter to a selector that cannot be parsed", configurations{"default": enabledAt(1), "a": selecting("rack = 'a'", 0, enabledAt(2))}, nil, nil, at("1")},
		{"labels do not matter without a selector", configurations{"default": enabledAt(1), "a": enabledAt(2)}, nil, nil, at("1")},
		{"a certificate that it sets matters", configurations{"default": enabledAt(1), "a": selecting(rack, 0, tlsConfiguration(""))}, nil, []EnvVar{v("FELIX_PROMETHEUSMETRICSENABLED", "1")}, "forbidden " + listNodes},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := felix(tc.configurations, tc.env...)
			in.NodeLabels.Value = tc.labels
			if tc.labels == nil {
				in.NodeLabels.Missing = listNodes
			}
			require.Equal(t, tc.want, short(one(t, in)))
		})
	}
}

func TestTypha(t *testing.T) {
	enabled := v("TYPHA_PROMETHEUSMETRICSENABLED", "true")
	installation := func(port *int64) *Installation { return &Installation{TyphaMetricsPort: port} }
	for _, tc := range []struct {
		name         string
		env          []EnvVar
		installation *Installation
		want         string
	}{
		{"it is off by default", nil, nil, "disabled TYPHA_PROMETHEUSMETRICSENABLED"},
		{"in a cluster of the operator Installation switches it on", nil, installation(nil), "disabled Installation.spec.typhaMetricsPort"},
		{"its port is 9093", []EnvVar{enabled}, nil, "scraped ok http://192.0.2.10:9093"},
		{"the operator sets its environment from Installation", []EnvVar{enabled, v("TYPHA_PROMETHEUSMETRICSPORT", "9098")}, installation(ptr(int64(9098))), "scraped ok http://192.0.2.10:9098"},
		{"its environment counts, also where Installation is ahead of it", nil, installation(ptr(int64(9098))), "disabled Installation.spec.typhaMetricsPort"},
		{"its environment switches it off", []EnvVar{v("TYPHA_PROMETHEUSMETRICSENABLED", "false")}, installation(nil), "disabled TYPHA_PROMETHEUSMETRICSENABLED"},
		{"port 0", []EnvVar{enabled, v("TYPHA_PROMETHEUSMETRICSPORT", "0")}, nil, "disabled TYPHA_PROMETHEUSMETRICSPORT"},
		{"port 0 of the operator", []EnvVar{enabled, v("TYPHA_PROMETHEUSMETRICSPORT", "0")}, installation(ptr(int64(0))), "disabled Installation.spec.typhaMetricsPort"},
		{"variables of Felix are not its own", []EnvVar{v("FELIX_PROMETHEUSMETRICSENABLED", "true")}, nil, "disabled TYPHA_PROMETHEUSMETRICSENABLED"},
		{"it may listen on loopback", []EnvVar{enabled, v("TYPHA_PROMETHEUSMETRICSHOST", "localhost")}, nil, "blocked loopback_only"},
		{"a variable may not be readable", []EnvVar{unreadable("TYPHA_PROMETHEUSMETRICSENABLED", getConfigs)}, nil, "forbidden " + getConfigs},
		{"TLS without a CA is no server", []EnvVar{enabled, v("TYPHA_PROMETHEUSMETRICSCERTFILE", "/c"), v("TYPHA_PROMETHEUSMETRICSKEYFILE", "/k")}, installation(nil), "disabled TYPHA_PROMETHEUSMETRICSCAFILE"},
		{
			"TLS", []EnvVar{enabled, v("TYPHA_PROMETHEUSMETRICSCERTFILE", "/c"), v("TYPHA_PROMETHEUSMETRICSKEYFILE", "/k"), v("TYPHA_PROMETHEUSMETRICSCAFILE", "/a")}, nil,
			"tls_required tls.ca_file",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := only(Typha, typhaPod(tc.env...))
			in.Installation = tc.installation
			in.FelixConfigurations.Value = map[string]FelixConfiguration{"default": enabledAt(9999)} // is not Typha's
			require.Equal(t, tc.want, short(one(t, in)))
		})
	}
}

func TestTLS(t *testing.T) {
	const https = "scraped ok https://192.0.2.10:9091"
	without := func(how func(*FelixConfiguration)) FelixConfiguration {
		c := tlsConfiguration("")
		how(&c)
		return c
	}
	for _, tc := range []struct {
		name   string
		felix  FelixConfiguration
		env    []EnvVar
		client Client
		want   string
	}{
		{"the server has to be verified", tlsConfiguration(""), nil, Client{}, "tls_required tls.ca_file"},
		{"a certificate of the client does not verify the server", tlsConfiguration(""), nil, Client{Certificate: true}, "tls_required tls.ca_file"},
		{"no certificate is asked for by default", tlsConfiguration(""), nil, Client{Verifies: true}, https},
		{"no certificate is asked for", tlsConfiguration("NoClientCert"), nil, Client{Verifies: true}, https},
		{"a certificate is verified where it is given", tlsConfiguration("VerifyClientCertIfGiven"), nil, Client{Verifies: true}, https},
		{"a certificate is asked for", tlsConfiguration("RequireAnyClientCert"), nil, Client{Verifies: true}, "tls_required tls.cert_file"},
		{"a certificate is asked for and verified", tlsConfiguration("RequireAndVerifyClientCert"), nil, Client{Verifies: true}, "tls_required tls.cert_file"},
		{"a certificate is asked for, however that is spelled", tlsConfiguration("requireanyclientcert"), nil, Client{Verifies: true}, "tls_required tls.cert_file"},
		{"a certificate is asked for and there", tlsConfiguration("RequireAndVerifyClientCert"), nil, Client{Verifies: true, Certificate: true}, https},
		{"what is unknown is the default, to ask for none", tlsConfiguration("Always"), nil, Client{Verifies: true}, https},
		{"none is to ask for none", tlsConfiguration("RequireAnyClientCert"), []EnvVar{v("FELIX_PROMETHEUSMETRICSCLIENTAUTH", "none")}, Client{Verifies: true}, https},
		{"each value comes from its own source", tlsConfiguration("RequireAnyClientCert"), []EnvVar{v("FELIX_PROMETHEUSMETRICSCLIENTAUTH", "NoClientCert"), v("FELIX_PROMETHEUSMETRICSCAFILE", "/b")}, Client{Verifies: true}, https},
		{"none switches TLS off", tlsConfiguration(""), []EnvVar{v("FELIX_PROMETHEUSMETRICSCERTFILE", "none"), v("FELIX_PROMETHEUSMETRICSKEYFILE", "none")}, Client{}, at9091},
		{"a CA alone is no TLS", without(func(c *FelixConfiguration) { c.PrometheusMetricsCertFile, c.PrometheusMetricsKeyFile = "", "" }), nil, Client{}, at9091},
		{"asking for a certificate alone is no TLS", FelixConfiguration{PrometheusMetricsEnabled: ptr(true), PrometheusMetricsClientAuth: "RequireAnyClientCert"}, nil, Client{}, at9091},
		{"without a CA there is no server", without(func(c *FelixConfiguration) { c.PrometheusMetricsCAFile = "" }), nil, Client{Verifies: true}, "disabled FelixConfiguration.spec.prometheusMetricsCAFile"},
		{"without a certificate there is no server", without(func(c *FelixConfiguration) { c.PrometheusMetricsCertFile = "" }), nil, Client{Verifies: true}, "disabled FelixConfiguration.spec.prometheusMetricsCertFile"},
		{"without a key there is no server", without(func(c *FelixConfiguration) { c.PrometheusMetricsKeyFile = "" }), nil, Client{Verifies: true}, "disabled FelixConfiguration.spec.prometheusMetricsKeyFile"},
		{"the environment may take the CA away", tlsConfiguration(""), []EnvVar{v("FELIX_PROMETHEUSMETRICSCAFILE", "none")}, Client{Verifies: true}, "disabled FELIX_PROMETHEUSMETRICSCAFILE"},
		{"the environment may take the key away", tlsConfiguration(""), []EnvVar{v("FELIX_PROMETHEUSMETRICSKEYFILE", "none")}, Client{Verifies: true}, "disabled FELIX_PROMETHEUSMETRICSKEYFILE"},
		{"a file of two lines is not accepted", tlsConfiguration(""), []EnvVar{v("FELIX_PROMETHEUSMETRICSCERTFILE", "/c\n/d")}, Client{Verifies: true}, "disabled FELIX_PROMETHEUSMETRICSCERTFILE"},
		{"port 0 comes first", without(func(c *FelixConfiguration) { c.PrometheusMetricsPort = ptr(int64(0)) }), nil, Client{}, "disabled FelixConfiguration.spec.prometheusMetricsPort"},
		{"a server on loopback is out of reach with TLS, too", without(func(c *FelixConfiguration) { c.PrometheusMetricsHost = "127.0.0.1" }), nil, Client{}, "blocked loopback_only"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			in := felix(map[string]FelixConfiguration{"default": tc.felix}, tc.env...)
			in.Clients = map[Component]Client{Felix: tc.client, Typha: {Verifies: true, Certificate: true}}
			require.Equal(t, tc.want, short(one(t, in)))
		})
	}
}

func TestTheSchemeMayDifferByNode(t *testing.T) {
	second := felixPod()
	second.Name, second.Node, second.IP = "calico-node-zzzzz", "node-2", "192.0.2.11"
	in := only(Felix, felixPod(), second)
	in.Clients = map[Component]Client{Felix: {Verifies: true}}
	in.FelixConfigurations.Value = map[string]FelixConfiguration{"default": {PrometheusMetricsEnabled: ptr(true)}, "node.node-2": tlsConfiguration("")}
	got := Endpoints(in)
	require.Len(t, got, 2)
	require.Equal(t, at9091, short(got[0]))
	require.Equal(t, "scraped ok https://192.0.2.11:9091", short(got[1]))
}
