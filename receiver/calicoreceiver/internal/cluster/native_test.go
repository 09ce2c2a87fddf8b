//go:build e2e

package cluster

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var migrations = schema.GroupVersionResource{Group: "migration.projectcalico.org", Version: "v1", Resource: "datastoremigrations"}

// native are the resources of Calico's own v3 API as CRDs, and its migrations, as far as the tests use them.
var native = []struct{ group, version, kind, plural string }{
	{"projectcalico.org", "v3", "IPPool", "ippools"},
	{"projectcalico.org", "v3", "IPAMBlock", "ipamblocks"},
	{"projectcalico.org", "v3", "BlockAffinity", "blockaffinities"},
	{"projectcalico.org", "v3", "IPReservation", "ipreservations"},
	{"projectcalico.org", "v3", "IPAMConfiguration", "ipamconfigurations"},
	{"projectcalico.org", "v3", "FelixConfiguration", "felixconfigurations"},
	{"projectcalico.org", "v3", "KubeControllersConfiguration", "kubecontrollersconfigurations"},
	{"migration.projectcalico.org", "v1", "DatastoreMigration", "datastoremigrations"},
}

func defineNative(t *testing.T) {
	t.Helper()
	for _, n := range native {
		lab.Define(t, n.group, n.version, n.kind, n.plural)
	}
}

func removeNative(t *testing.T) {
	t.Helper()
	for _, n := range native {
		lab.Undefine(t, n.group, n.plural)
	}
}

func setPhase(t *testing.T, phase string) {
	t.Helper()
	client := lab.Dynamic(t).Resource(migrations)
	migration, err := client.Get(t.Context(), "v1-to-v3", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, unstructured.SetNestedField(migration.Object, phase, "status", "phase"))
	_, err = client.Update(t.Context(), migration, metav1.UpdateOptions{})
	require.NoError(t, err)
}
