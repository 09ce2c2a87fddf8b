package discovery

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJudgeKubeControllers(t *testing.T) {
	const at = " http://10.0.0.7:9094"
	inTier := func(p Policy) Policy {
		p.Namespace, p.Tier, p.Ingress = "calico-system", "calico-system", true
		return p
	}
	defaultDeny := inTier(Policy{Name: "calico-system.default-deny", Selector: "k8s-app != 'calico-apiserver'"})
	access := inTier(Policy{Name: "calico-system.kube-controller-access", Selector: "k8s-app == 'calico-kube-controllers'", AllowsIngress: true})
	opened := inTier(Policy{Name: "calico-system.collector", Selector: "k8s-app == 'calico-kube-controllers'", AllowsIngress: true})
	change := func(p Policy, how func(*Policy)) Policy { how(&p); return p }
	known := func(list ...Policy) Policies { return Policies{Known: true, List: list} }
	for _, tc := range []struct {
		name     string
		policies Policies
		want     string
	}{
		{"the operator's policies block it", known(defaultDeny, access), "blocked calico_system_tier" + at},
		{"no policy blocks it", known(), "unreachable scrape_failed" + at},
		{"policies that were not asked for may block it", Policies{}, "unreachable may_be_blocked" + at},
		{"policies that may not be read may block it", Policies{Missing: "list networkpolicies.crd.projectcalico.org", Known: true}, "unreachable may_be_blocked" + at},
		{"a policy beside the operator's lets traffic in", known(defaultDeny, access, opened), "unreachable scrape_failed" + at},
		{"a policy beside the operator's does so in any order", known(opened, defaultDeny, access), "unreachable scrape_failed" + at},
		{"a policy beside the operator's that allows nothing in blocks it, too", known(defaultDeny, change(opened, func(p *Policy) { p.AllowsIngress = false })), "blocked calico_system_tier" + at},
		{"a policy beside the operator's for other pods does not help", known(defaultDeny, change(opened, func(p *Policy) { p.Selector = "k8s-app == 'goldmane'" })), "blocked calico_system_tier" + at},
		{"a policy in another tier does not help", known(defaultDeny, change(opened, func(p *Policy) { p.Tier, p.Name = "default", "default.collector" })), "blocked calico_system_tier" + at},
		{"a policy in another namespace does not help", known(defaultDeny, change(opened, func(p *Policy) { p.Namespace = "monitoring" })), "blocked calico_system_tier" + at},
		{"a policy whose selector cannot be parsed does not help", known(defaultDeny, change(opened, func(p *Policy) { p.Selector = "k8s-app = 'x'" })), "blocked calico_system_tier" + at},
		{"a policy in another namespace does not block it", known(change(defaultDeny, func(p *Policy) { p.Namespace = "tigera-operator" })), "unreachable scrape_failed" + at},
		{"a policy for what goes out does not block it", known(change(defaultDeny, func(p *Policy) { p.Ingress = false })), "unreachable scrape_failed" + at},
		{"a policy for other pods does not block it", known(change(defaultDeny, func(p *Policy) { p.Selector = "k8s-app == 'calico-apiserver'" })), "unreachable scrape_failed" + at},
		{"a policy for all pods blocks it", known(change(defaultDeny, func(p *Policy) { p.Selector = "" })), "blocked calico_system_tier" + at},
		{"policies select by the label that the operator adds", known(change(defaultDeny, func(p *Policy) { p.Selector = "app.kubernetes.io/name == 'calico-kube-controllers'" })), "blocked calico_system_tier" + at},
		{
			"policies select by the labels that Calico adds",
			known(change(defaultDeny, func(p *Policy) {
				p.Selector = "projectcalico.org/namespace == 'calico-system' && projectcalico.org/orchestrator == 'k8s'"
			})), "blocked calico_system_tier" + at,
		},
		{"a policy of another tier does not count as the operator's", known(change(defaultDeny, func(p *Policy) { p.Tier = "security" })), "unreachable scrape_failed" + at},
		{"where the tier is not told, the name has it", known(change(defaultDeny, func(p *Policy) { p.Tier = "" })), "blocked calico_system_tier" + at},
		{"where the tier is told, the name may be without it", known(change(access, func(p *Policy) { p.Name = "kube-controller-access" })), "blocked calico_system_tier" + at},
		{"where neither tells the tier, it is not the operator's", known(change(defaultDeny, func(p *Policy) { p.Tier, p.Name = "", "default-deny" })), "unreachable scrape_failed" + at},
		{
			"before 1.42 the tier had another name",
			known(change(defaultDeny, func(p *Policy) { p.Tier, p.Name = "allow-tigera", "allow-tigera.default-deny" }), change(access, func(p *Policy) { p.Tier, p.Name = "", "allow-tigera.kube-controller-access" })),
			"blocked calico_system_tier" + at,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			endpoints := Endpoints(only(KubeControllers, kubeControllersPod()))
			before := slices.Clone(endpoints)
			got := Judge(endpoints, map[string]bool{"10.0.0.7:9094": false}, tc.policies)
			require.Equal(t, before, endpoints, "the argument stays as it is")
			require.Len(t, got, 1)
			require.Equal(t, tc.want, short(got[0]))
			require.True(t, got[0].IsTarget(), "it goes on being scraped, so that it is seen when it answers again")
			require.NotEqual(t, before[0].Detail, got[0].Detail)
			requireDocumented(t, got[0])
		})
	}
}

func TestJudge(t *testing.T) {
	blocking := Policies{Known: true, List: []Policy{{Name: "calico-system.default-deny", Namespace: "calico-system", Tier: "calico-system", Ingress: true}}}
	felixUp := only(Felix, felixPod(v("FELIX_PROMETHEUSMETRICSENABLED", "true")))
	onHostNetwork := only(KubeControllers, onHost(kubeControllersPod()))
	for _, tc := range []struct {
		name     string
		in       Input
		up       map[string]bool
		policies Policies
		want     string
	}{
		{"what answers is scraped", felixUp, map[string]bool{"192.0.2.10:9091": true}, blocking, at9091},
		{"what was not scraped yet is scraped", felixUp, map[string]bool{"192.0.2.11:9091": false}, blocking, at9091},
		{"nothing is known of scrapes", felixUp, nil, Policies{}, at9091},
		{"what does not answer is unreachable", felixUp, map[string]bool{"192.0.2.10:9091": false}, blocking, "unreachable scrape_failed http://192.0.2.10:9091"},
		{"kube-controllers that answers is not blocked", only(KubeControllers, kubeControllersPod()), map[string]bool{"10.0.0.7:9094": true}, blocking, "scraped ok http://10.0.0.7:9094"},
		{"policies do not see a pod on the network of its node", onHostNetwork, map[string]bool{"192.0.2.10:9094": false}, blocking, "unreachable scrape_failed http://192.0.2.10:9094"},
		{"policies need not be known for a pod on the network of its node", onHostNetwork, map[string]bool{"192.0.2.10:9094": false}, Policies{}, "unreachable scrape_failed http://192.0.2.10:9094"},
		{"Goldmane is open to all", only(Goldmane, goldmanePod(v("PROMETHEUS_PORT", "9095"))), map[string]bool{"10.0.0.7:9095": false}, blocking, "unreachable scrape_failed http://10.0.0.7:9095"},
		{"what is no target is not judged", only(Felix, felixPod()), map[string]bool{"": false, "192.0.2.10:9091": false}, blocking, offBySpec},
		{"IPAM is not judged", Input{Scope: []Component{IPAM}, CalicoInstalled: true, Pools: Readable[int]{Value: 1}}, map[string]bool{"": false}, blocking, "scraped ok"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := Judge(Endpoints(tc.in), tc.up, tc.policies)
			require.Len(t, got, 1)
			require.Equal(t, tc.want, short(got[0]))
			requireDocumented(t, got[0])
		})
	}
}

func TestWhatIsBeyondLimitsAnswers(t *testing.T) {
	in := only(KubeControllers, kubeControllersPod())
	judged := Judge(Endpoints(in), map[string]bool{"10.0.0.7:9094": false}, Policies{})
	require.Equal(t, "unreachable may_be_blocked http://10.0.0.7:9094", short(judged[0]))
	got := BeyondLimits(judged, map[string]bool{"10.0.0.7:9094": true})
	require.Equal(t, "unreachable scrape_limit http://10.0.0.7:9094", short(got[0]))
	require.Equal(t, "pod calico-system/calico-kube-controllers-abcde serves more than a limit lets pass at http://10.0.0.7:9094/metrics", got[0].Detail)
	require.True(t, got[0].IsTarget(), "it goes on being scraped")
	requireDocumented(t, got[0])
	require.Equal(t, judged, BeyondLimits(judged, map[string]bool{"10.0.0.8:9094": true}), "that is another")
}

func TestJudgeNamesTheURLAndThePolicy(t *testing.T) {
	endpoints := Endpoints(only(KubeControllers, kubeControllersPod()))
	down := map[string]bool{"10.0.0.7:9094": false}
	const prefix = "pod calico-system/calico-kube-controllers-abcde does not answer at http://10.0.0.7:9094/metrics"
	blocked := Policies{Known: true, List: []Policy{{Name: "calico-system.default-deny", Namespace: "calico-system", Ingress: true}}}
	require.Equal(t, prefix+", and policy calico-system/calico-system.default-deny lets in nobody but Calico Enterprise's Prometheus", Judge(endpoints, down, blocked)[0].Detail)
	require.Equal(t, prefix+"; whether the operator's policies block it is not known without: list x", Judge(endpoints, down, Policies{Missing: "list x"})[0].Detail)
	require.Equal(t, prefix+"; whether the operator's policies block it is not known yet", Judge(endpoints, down, Policies{})[0].Detail)
	require.Equal(t, prefix, Judge(endpoints, down, Policies{Known: true})[0].Detail)
}

func TestJudgeKnowsNoPoliciesForAnEndpointThatIsConfigured(t *testing.T) {
	configured := Endpoint{Component: KubeControllers, State: Scraped, Reason: ReasonOK, Scheme: "https", Address: "calico.example:443", Path: "/kube-controllers/metrics"}
	got := Judge([]Endpoint{configured}, map[string]bool{"calico.example:443": false}, Policies{})
	require.Equal(t, "unreachable scrape_failed https://calico.example:443", short(got[0]))
	require.Equal(t, "does not answer at https://calico.example:443/kube-controllers/metrics", got[0].Detail)
}

func TestJudgeDoesNotChangeTheLabelsOfAPod(t *testing.T) {
	pods := []Pod{kubeControllersPod(), kubeControllersPod()}
	pods[1].Labels, pods[1].Name, pods[1].IP = nil, "without-labels", "10.0.0.8"
	in := only(KubeControllers, pods...)
	got := Judge(Endpoints(in), map[string]bool{"10.0.0.7:9094": false, "10.0.0.8:9094": false}, Policies{Known: true, List: []Policy{{Name: "calico-system.x", Namespace: "calico-system", Ingress: true}}})
	require.Equal(t, Blocked, got[0].State)
	require.Equal(t, Blocked, got[1].State)
	require.Len(t, pods[0].Labels, 2)
	require.Nil(t, pods[1].Labels)
}
