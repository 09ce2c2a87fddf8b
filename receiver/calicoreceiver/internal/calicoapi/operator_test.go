package calicoapi

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

func TestParseInstallation(t *testing.T) {
	i, err := ParseInstallation(testdata(t, "installation"))
	require.NoError(t, err)
	require.Equal(t, discovery.Installation{
		CNI: "Calico", IPAM: "Calico", NodeMetricsPort: ptr(int64(9091)), TyphaMetricsPort: ptr(int64(9093)),
	}, i, "the port of Typha is in the computed spec only")
}

func TestInstallationTakesFromTheComputedSpecWhatItsOwnLeavesOut(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       discovery.Installation
	}{
		{"nothing is said", "", discovery.Installation{}},
		{"nothing is computed yet", "spec: {cni: {type: AmazonVPC}}", discovery.Installation{CNI: "AmazonVPC"}},
		{
			"all is computed", "status: {computed: {cni: {type: AzureVNET, ipam: {type: AzureVNET}}, nodeMetricsPort: 9091}}",
			discovery.Installation{CNI: "AzureVNET", IPAM: "AzureVNET", NodeMetricsPort: ptr(int64(9091))},
		},
		{
			"the spec comes first", "spec: {nodeMetricsPort: 9191, cni: {type: Calico, ipam: {type: HostLocal}}}\n" +
				"status: {computed: {nodeMetricsPort: 9091, cni: {type: Calico, ipam: {type: Calico}}}}",
			discovery.Installation{CNI: "Calico", IPAM: "HostLocal", NodeMetricsPort: ptr(int64(9191))},
		},
		{
			"the computed IPAM of another CNI says nothing",
			"spec: {cni: {type: GKE}}\nstatus: {computed: {cni: {type: Calico, ipam: {type: Calico}}}}", discovery.Installation{CNI: "GKE"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			i, err := ParseInstallation(object(t, "apiVersion: operator.tigera.io/v1\nkind: Installation\nmetadata: {name: default}\n"+tc.text))
			require.NoError(t, err)
			require.Equal(t, tc.want, i)
		})
	}
}

func TestParseInstallationNamesTheFieldThatIsWrong(t *testing.T) {
	requireNamed(t, "installation", ParseInstallation, []wrong{
		{"a port in words", "spec: {nodeMetricsPort: '9091'}", "spec.nodeMetricsPort: a string instead of an integer"},
		{"a computed port in words", "status: {computed: {typhaMetricsPort: on}}", "status.computed.typhaMetricsPort: a boolean instead of an integer"},
		{"a CNI that is a name", "spec: {cni: Calico}", "spec.cni: a string instead of an object"},
		{"an IPAM that is a list", "spec: {cni: {ipam: []}}", "spec.cni.ipam: a list instead of an object"},
	})
}

func TestParseTigeraStatus(t *testing.T) {
	s, err := ParseTigeraStatus(testdata(t, "tigerastatus"))
	require.NoError(t, err)
	require.Equal(t, TigeraStatus{
		Component: "calico", Conditions: map[string]bool{"Available": true, "Degraded": false, "Progressing": false},
	}, s, "Ready is the same as Available, and unknown is not so")

	s, err = ParseTigeraStatus(object(t, "apiVersion: operator.tigera.io/v1\nkind: TigeraStatus\nmetadata: {name: apiserver}\nstatus: {conditions: []}"))
	require.NoError(t, err)
	require.Empty(t, s.Conditions)

	requireNamed(t, "tigerastatus", ParseTigeraStatus, []wrong{
		{"conditions by name", "status: {conditions: {Available: true}}", "status.conditions: an object instead of a list"},
		{"a condition that is a word", "status: {conditions: [Available]}", "status.conditions: element 0: a string instead of an object"},
		{
			"a status that is a switch", "status: {conditions: [{type: Degraded, status: 'False'}, {type: Available, status: true}]}",
			"status.conditions: element 1: status: a boolean instead of a string",
		},
	})
}
