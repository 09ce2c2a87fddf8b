package discovery

// Reasons that are no setting of Calico's and no right.
const (
	// ReasonOK is the only reason of Scraped.
	ReasonOK = "ok"

	ReasonPodNotRunning = "pod_not_running"
	ReasonPodHasNoIP    = "pod_has_no_ip"

	// ReasonTLSCAFile and ReasonTLSCertFile are keys below the component in the receiver's configuration.
	ReasonTLSCAFile   = "tls.ca_file"
	ReasonTLSCertFile = "tls.cert_file"

	ReasonLoopbackOnly     = "loopback_only"
	ReasonCalicoSystemTier = "calico_system_tier"

	ReasonScrapeFailed = "scrape_failed"
	ReasonScrapeLimit  = "scrape_limit"
	ReasonMayBeBlocked = "may_be_blocked"
	// ReasonKubernetesAPI is that what is read from the Kubernetes API may be old.
	ReasonKubernetesAPI = "kubernetes_api"

	ReasonNoPods   = "no_pods"
	ReasonNoCalico = "no_calico"
	ReasonNoPools  = "no_pools"
	ReasonNoBlocks = "no_blocks"

	ReasonAWSVPCCNI  = "aws_vpc_cni"
	ReasonAzureVNET  = "azure_vnet"
	ReasonGKE        = "gke"
	ReasonHostLocal  = "host_local"
	ReasonPolicyOnly = "policy_only"

	// ReasonMissingRight stands in Reasons for all reasons of Forbidden.
	ReasonMissingRight = "<verb> <resource>"
)

// Reasons that are settings of Calico's, spelled as the resource and field or the environment variable that they are set in. Those of Felix and
// Typha follow from the parameter.
const (
	felixConfigurationSpec = "FelixConfiguration.spec."
	installationNodePort   = "Installation.spec.nodeMetricsPort"
	installationTyphaPort  = "Installation.spec.typhaMetricsPort"
	kubeControllersPort    = "KubeControllersConfiguration.spec.prometheusMetricsPort"
	goldmanePort           = "Goldmane.spec.metricsPort"
)

// ReasonDoc says what a reason means and what to do about it.
type ReasonDoc struct {
	State State
	// Components are those that the reason occurs for.
	Components []Component
	// Reason as in Endpoint.Reason, or ReasonMissingRight.
	Reason string
	// Meaning and Fix are sentences in Markdown, without line breaks and bars.
	Meaning, Fix string
}

// Reasons lists every combination of state and reason that an endpoint can have, ordered by state as an endpoint comes to be scraped.
func Reasons() []ReasonDoc {
	var all []ReasonDoc
	for _, group := range [][]ReasonDoc{scrapedReasons(), disabledReasons(), tlsFileReasons(), otherReasons(), unsupportedReasons()} {
		all = append(all, group...)
	}
	return all
}

func withIPAM() []Component { return append(Components(), IPAM) }

func scrapedReasons() []ReasonDoc {
	return []ReasonDoc{{
		Scraped, withIPAM(), ReasonOK,
		"The endpoint is a target; of `ipam`, pools and blocks are read from the Kubernetes API, with `ipam.source: scrape` the pools alone.",
		"Nothing is to be done.",
	}}
}

// disabledReasons are the settings that switch a metrics server on and off.
func disabledReasons() []ReasonDoc {
	const typhaEnv = "Set `TYPHA_PROMETHEUSMETRICSENABLED` to `true` in container `calico-typha`: `kubectl set env -n kube-system deployment/calico-typha -c calico-typha TYPHA_PROMETHEUSMETRICSENABLED=true`."
	return []ReasonDoc{
		{
			Disabled, []Component{Felix}, paramEnabled.inSpec(),
			"Felix serves no metrics unless it is told to.",
			"`kubectl patch felixconfiguration default --type merge -p '{\"spec\":{\"prometheusMetricsEnabled\":true}}'`; in a cluster of the operator, `nodeMetricsPort` of Installation does the same. A FelixConfiguration `node.<node>`, or one whose `nodeSelector` picks the node, wins over `default`.",
		},
		{
			Disabled, []Component{Felix}, paramEnabled.in(felixEnvPrefix),
			"The environment of container `calico-node` switches Felix's metrics off and wins over every FelixConfiguration.",
			"Set the variable to `true` in the DaemonSet, or remove it there: `kubectl set env -n kube-system daemonset/calico-node -c calico-node FELIX_PROMETHEUSMETRICSENABLED-`.",
		},
		{
			Disabled, []Component{Felix}, paramPort.inSpec(),
			"The port is 0, so that Felix would listen on a random one.",
			"`kubectl patch felixconfiguration default --type merge -p '{\"spec\":{\"prometheusMetricsPort\":9091}}'`, or the FelixConfiguration that sets it for the node.",
		},
		{
			Disabled, []Component{Felix}, paramPort.in(felixEnvPrefix),
			"The port is 0 in the environment of container `calico-node`, so that Felix would listen on a random one.",
			"Set the variable to a port, or remove it: `kubectl set env -n kube-system daemonset/calico-node -c calico-node FELIX_PROMETHEUSMETRICSPORT=9091`.",
		},
		{
			Disabled, []Component{Felix}, installationNodePort,
			"The port that the operator gives to Felix is 0, so that Felix would listen on a random one.",
			"`kubectl patch installation default --type merge -p '{\"spec\":{\"nodeMetricsPort\":9091}}'`.",
		},
		{
			Disabled, []Component{Typha}, installationTyphaPort,
			"Typha serves no metrics unless it is told to, and in a cluster of the operator Installation tells it; or the port there is 0.",
			"`kubectl patch installation default --type merge -p '{\"spec\":{\"typhaMetricsPort\":9093}}'`.",
		},
		{
			Disabled, []Component{Typha}, paramEnabled.in(typhaEnvPrefix),
			"Typha serves no metrics unless its environment tells it to, or the environment switches them off.",
			typhaEnv,
		},
		{
			Disabled, []Component{Typha}, paramPort.in(typhaEnvPrefix),
			"The port is 0, so that Typha would listen on a random one.",
			"Set the variable to a port, or remove it: `kubectl set env -n kube-system deployment/calico-typha -c calico-typha TYPHA_PROMETHEUSMETRICSPORT=9093`.",
		},
		{
			Disabled, []Component{KubeControllers}, kubeControllersPort,
			"The port of kube-controllers is 0 or missing, which switches its metrics off.",
			"`kubectl patch kubecontrollersconfiguration default --type merge -p '{\"spec\":{\"prometheusMetricsPort\":9094}}'`; kube-controllers starts anew.",
		},
		{
			Disabled, []Component{Goldmane}, goldmanePort,
			"Goldmane serves no metrics unless it is given a port.",
			"`kubectl patch goldmane default --type merge -p '{\"spec\":{\"metricsPort\":9095}}'`, which operator 1.42 and later know.",
		},
		{
			Disabled, []Component{Operator}, envMetricsEnabled,
			"The operator serves no metrics unless its environment tells it to.",
			"`kubectl set env -n tigera-operator deployment/tigera-operator METRICS_ENABLED=true METRICS_PORT=9484`; the port is what operators before 1.43 go by.",
		},
		{
			Disabled, []Component{Operator}, envMetricsPort,
			"The port in the operator's environment is no number from 1 to 65535.",
			"`kubectl set env -n tigera-operator deployment/tigera-operator METRICS_PORT=9484`.",
		},
	}
}

// tlsFileReasons are the files that a metrics server of Calico 3.32 and later does not start without, once one of them is set.
func tlsFileReasons() []ReasonDoc {
	const meaning = "One of certificate and key is set, so that metrics are served with TLS, but this file is not set: there is no server at all, and only a line in the component's log says so."
	var docs []ReasonDoc
	for _, p := range []parameter{paramCAFile, paramCertFile, paramKeyFile} {
		docs = append(docs,
			ReasonDoc{
				Disabled, []Component{Felix}, p.inSpec(), meaning,
				"Set all three of `prometheusMetricsCAFile`, `prometheusMetricsCertFile` and `prometheusMetricsKeyFile` of FelixConfiguration to files in container `calico-node`, or none.",
			},
			ReasonDoc{
				Disabled, []Component{Felix}, p.in(felixEnvPrefix), meaning,
				"Set all three of `FELIX_PROMETHEUSMETRICSCAFILE`, `FELIX_PROMETHEUSMETRICSCERTFILE` and `FELIX_PROMETHEUSMETRICSKEYFILE` to files in container `calico-node`, or none.",
			},
			ReasonDoc{
				Disabled, []Component{Typha}, p.in(typhaEnvPrefix), meaning,
				"Set all three of `TYPHA_PROMETHEUSMETRICSCAFILE`, `TYPHA_PROMETHEUSMETRICSCERTFILE` and `TYPHA_PROMETHEUSMETRICSKEYFILE` to files in container `calico-typha`, or none.",
			},
		)
	}
	return docs
}

func otherReasons() []ReasonDoc {
	const canI = "Add the right to the role of the collector's service account. `kubectl auth can-i <verb> <resource> --as=system:serviceaccount:<namespace>:<name>` tells whether it has it."
	withTLS := []Component{Felix, Typha, Operator}
	return []ReasonDoc{
		{
			NotReady, Components(), ReasonPodNotRunning,
			"The pod is not in phase Running.",
			"`kubectl describe pod` tells what it waits for.",
		},
		{
			NotReady, Components(), ReasonPodHasNoIP,
			"The pod runs, but has no address yet.",
			"Wait; if it stays so, `kubectl describe pod` tells why.",
		},
		{
			Forbidden, Components(), ReasonMissingRight,
			"Pods, or settings that decide, may not be read; the reason is the right that is missing, as in `list felixconfigurations.crd.projectcalico.org`, or a request that has failed from the start.",
			canI,
		},
		{
			Forbidden, []Component{IPAM}, ReasonMissingRight,
			"Pools or blocks may not be read; the reason is the right that is missing, as in `list ipamblocks.crd.projectcalico.org`. With `ipam.source: auto` the numbers are those that kube-controllers publishes, unless they could be read before; docs/ipam.md.",
			canI,
		},
		{
			TLSRequired, withTLS, ReasonTLSCAFile,
			"The component serves metrics with TLS, and the receiver does not know how to verify its certificate. The CA is a file in the component's container, which the Kubernetes API does not give out.",
			"Set `tls.ca_file` of the component in the receiver's configuration.",
		},
		{
			TLSRequired, withTLS, ReasonTLSCertFile,
			"The component serves metrics to clients with a certificate only.",
			"Set `tls.cert_file` and `tls.key_file` of the component in the receiver's configuration.",
		},
		{
			Blocked, withTLS, ReasonLoopbackOnly,
			"The metrics server listens on loopback, which nothing but its own node reaches.",
			"Set `prometheusMetricsHost` of Felix, `TYPHA_PROMETHEUSMETRICSHOST` of Typha or `METRICS_HOST` of the operator to an address of the node, or remove it.",
		},
		{
			Blocked, []Component{KubeControllers}, ReasonCalicoSystemTier,
			"The policies that the operator puts into the tier `calico-system` (before 1.42: `allow-tigera`) let nobody but Calico Enterprise's Prometheus reach kube-controllers (projectcalico/calico#13370). A policy in another namespace, tier `default` or of Kubernetes does not help.",
			"Add a NetworkPolicy of `projectcalico.org/v3` in the pod's namespace, named `calico-system.<name>`, with `tier: calico-system`, `order: 10`, `selector: k8s-app == 'calico-kube-controllers'` and `types: [Ingress]`, that allows TCP from the collector to the port; or run a collector in mode `node` with `kube_controllers.enabled: true` and `ipam.source: datastore`, which leaves the account of addresses to mode `cluster`, on the host network and node of kube-controllers, since Calico lets a node reach its own pods. Until then `ipam_allocations_gc_candidates` and `ipam_allocations_gc_reclamations` are missing, which only kube-controllers knows; with `ipam.source: scrape` all numbers of IPAM are.",
		},
		{
			Unreachable, Components(), ReasonScrapeFailed,
			"The endpoint is a target, but its last scrape failed.",
			"The collector's log has the error. Firewalls between nodes and host endpoints may close the port. On Windows, set `windowsManageFirewallRules` of FelixConfiguration to `Enabled`. Operators since 1.43 need `METRICS_ENABLED=true` beside `METRICS_PORT`.",
		},
		{
			Unreachable, Components(), ReasonScrapeLimit,
			"The endpoint answers, with more than one of the limits of a scrape lets pass: nothing of the scrape is kept.",
			"The collector's log at level debug says which limit. Raise it below the component in the receiver's configuration, as in `sample_limit`, with memory for it as docs/overload.md says; or drop with `metric_relabel_configs` what is not needed.",
		},
		{
			Unreachable, []Component{KubeControllers}, ReasonMayBeBlocked,
			"The last scrape failed, and it is not known whether the operator's policies are the cause, as in Calico 3.32 and later they may.",
			"Grant `list` and `watch` of `networkpolicies` in `crd.projectcalico.org` and `projectcalico.org` in the pod's namespace, so that the receiver can tell; then see `" + ReasonCalicoSystemTier + "` or `" + ReasonScrapeFailed + "`.",
		},
		{
			Unreachable, []Component{IPAM}, ReasonKubernetesAPI,
			"The Kubernetes API does not answer as it should. What was read last is kept, and known endpoints are scraped on.",
			"The collector's log names the requests that fail, and why.",
		},
		{
			Absent, Components(), ReasonNoPods,
			"No pod of the component was found. Calico runs without Typha, Goldmane and the operator, and canal without kube-controllers.",
			"Nothing is to be done, or add the namespace that it runs in to the receiver's configuration.",
		},
		{
			Absent, Components(), ReasonNoCalico,
			"The API server serves none of Calico's resources, and no pod of Calico was found.",
			"Install Calico, or take the collector out of this cluster.",
		},
		{
			Absent, []Component{IPAM}, ReasonNoCalico,
			"The API server serves none of Calico's resources. Where pods of Calico run all the same, its data is in an etcd of its own, which the receiver does not read.",
			"Install Calico, or take the collector out of this cluster. With an etcd, the numbers of IPAM come from the scrapes of kube-controllers.",
		},
		{
			Absent, []Component{IPAM}, ReasonNoPools,
			"Calico has no IP pool, so that it gives addresses to no pod.",
			"`kubectl get ippools.crd.projectcalico.org` or `calicoctl get ippool` shows them; nothing is to be done if something else gives the addresses.",
		},
		{
			Absent, []Component{IPAM}, ReasonNoBlocks,
			"The API server serves the IP pools, but not the blocks: Calico's data is in an etcd of its own, of which the aggregated API `projectcalico.org/v3` shows a part.",
			"Nothing is to be done with `ipam.source: auto`, which takes the numbers of IPAM from the scrapes of kube-controllers, or with `scrape`; with `datastore` they are missing.",
		},
	}
}

// unsupportedReasons are the ways in which pods get their addresses without Calico.
func unsupportedReasons() []ReasonDoc {
	const nothing = "Nothing is to be done: Calico has no account of these addresses. Felix and Typha are scraped all the same."
	of := func(reason, meaning string) ReasonDoc {
		return ReasonDoc{Unsupported, []Component{IPAM}, reason, meaning, nothing}
	}
	return []ReasonDoc{
		of(ReasonAWSVPCCNI, "The VPC CNI plugin of AWS gives pods their addresses, and Calico enforces policy only."),
		of(ReasonAzureVNET, "The VNET CNI plugin of Azure gives pods their addresses, and Calico enforces policy only."),
		of(ReasonGKE, "The CNI plugin of GKE gives pods their addresses, and Calico enforces policy only."),
		of(ReasonHostLocal, "The host-local plugin gives pods their addresses from the CIDR of their node, as with canal."),
		of(ReasonPolicyOnly, "Calico neither routes nor has an IP pool, so that it enforces policy only."),
	}
}
