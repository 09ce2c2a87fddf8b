package discovery

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/selector"
)

const (
	// globalName is the FelixConfiguration of all nodes, and nodePrefix begins the name of that of one node.
	globalName = "default"
	nodePrefix = "node."
)

// felixSettings is all that Felix is configured by, but the environment of its container. A file on the node, /etc/calico/felix.cfg, would come
// between the two; the API server does not know it.
type felixSettings struct {
	configurations Readable[map[string]FelixConfiguration]
	// selected are the configurations with a node selector, in the order in which they win.
	selected   []selectedConfiguration
	nodeLabels Readable[map[string]map[string]string]
	// nodeMetricsPort is what the operator puts into the environment; nil where it does not.
	nodeMetricsPort *int64
}

// selectedConfiguration is a FelixConfiguration for the nodes that a selector picks.
type selectedConfiguration struct {
	name     string
	selector selector.Selector
	FelixConfiguration
}

// newFelixSettings finds the configurations with a selector as loadSelectorScopedFelixConfig in felix/daemon/daemon.go does: those whose name says
// for whom they are have none, and one that is empty or cannot be parsed picks no node. The oldest wins, then the first by name
// (MergeSelectorConfigs in felix/calc/config_batcher.go).
func newFelixSettings(in Input) felixSettings {
	s := felixSettings{configurations: in.FelixConfigurations, nodeLabels: in.NodeLabels}
	if in.Installation != nil {
		s.nodeMetricsPort = in.Installation.NodeMetricsPort
	}
	for _, name := range slices.Sorted(maps.Keys(in.FelixConfigurations.Value)) {
		c := in.FelixConfigurations.Value[name]
		if name == globalName || strings.HasPrefix(name, nodePrefix) || c.NodeSelector == nil || *c.NodeSelector == "" {
			continue
		}
		if parsed, err := selector.Parse(*c.NodeSelector); err == nil {
			s.selected = append(s.selected, selectedConfiguration{name: name, selector: parsed, FelixConfiguration: c})
		}
	}
	slices.SortStableFunc(s.selected, func(a, b selectedConfiguration) int { return cmp.Compare(a.Created, b.Created) })
	return s
}

// server applies Felix's order of sources (SourcesInDescendingOrder in felix/config/config_params.go): the environment, the configuration of the
// node, the one that a selector gives it, and the one of all.
func (s felixSettings) server(node string, c Container) metricsServer {
	r := resolver{
		sources: []source{environment(c, felixEnvPrefix, installationNodePort, s.nodeMetricsPort)},
		unread:  s.configurations.Missing,
		spell:   parameter.inSpec,
	}
	if s.configurations.Missing == "" {
		r.sources = append(r.sources, s.named(nodePrefix+node), s.selectedFor(node), s.named(globalName))
	}
	return r.server(felixDefaultPort)
}

func (s felixSettings) named(name string) source { return s.configurations.Value[name].source(name) }

// selectedFor is the one configuration whose selector picks a node. Where the labels of nodes cannot be read, it is not known what each parameter is
// that any of them sets.
func (s felixSettings) selectedFor(node string) source {
	if s.nodeLabels.Missing != "" {
		unknown := source{values: values{}, spell: parameter.inSpec}
		for _, c := range s.selected {
			for name := range c.source(c.name).values {
				unknown.values[name] = rawValue{unreadable: s.nodeLabels.Missing}
			}
		}
		return unknown
	}
	labels, ok := s.nodeLabels.Value[node]
	if !ok || labels == nil {
		return source{} // no selector picks a node that is not there, not even all()
	}
	for _, c := range s.selected {
		if c.selector.Matches(labels) {
			return c.source(c.name)
		}
	}
	return source{}
}

// source is what a FelixConfiguration sets.
func (c FelixConfiguration) source(name string) source {
	v := values{}
	if c.PrometheusMetricsEnabled != nil {
		v.set(paramEnabled, strconv.FormatBool(*c.PrometheusMetricsEnabled))
	}
	if c.PrometheusMetricsPort != nil {
		v.set(paramPort, strconv.FormatInt(*c.PrometheusMetricsPort, 10))
	}
	v.set(paramHost, c.PrometheusMetricsHost)
	v.set(paramCAFile, c.PrometheusMetricsCAFile)
	v.set(paramCertFile, c.PrometheusMetricsCertFile)
	v.set(paramKeyFile, c.PrometheusMetricsKeyFile)
	v.set(paramClientAuth, c.PrometheusMetricsClientAuth)
	// In order, so that one of two spellings wins always.
	for _, name := range slices.Sorted(maps.Keys(c.Overrides)) {
		v.set(parameter(name), c.Overrides[name])
	}
	return source{values: v.withoutEmpty(), spell: parameter.inSpec, where: "FelixConfiguration " + name}
}

// typhaServer reads the environment; Typha has no resource of its own, and the operator sets the environment from Installation.
func typhaServer(c Container, installation *Installation) metricsServer {
	var operatorPort *int64
	r := resolver{spell: func(p parameter) string { return p.in(typhaEnvPrefix) }}
	if installation != nil {
		operatorPort = installation.TyphaMetricsPort
		r.spell = func(p parameter) string {
			if p == paramEnabled || p == paramPort {
				return installationTyphaPort
			}
			return p.in(typhaEnvPrefix)
		}
	}
	r.sources = []source{environment(c, typhaEnvPrefix, installationTyphaPort, operatorPort)}
	return r.server(typhaDefaultPort)
}

// environment is the source that a container's environment is. A port there is named after the field of Installation that the operator takes it
// from, if that field is set.
func environment(c Container, prefix, operatorField string, operatorPort *int64) source {
	return source{
		values: c.parameters(prefix),
		where:  "the environment of container " + c.Name,
		spell: func(p parameter) string {
			if p == paramPort && operatorPort != nil {
				return operatorField
			}
			return p.in(prefix)
		},
	}
}
