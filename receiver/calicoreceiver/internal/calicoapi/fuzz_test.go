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
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
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
	fuzz(f, "ippool", ParseIPPool, func(t *testing.T, pool ipam.Pool) {
		require.True(t, pool.CIDR.IsValid())
		require.LessOrEqual(t, pool.BlockSize, pool.CIDR.Addr().BitLen())
		require.NotEmpty(t, pool.AllowedUses)
	},
		`{"spec":{"cidr":"10.0.0.0/16","blockSize":26},"metadata":{"name":"p"}}`,
		`{"spec":{"cidr":"fd00::/48","allowedUses":["Workload",3],"disabled":"yes"}}`,
		`{"metadata":{"deletionTimestamp":7},"spec":{"cidr":"10.0.0.0/16"},"status":{"conditions":[{"type":"Allocatable","status":"False"}]}}`)
}

func FuzzParseIPAMBlock(f *testing.F) {
	fuzz(f, "ipamblock", ParseIPAMBlock, func(t *testing.T, spec *ipam.BlockSpec) {
		if spec == nil {
			return
		}
		for _, index := range spec.Allocations {
			require.GreaterOrEqual(t, index, ipam.Free)
		}
		block, err := ipam.NewBlock(*spec, true)
		if err != nil {
			require.Nil(t, block)
			return
		}
		account := ipam.New()
		account.PutBlock("fuzzed", block)
		require.Len(t, account.Blocks(), 1)
		report := account.Blocks()[0]
		require.Equal(t, report.CIDR.Masked(), report.CIDR)
		require.Len(t, spec.Allocations, report.Size)
		require.Equal(t, report.Size-len(spec.Unallocated), report.Allocated)
	},
		`{"spec":{"cidr":"10.0.0.0/30","affinity":"host:n","allocations":[0,null,1,null],"unallocated":[3,1],"attributes":[{},{"handle_id":"h"}]}}`,
		`{"spec":{"cidr":"10.0.0.0/30","allocations":[0,0,0,null],"unallocated":[3],"attributes":[{"releasedAt":"2026-07-01T10:00:05Z"}]}}`,
		`{"spec":{"cidr":"fd00::/126","affinity":"virtual:","allocations":[null,null,null,null],"unallocated":[0,4],"attributes":[null],"deleted":false}}`,
		`{"spec":{"deleted":true}}`)
}

func FuzzParseBlockAffinity(f *testing.F) {
	fuzz(f, "blockaffinity", ParseBlockAffinity, func(t *testing.T, affinity *ipam.Affinity) {
		if affinity != nil {
			require.True(t, affinity.CIDR.IsValid())
			require.Equal(t, affinity.CIDR.Masked(), affinity.CIDR)
		}
	}, `{"spec":{"cidr":"10.0.0.0/26","node":"n","deleted":"f"}}`, `{"spec":{"cidr":"fd00::/122","type":"virtual","deleted":false}}`)
}

func FuzzParseIPReservation(f *testing.F) {
	fuzz(f, "ipreservation", ParseIPReservation, func(t *testing.T, r Reservation) {
		for _, prefix := range r.CIDRs {
			require.True(t, prefix.IsValid())
			require.Equal(t, prefix.Masked(), prefix)
			require.False(t, prefix.Addr().Is4In6())
		}
	}, `{"spec":{"reservedCIDRs":[" 10.0.0.1","::ffff:10.0.0.0/95","::ffff:10.0.0.0/120","","fe80::1%0","nothing"]}}`)
}

func FuzzParseIPAMConfig(f *testing.F) {
	fuzz(f, "ipamconfig", ParseIPAMConfig, func(t *testing.T, c ipam.Config) {
		require.GreaterOrEqual(t, c.MaxBlocksPerHost, 0)
		require.GreaterOrEqual(t, c.Cooldown, time.Duration(0))
	}, `{"spec":{"strictAffinity":false,"maxBlocksPerHost":2147483647,"ipCooldownSeconds":-9223372036854775808}}`)
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
