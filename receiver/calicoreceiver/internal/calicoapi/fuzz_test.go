package calicoapi

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/nodestatus"
)

// fuzz gives a parser objects of JSON: those in testdata, odd ones, and what follows from them. None may panic, an error names the kind, and
// the object if it has a name, and what is read is checked.
func fuzz[T any](f *testing.F, kind string, parse func(*unstructured.Unstructured) (T, error), check func(*testing.T, T), seeds ...string) {
	files, err := filepath.Glob(filepath.Join("testdata", kind+"*.yaml"))
	require.NoError(f, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(f, err)
		seed, err := yaml.YAMLToJSON(text)
		require.NoError(f, err)
		f.Add(string(seed))
	}
	for _, seed := range append(seeds, `{"spec":[],"status":7}`, `{"spec":null,"status":{"conditions":{}},"metadata":{"name":3}}`, `{"metadata":[]}`) {
		f.Add(`{"apiVersion":"crd.projectcalico.org/v1","kind":"Any",` + strings.TrimPrefix(seed, "{"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		u := &unstructured.Unstructured{}
		if u.UnmarshalJSON([]byte(text)) != nil || u.Object == nil {
			t.Skip()
		}
		got, err := parse(u)
		if err != nil {
			require.ErrorContains(t, err, kind+" ")
			require.ErrorContains(t, err, strings.TrimPrefix(strconv.Quote(u.GetName()), `"`))
			require.Zero(t, got)
			return
		}
		check(t, got)
	})
}

func FuzzParseIPPool(f *testing.F) {
	fuzz(f, "ippool", ParseIPPool, func(t *testing.T, pool IPPool) {
		require.True(t, pool.CIDR.IsValid())
		require.LessOrEqual(t, pool.BlockSize, pool.CIDR.Addr().BitLen())
		require.NotEmpty(t, pool.AllowedUses)
	},
		`{"spec":{"cidr":"10.0.0.0/16","blockSize":26},"metadata":{"name":"p"}}`,
		`{"spec":{"cidr":"fd00::/48","allowedUses":["Workload",3],"disabled":"yes"}}`,
		`{"metadata":{"deletionTimestamp":7},"spec":{"cidr":"10.0.0.0/16"},"status":{"conditions":[{"type":"Allocatable","status":"False"}]}}`)
}

func FuzzParseFelixConfiguration(f *testing.F) {
	fuzz(f, "felixconfiguration", ParseFelixConfiguration, func(*testing.T, discovery.FelixConfiguration) {},
		`{"metadata":{"creationTimestamp":"9999-12-31T23:59:59Z","annotations":{"projectcalico.org/metadata":"{}"}}}`,
		`{"metadata":{"annotations":{"projectcalico.org/metadata":"{\"creationTimestamp\":\"0000-01-01T00:00:00Z\"}"}}}`)
}

func FuzzParseKubeControllersConfiguration(f *testing.F) {
	fuzz(f, "kubecontrollersconfiguration", ParseKubeControllersConfiguration, func(*testing.T, discovery.KubeControllersConfiguration) {},
		`{"metadata":{"name":"default"},"spec":{"prometheusMetricsPort":9094}}`)
}

func FuzzParseClusterInformation(f *testing.F) {
	fuzz(f, "clusterinformation", ParseClusterInformation, func(t *testing.T, c ClusterInformation) {
		require.Contains(t, []string{"kubernetes", "etcd", "unknown"}, c.Datastore())
		require.Contains(t, []string{"operator", "manifest", "unknown"}, c.InstalledBy())
		require.NotContains(t, c.ClusterType, "")
	})
}

func FuzzParseInstallation(f *testing.F) {
	fuzz(f, "installation", ParseInstallation, func(*testing.T, discovery.Installation) {}, `{"status":{"computed":{"cni":{"type":"GKE"}}}}`)
}

func FuzzParseTigeraStatus(f *testing.F) {
	fuzz(f, "tigerastatus", ParseTigeraStatus, func(t *testing.T, s TigeraStatus) {
		require.LessOrEqual(t, len(s.Conditions), len(TigeraConditions()))
	})
}

func FuzzParseNetworkPolicy(f *testing.F) {
	fuzz(f, "networkpolicy", ParseNetworkPolicy, func(*testing.T, discovery.Policy) {})
}

func FuzzParseDatastoreMigration(f *testing.F) {
	fuzz(f, "datastoremigration", ParseDatastoreMigration, func(t *testing.T, phase MigrationPhase) {
		require.NotEmpty(t, phase)
	})
}

func FuzzParseCalicoNodeStatus(f *testing.F) {
	now := time.Date(2026, 7, 1, 10, 0, 5, 0, time.UTC)
	fuzz(f, "caliconodestatus", ParseCalicoNodeStatus, func(t *testing.T, s nodestatus.Status) {
		require.NotEmpty(t, s.Node)
		require.GreaterOrEqual(t, s.Period, time.Duration(0))
		for _, peer := range append(s.V4.Down, s.V6.Down...) {
			require.NotEqual(t, nodestatus.StateEstablished, peer.State)
		}
		nodestatus.Observe([]nodestatus.Status{s, s}, now, func(string) bool { return true })
	}, `{"spec":{"node":"n","classes":["BGP"],"updatePeriodSeconds":1},"status":{"lastUpdated":"0001-01-01T00:00:01Z","bgp":{"numberNotEstablishedV4":9223372036854775807}}}`)
}
