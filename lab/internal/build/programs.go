// Package build makes the programs of the lab from its Go modules, and builds nothing that has not changed.
package build

import (
	"maps"
	"path/filepath"
	"slices"
)

// module is one go.mod of the lab. The programs of a module are built, and cached, together.
type module struct {
	name string
	// dir is relative to the directory of the lab.
	dir string
	// sources are files beside go.mod and go.sum that programs are built from, relative to dir.
	sources  []string
	tags     string
	programs []program
}

type program struct {
	name     string
	packages string
}

const calicoModule = "github.com/projectcalico/calico"

var modules = []module{
	{
		name: "calico", dir: ".",
		programs: []program{
			{"calico-kube-controllers", calicoModule + "/kube-controllers/cmd/kube-controllers"},
			{"calico-typha", calicoModule + "/typha/cmd/calico-typha"},
			{"calico-felix", calicoModule + "/felix/cmd/calico-felix"},
			{"calicoctl", calicoModule + "/calicoctl/calicoctl"},
		},
	},
	{
		name: "kubernetes", dir: "kubernetes", sources: []string{"etcd/main.go"},
		programs: []program{
			{"etcd", "./etcd"},
			{"kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"},
			{"kubectl", "k8s.io/kubernetes/cmd/kubectl"},
		},
	},
	{
		// Without the tag Prometheus links the client of every cloud; it scrapes nothing here.
		name: "prometheus", dir: "prometheus", tags: "remove_all_sd",
		programs: []program{
			{"prometheus", "github.com/prometheus/prometheus/cmd/prometheus"},
			{"promtool", "github.com/prometheus/prometheus/cmd/promtool"},
		},
	},
}

// Programs returns the names of all programs.
func Programs() []string {
	var names []string
	for _, m := range modules {
		for _, p := range m.programs {
			names = append(names, p.name)
		}
	}
	return names
}

// Groups of CustomResourceDefinitions: those of Calico itself, and those of Tigera's operator.
const (
	CalicoCRDs   = "calico"
	OperatorCRDs = "operator"
)

// crdSources are the CustomResourceDefinitions of the Calico module, by their group.
var crdSources = map[string]string{
	CalicoCRDs:   "libcalico-go/config/crd/*.yaml",
	OperatorCRDs: "charts/tigera-operator/crds/*.yaml",
}

// CRDGroups returns the names of all groups of CustomResourceDefinitions.
func CRDGroups() []string { return slices.Sorted(maps.Keys(crdSources)) }

// CRDDirs returns the directories below bin with the CustomResourceDefinitions of the groups.
func CRDDirs(bin string, groups ...string) []string {
	dirs := make([]string, 0, len(groups))
	for _, group := range groups {
		dirs = append(dirs, filepath.Join(bin, "crds", group))
	}
	return dirs
}
