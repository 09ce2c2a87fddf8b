package discovery

// Pod is what discovery reads of a pod.
type Pod struct {
	Namespace, Name, UID string
	// App is the value of AppLabel.
	App string
	// Labels are those by which Calico's policies may select the pod; only AppLabel and NameLabel are kept.
	Labels map[string]string
	// Node and IP are empty until the pod is scheduled and has an address.
	Node, IP string
	// HostNetwork is true of a pod that has the addresses of its node, to which policies for pods do not apply.
	HostNetwork bool
	// Running is true in phase Running; readiness is not asked for, since a component that is not ready has the more to tell.
	Running bool
	// ControllerKind and ControllerName are the pod's controller, as in DaemonSet and calico-node.
	ControllerKind, ControllerName string
	// Containers in the order of the pod's spec.
	Containers []Container
}

// Container is what discovery reads of a container: its name and the settings in its environment.
type Container struct {
	Name string
	// Env is what the container's environment says of the settings that discovery reads, in the order in which later entries override earlier ones:
	// first that of envFrom, then env, with references to ConfigMaps and fields of the pod followed.
	Env []EnvVar
}

// EnvVar is one environment variable.
type EnvVar struct {
	Name, Value string
	// Unreadable says why the value is not known, as in "get configmaps/felix in kube-system"; empty if it is.
	Unreadable string
}

// Readable is what the Kubernetes API says, or the right that is missing to read it.
type Readable[T any] struct {
	Value T
	// Missing is the missing right, as in "list felixconfigurations.crd.projectcalico.org"; empty where the resource can be read, and where it
	// does not exist.
	Missing string
}

// Input is everything that endpoints are computed from.
type Input struct {
	// Scope are the components that this receiver looks for; Endpoints says nothing of others.
	Scope []Component
	Pods  []Pod
	// PodsMissing are the rights that are missing to list pods, one a namespace: what runs there is not known.
	PodsMissing []string
	// FelixConfigurations by name: default, node.<name> for one node, any other with a NodeSelector.
	FelixConfigurations Readable[map[string]FelixConfiguration]
	// NodeLabels by node; read only where a FelixConfiguration has a NodeSelector.
	NodeLabels Readable[map[string]map[string]string]
	// KubeControllers is the KubeControllersConfiguration named default; nil where it does not exist.
	KubeControllers Readable[*KubeControllersConfiguration]
	// Installation is the operator's; nil where there is none or it cannot be read.
	Installation *Installation
	// CalicoInstalled says whether the API server serves Calico's resources.
	CalicoInstalled bool
	// APIFails is true while the Kubernetes API does not answer as it should, refusals apart: what is known may be old.
	APIFails bool
	// Pools is the number of IPPools.
	Pools Readable[int]
	// BlocksMissing is the right that is missing to read the IPAM blocks; empty where they can be read, and where they are not asked for.
	BlocksMissing string
	// BlocksUnserved is true where IPAM blocks are asked for and the API server does not serve them, as where Calico's data is in an etcd of its own
	// and only its aggregated API is there.
	BlocksUnserved bool
	// Clients is what the receiver's configuration can do for the components' TLS.
	Clients map[Component]Client
}

// FelixConfiguration is what discovery reads of the resource of that name; nil and empty mean not set.
type FelixConfiguration struct {
	PrometheusMetricsEnabled *bool
	PrometheusMetricsPort    *int64
	PrometheusMetricsHost    string
	// Files in the container of calico-node (Calico 3.32+).
	PrometheusMetricsCAFile, PrometheusMetricsCertFile, PrometheusMetricsKeyFile string
	PrometheusMetricsClientAuth                                                  string
	// NodeSelector picks the nodes that the configuration is for (Calico 3.32+); nil is none.
	NodeSelector *string
	// Overrides are the values of the annotations config.projectcalico.org/<parameter>, by parameter, as in PrometheusMetricsPort. They win over the
	// spec (libcalico-go/lib/backend/syncersv1/updateprocessors/configurationprocessor.go).
	Overrides map[string]string
	// Created, in seconds since 1970, decides between several whose NodeSelector picks one node: the oldest does, then the first by name.
	Created int64
}

// KubeControllersConfiguration is what discovery reads of the resource of that name.
type KubeControllersConfiguration struct {
	// PrometheusMetricsPort: nil and 0 both mean that kube-controllers serves no metrics.
	PrometheusMetricsPort *int64
}

// Installation is what discovery reads of the operator's resource of that name.
type Installation struct {
	// CNI is spec.cni.type: Calico, AmazonVPC, AzureVNET, GKE; empty is Calico.
	CNI string
	// IPAM is spec.cni.ipam.type: Calico, HostLocal, AmazonVPC, AzureVNET; empty follows from CNI.
	IPAM string
	// NodeMetricsPort and TyphaMetricsPort are what the operator puts into the environment of Felix and Typha; nil is off.
	NodeMetricsPort, TyphaMetricsPort *int64
}

// Client is what the receiver is configured to show and accept in a TLS handshake.
type Client struct {
	// Verifies is true where the configuration says how the server is verified, or that it is not.
	Verifies bool
	// Certificate is true where there is a client certificate.
	Certificate bool
}

// PolicyNamespace is where the operator, and nobody else, closes the port of kube-controllers by policies.
const PolicyNamespace = "calico-system"

// Policies are the Calico NetworkPolicies in PolicyNamespace.
type Policies struct {
	// Missing is the right that is missing to list them; Known is false until they were asked for.
	Missing string
	Known   bool
	List    []Policy
}

// Policy is what discovery reads of a Calico NetworkPolicy.
type Policy struct {
	Name, Namespace string
	// Tier is empty where the object does not say, as before Calico 3.29: its name begins with it all the same.
	Tier string
	// Selector in Calico's syntax; empty is all.
	Selector string
	// Ingress is true where the policy applies to incoming traffic, and AllowsIngress where it has a rule that allows some.
	Ingress, AllowsIngress bool
}
