package cluster

import (
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Layout is how Calico was installed.
type Layout string

const (
	// OperatorLayout is Tigera's operator: namespace calico-system, metrics switched on by the Installation.
	OperatorLayout Layout = "operator"
	// ManifestLayout is Calico's manifests: namespace kube-system, Felix' metrics switched on by FelixConfiguration.
	ManifestLayout Layout = "manifest"

	// CalicoVersion is the version of the Calico programs that the lab builds.
	CalicoVersion = "v3.28.5"

	crdGroup = "crd.projectcalico.org"
)

// ParseLayout returns the Layout of that name.
func ParseLayout(name string) (Layout, error) {
	switch layout := Layout(name); layout {
	case OperatorLayout, ManifestLayout:
		return layout, nil
	}
	return "", fmt.Errorf("%q is none of %s, %s", name, OperatorLayout, ManifestLayout)
}

// Namespace is where Calico's pods are.
func (l Layout) Namespace() string {
	if l == ManifestLayout {
		return "kube-system"
	}
	return "calico-system"
}

// ClusterType is what calico-node writes into ClusterInformation.
func (l Layout) ClusterType() string {
	if l == ManifestLayout {
		return "k8s,bgp,typha,kdd"
	}
	return "typha,kdd,k8s,operator,bgp"
}

// Placement says where the processes of Calico's components listen. Objects and processes are both made from it, so that
// what a pod's environment claims is true.
type Placement struct {
	Layout Layout
	// FelixAddress is empty if Felix was left out.
	FelixAddress        string
	FelixPort           int
	TyphaPort           int
	TyphaHealthPort     int
	TyphaServerPort     int
	TyphaAddress        string
	KubeControllersPort int
}

// FelixEnv is the environment of the container calico-node.
func (p Placement) FelixEnv() []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: "DATASTORE_TYPE", Value: "kubernetes"},
		{Name: "WAIT_FOR_DATASTORE", Value: "true"},
		{Name: "CLUSTER_TYPE", Value: p.Layout.ClusterType()},
		{Name: "CALICO_DISABLE_FILE_LOGGING", Value: "true"},
		{Name: "FELIX_DATASTORETYPE", Value: "kubernetes"},
		{Name: "FELIX_DEFAULTENDPOINTTOHOSTACTION", Value: "ACCEPT"},
		{Name: "FELIX_IPV6SUPPORT", Value: "false"},
		{Name: "FELIX_HEALTHENABLED", Value: "true"},
		{Name: "FELIX_TYPHAADDR", Value: fmt.Sprintf("%s:%d", p.TyphaAddress, p.TyphaServerPort)},
	}
	if p.Layout == OperatorLayout {
		env = append(env,
			corev1.EnvVar{Name: "FELIX_PROMETHEUSMETRICSENABLED", Value: "true"},
			corev1.EnvVar{Name: "FELIX_PROMETHEUSMETRICSPORT", Value: strconv.Itoa(p.FelixPort)},
		)
	}
	return env
}

// TyphaEnv is the environment of the container calico-typha.
func (p Placement) TyphaEnv() []corev1.EnvVar {
	return []corev1.EnvVar{
		{Name: "TYPHA_LOGSEVERITYSCREEN", Value: "info"},
		{Name: "TYPHA_LOGFILEPATH", Value: "none"},
		{Name: "TYPHA_LOGSEVERITYSYS", Value: "none"},
		{Name: "TYPHA_DATASTORETYPE", Value: "kubernetes"},
		{Name: "TYPHA_K8SNAMESPACE", Value: p.Layout.Namespace()},
		{Name: "TYPHA_SERVERPORT", Value: strconv.Itoa(p.TyphaServerPort)},
		{Name: "TYPHA_HEALTHENABLED", Value: "true"},
		{Name: "TYPHA_HEALTHPORT", Value: strconv.Itoa(p.TyphaHealthPort)},
		{Name: "TYPHA_PROMETHEUSMETRICSENABLED", Value: "true"},
		{Name: "TYPHA_PROMETHEUSMETRICSHOST", Value: loopback},
		{Name: "TYPHA_PROMETHEUSMETRICSPORT", Value: strconv.Itoa(p.TyphaPort)},
	}
}

// KubeControllersEnv is the environment of the container calico-kube-controllers. The metrics port is not in it:
// kube-controllers reads that from KubeControllersConfiguration only.
func (p Placement) KubeControllersEnv() []corev1.EnvVar {
	env := []corev1.EnvVar{
		{Name: "DATASTORE_TYPE", Value: "kubernetes"},
		{Name: "ENABLED_CONTROLLERS", Value: "node"},
	}
	if p.Layout == OperatorLayout {
		env = append(env, corev1.EnvVar{Name: "KUBE_CONTROLLERS_CONFIG_NAME", Value: "default"})
	}
	return env
}
