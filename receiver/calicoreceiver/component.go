package calicoreceiver

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/scrape"
)

// ComponentConfig is what a user can say of one of Calico's components.
type ComponentConfig struct {
	// Enabled says whether the component is looked for; nil is what the mode has by default.
	Enabled *bool `mapstructure:"enabled"`

	// Endpoints are the URLs of metrics servers, as in http://localhost:9091/metrics, for mode static.
	Endpoints []string `mapstructure:"endpoints"`

	// Scrape says how the component is scraped.
	Scrape scrape.Settings `mapstructure:",squash"`
}

var _ confmap.Validator = (*ComponentConfig)(nil)

// Validate names the key of every value that cannot be used, whatever the receiver's own are.
func (c *ComponentConfig) Validate() error { return c.Scrape.Check() }

// validateIn finds what does not go together with the receiver's own configuration.
func (c *ComponentConfig) validateIn(config *Config, seen map[string]bool) error {
	var errs []error
	if config.Mode != ModeStatic && len(c.Endpoints) > 0 {
		errs = append(errs, fmt.Errorf("endpoints: needs mode: %s", ModeStatic))
	}
	if c.Enabled != nil && !*c.Enabled && len(c.Endpoints) > 0 {
		errs = append(errs, errors.New("endpoints: are not scraped with enabled: false"))
	}
	for i, endpoint := range c.Endpoints {
		parsed, err := parseEndpoint(endpoint)
		if err != nil {
			errs = append(errs, fmt.Errorf("endpoints[%d]: %w", i, err))
			continue
		}
		if seen[parsed.Address] {
			errs = append(errs, fmt.Errorf("endpoints[%d]: %s is there already", i, parsed.Address))
		}
		seen[parsed.Address] = true
	}
	errs = append(errs, c.Scrape.ValidateTimeout(config.CollectionInterval))
	return errors.Join(errs...)
}

// parseEndpoint reads the URL of a metrics server.
func parseEndpoint(endpoint string) (discovery.Endpoint, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return discovery.Endpoint{}, errors.New("is no URL") // the error of url.Parse repeats it, with a password if it has one
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return discovery.Endpoint{}, fmt.Errorf("must begin with http:// or https://, as in http://%s", net.JoinHostPort("localhost", "9091"))
	case u.Hostname() == "":
		return discovery.Endpoint{}, errors.New("has no host")
	case u.User != nil:
		return discovery.Endpoint{}, errors.New("must not carry credentials: use basic_auth")
	case u.RawQuery != "" || u.Fragment != "":
		return discovery.Endpoint{}, errors.New("must not have a query or a fragment")
	}
	address := u.Host
	if port, err := strconv.ParseUint(u.Port(), 10, 16); u.Port() != "" && (err != nil || port == 0) {
		return discovery.Endpoint{}, fmt.Errorf("has port %s, which is none from 1 to 65535", u.Port())
	}
	if u.Port() == "" {
		address = net.JoinHostPort(u.Hostname(), map[string]string{"http": "80", "https": "443"}[u.Scheme])
	}
	return discovery.Endpoint{State: discovery.Scraped, Reason: discovery.ReasonOK, Scheme: u.Scheme, Address: address, Path: u.Path}, nil
}

// component is the section of a component.
func (c *Config) component(name discovery.Component) *ComponentConfig {
	return map[discovery.Component]*ComponentConfig{
		discovery.Felix:           &c.Felix,
		discovery.Typha:           &c.Typha,
		discovery.KubeControllers: &c.KubeControllers,
		discovery.Goldmane:        &c.Goldmane,
		discovery.Operator:        &c.Operator,
	}[name]
}

// perNode are the components that mode node looks for by default. Of the others a cluster has one, which is the business of mode cluster: found by
// both, its series would be there twice.
var perNode = []discovery.Component{discovery.Felix, discovery.Typha}

// scope lists the components that are looked for.
func (c *Config) scope() []discovery.Component {
	var scope []discovery.Component
	for _, name := range discovery.Components() {
		section := c.component(name)
		in := c.Mode != ModeNode || slices.Contains(perNode, name)
		if section.Enabled != nil {
			in = *section.Enabled
		}
		if c.Mode == ModeStatic {
			in = in && len(section.Endpoints) > 0
		}
		if in {
			scope = append(scope, name)
		}
	}
	return scope
}

// staticEndpoints are those that the configuration names.
func (c *Config) staticEndpoints() []discovery.Endpoint {
	var endpoints []discovery.Endpoint
	for _, name := range c.scope() {
		for _, endpoint := range c.component(name).Endpoints {
			if parsed, err := parseEndpoint(endpoint); err == nil { // Validate names the errors
				parsed.Component = name
				endpoints = append(endpoints, parsed)
			}
		}
	}
	return endpoints
}

// resources are those of Calico and of its operator that are watched.
func (c *Config) resources() []calicoapi.Resource {
	var resources []calicoapi.Resource
	scope := c.scope()
	if slices.Contains(scope, discovery.Felix) {
		resources = append(resources, calicoapi.FelixConfigurations)
	}
	if slices.Contains(scope, discovery.KubeControllers) {
		resources = append(resources, calicoapi.KubeControllersConfigurations)
	}
	if c.Mode != ModeCluster {
		return resources
	}
	resources = append(resources, calicoapi.Installations)
	if c.ipamSource() != IPAMOff {
		resources = append(resources, calicoapi.IPPools)
	}
	m := c.Metrics
	// The account stands still while ClusterInformation says that the datastore is not ready.
	if m.CalicoClusterInfo.Enabled || m.CalicoDatastoreReady.Enabled || c.watchesIPAM() {
		resources = append(resources, calicoapi.ClusterInformations)
	}
	if m.CalicoTigeraStatus.Enabled {
		resources = append(resources, calicoapi.TigeraStatuses)
	}
	if m.CalicoBgpPeers.Enabled || m.CalicoBgpPeerDown.Enabled || m.CalicoBgpAgentDown.Enabled ||
		m.CalicoNodeStatusAgeSeconds.Enabled || m.CalicoNodeStatusStale.Enabled {
		resources = append(resources, calicoapi.CalicoNodeStatuses)
	}
	return resources
}

// jobs are the scrape jobs of the components that are looked for.
func (c *Config) jobs() []scrape.Job {
	var jobs []scrape.Job
	for _, name := range c.scope() {
		jobs = append(jobs, scrape.Job{
			Name: name.Job(), Interval: c.CollectionInterval, Timeout: cmp.Or(c.Timeout, defaultTimeout), Settings: c.component(name).Scrape,
		})
	}
	return jobs
}

// clients say what the configuration can do for the TLS of each component.
func (c *Config) clients() map[discovery.Component]discovery.Client {
	clients := map[discovery.Component]discovery.Client{}
	for _, name := range c.scope() {
		tls := c.component(name).Scrape.TLS
		// Who says anything of TLS and names no authority means those of the system.
		clients[name] = discovery.Client{Verifies: tls != (scrape.TLSConfig{}), Certificate: tls.CertFile != ""}
	}
	return clients
}
