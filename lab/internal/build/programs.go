// Package build makes the programs of the lab from its Go modules, and builds nothing that has not changed.
package build

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
		},
	},
	{
		// Without the tag Prometheus links the client of every cloud; it scrapes nothing here.
		name: "prometheus", dir: "prometheus", tags: "remove_all_sd",
		programs: []program{
			{"prometheus", "github.com/prometheus/prometheus/cmd/prometheus"},
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

// crdSources are the CustomResourceDefinitions of the Calico module, by the directory below crds/ that they are copied to.
var crdSources = map[string]string{
	"calico":   "libcalico-go/config/crd/*.yaml",
	"operator": "charts/tigera-operator/crds/operator.tigera.io_installations_crd.yaml",
}
