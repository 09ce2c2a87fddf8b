package discovery

import (
	"maps"
	"slices"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/selector"
)

// calicoTiers are the tiers in which the operator puts policies around Calico's own components: calico-system since 1.42, allow-tigera before.
var calicoTiers = []string{"calico-system", "allow-tigera"}

// operatorsOwn are the names, less their tier, of the policies there that close kube-controllers to all but Calico Enterprise's Prometheus
// (pkg/render/common/networkpolicy and pkg/render/kubecontrollers of tigera/operator).
var operatorsOwn = []string{"default-deny", "kube-controller-access"}

// Judge corrects the endpoints by how their last scrapes ended, by address: true is a success, and an address that is not there was not scraped yet.
// What fails stays a target. It returns a new slice.
func Judge(endpoints []Endpoint, up map[string]bool, policies Policies) []Endpoint {
	out := slices.Clone(endpoints)
	for i, e := range out {
		if ok, known := up[e.Address]; e.State == Scraped && e.IsTarget() && known && !ok {
			out[i] = failing(e, policies)
		}
	}
	return out
}

// BeyondLimits corrects what Judge returned: of these addresses it is known that they answer, with more than the limits of a scrape let pass. It returns
// a new slice.
func BeyondLimits(endpoints []Endpoint, addresses map[string]bool) []Endpoint {
	out := slices.Clone(endpoints)
	for i, e := range out {
		if e.IsTarget() && addresses[e.Address] {
			out[i] = e.with(Unreachable, ReasonScrapeLimit, "serves more than a limit lets pass at "+e.url())
		}
	}
	return out
}

// PoliciesMatter says whether policies can be why the endpoint does not answer: those of the operator, for a pod that is on no host network.
func (e Endpoint) PoliciesMatter() bool {
	return e.Component == KubeControllers && e.Pod.Namespace == PolicyNamespace && !e.Pod.HostNetwork
}

func failing(e Endpoint, policies Policies) Endpoint {
	fails := "does not answer at " + e.url()
	switch {
	case !e.PoliciesMatter():
		return e.with(Unreachable, ReasonScrapeFailed, fails)
	case policies.Missing != "":
		return e.with(Unreachable, ReasonMayBeBlocked, fails+"; whether the operator's policies block it is not known without: "+policies.Missing)
	case !policies.Known:
		return e.with(Unreachable, ReasonMayBeBlocked, fails+"; whether the operator's policies block it is not known yet")
	}
	if policy, ok := blocking(e.Pod, policies.List); ok {
		return e.with(Blocked, ReasonCalicoSystemTier, fails+", and policy "+policy.Namespace+"/"+policy.Name+" lets in nobody but Calico Enterprise's Prometheus")
	}
	return e.with(Unreachable, ReasonScrapeFailed, fails)
}

// blocking finds a policy that keeps traffic from a pod. In Calico, what a tier's policies select and none of them allows is denied at the end of the
// tier, so one policy of someone else that allows anything in is taken for the one that lets the scraper in.
func blocking(pod Pod, policies []Policy) (blocks Policy, blocked bool) {
	labels := maps.Clone(pod.Labels)
	if labels == nil {
		labels = map[string]string{}
	}
	// Calico gives every pod these two (libcalico-go/lib/backend/k8s/conversion/workload_endpoint_default.go).
	labels["projectcalico.org/namespace"] = pod.Namespace
	labels["projectcalico.org/orchestrator"] = "k8s"
	for _, p := range policies {
		own, ok := p.inCalicoTier()
		if !ok || !p.Ingress || p.Namespace != pod.Namespace {
			continue
		}
		if s, err := selector.Parse(p.Selector); err != nil || !s.Matches(labels) {
			continue
		}
		if p.AllowsIngress && !own {
			return Policy{}, false
		}
		if !blocked {
			blocks, blocked = p, true
		}
	}
	return blocks, blocked
}

// inCalicoTier says whether a policy is in the tier of Calico's own components, by its tier or, where that is not told, by the prefix of its name; and
// whether it is the operator's own.
func (p Policy) inCalicoTier() (own, ok bool) {
	for _, tier := range calicoTiers {
		name, prefixed := strings.CutPrefix(p.Name, tier+".")
		if p.Tier == tier || p.Tier == "" && prefixed {
			return slices.Contains(operatorsOwn, name), true
		}
	}
	return false, false
}
