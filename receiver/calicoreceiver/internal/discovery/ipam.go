package discovery

import "strconv"

// ipam says whether Calico manages the addresses of the cluster's pods, and whether its pools and blocks can be read. Who does manage them is asked
// first: the resources of Calico's address management may be there all the same.
func ipam(in Input) Endpoint {
	e := Endpoint{Component: IPAM}
	if in.Installation != nil {
		if reason, detail := otherIPAM(*in.Installation); reason != "" {
			return e.with(Unsupported, reason, detail)
		}
	} else if pod, ok := anyFelix(in.Pods, func(p Pod, _ Container) bool { return p.App == "canal" }); ok {
		return e.with(Unsupported, ReasonHostLocal, "canal takes the addresses of pods from host-local, as pod "+pod.Namespace+"/"+pod.Name+" shows")
	}
	switch {
	case in.Pools.Missing != "":
		return e.with(Forbidden, in.Pools.Missing, "the IP pools are not known without: "+in.Pools.Missing)
	case in.BlocksMissing != "":
		return e.with(Forbidden, in.BlocksMissing, "the blocks are not known, or as they were read last, without: "+in.BlocksMissing+
			"; where none were read, ipam.source: auto uses kube-controllers' own metrics instead")
	case !in.CalicoInstalled:
		return e.with(Absent, ReasonNoCalico, "the API server serves none of Calico's resources")
	case in.APIFails:
		return e.with(Unreachable, ReasonKubernetesAPI, "the Kubernetes API does not answer as it should; the IP pools are those that were read last")
	case in.Pools.Value > 0 && in.BlocksUnserved:
		return e.with(Absent, ReasonNoBlocks, "IP pools: "+strconv.Itoa(in.Pools.Value)+"; the API server does not serve the blocks")
	case in.Pools.Value > 0:
		return e.with(Scraped, ReasonOK, "IP pools: "+strconv.Itoa(in.Pools.Value))
	}
	if in.Installation == nil {
		if pod, ok := anyFelix(in.Pods, backendNone); ok {
			return e.with(Unsupported, ReasonPolicyOnly, "there is no IP pool, and "+envBackend+" is none in pod "+pod.Namespace+"/"+pod.Name)
		}
	}
	return e.with(Absent, ReasonNoPools, "there is no IP pool")
}

// otherIPAM names what an operator's Installation uses instead of Calico's address management; empty if it uses that. The plugin decides unless its
// IPAM is set (api/v1/installation_types.go of tigera/operator).
func otherIPAM(i Installation) (reason, detail string) {
	switch {
	case i.CNI == "AmazonVPC" || i.IPAM == "AmazonVPC":
		return ReasonAWSVPCCNI, "Installation has the CNI plugin of AWS give addresses to pods"
	case i.CNI == "AzureVNET" || i.IPAM == "AzureVNET":
		return ReasonAzureVNET, "Installation has the CNI plugin of Azure give addresses to pods"
	case i.CNI == "GKE":
		return ReasonGKE, "Installation has the CNI plugin of GKE give addresses to pods"
	case i.IPAM == "HostLocal":
		return ReasonHostLocal, "Installation has host-local give addresses to pods"
	}
	return "", ""
}

// anyFelix finds a pod of Felix that a condition holds for.
func anyFelix(pods []Pod, holds func(Pod, Container) bool) (Pod, bool) {
	for _, pod := range pods {
		if a, ok := appOf(pod); ok && a.component == Felix && holds(pod, a.serving(pod)) {
			return pod, true
		}
	}
	return Pod{}, false
}

// backendNone says whether calico-node is told not to route between nodes, as in Calico's manifest for policy only.
func backendNone(_ Pod, c Container) bool {
	return c.variable(envBackend).Value == "none"
}
