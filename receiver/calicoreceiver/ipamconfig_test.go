package calicoreceiver

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/discovery"
)

func TestWhatPassesOfKubeControllersFollowsTheSource(t *testing.T) {
	pending, ready, unavailable := cluster.AccountPending, cluster.AccountReady, cluster.AccountUnavailable
	for _, tc := range []struct {
		name   string
		mode   Mode
		source IPAMSource
		state  cluster.AccountState
		want   passing
	}{
		{"an account has it all", ModeCluster, IPAMAuto, ready, passOwn},
		{"before it is known whether there will be an account, nothing may be there that the account has again", ModeCluster, IPAMAuto, pending, passOwn},
		{"where there can be no account kube-controllers has the numbers", ModeCluster, IPAMAuto, unavailable, passAll},
		{"who asks for the datastore gets nothing else", ModeCluster, IPAMDatastore, unavailable, passOwn},
		{"who asks for kube-controllers gets that", ModeCluster, IPAMScrape, pending, passAll},
		{"an agent of a node keeps no account", ModeNode, IPAMAuto, pending, passAll},
		{"an agent that leaves the account to the collector of the cluster passes on the rest", ModeNode, IPAMDatastore, pending, passOwn},
		{"so does one without an API server", ModeStatic, IPAMDatastore, pending, passOwn},
		{"without an API server there is no account", ModeStatic, IPAMAuto, pending, passAll},
		{"off is off in every mode", ModeNode, IPAMOff, pending, passNone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := Config{Mode: tc.mode, IPAM: IPAMConfig{Source: tc.source}}
			require.Equal(t, tc.want, config.passing(cluster.IPAM{State: tc.state}))
		})
	}
}

func TestOnlyClusterModeKeepsAnAccount(t *testing.T) {
	for source, want := range map[IPAMSource]bool{IPAMAuto: true, IPAMDatastore: true, IPAMScrape: false, IPAMOff: false} {
		require.Equal(t, want, (&Config{Mode: ModeCluster, IPAM: IPAMConfig{Source: source}}).watchesIPAM(), source)
		for _, mode := range []Mode{ModeNode, ModeStatic} {
			require.False(t, (&Config{Mode: mode, IPAM: IPAMConfig{Source: source}}).watchesIPAM(), "%s %s", mode, source)
		}
	}
}

func TestWhatIsOffIsNotExplained(t *testing.T) {
	for _, tc := range []struct {
		mode   Mode
		source IPAMSource
		want   bool
	}{{ModeCluster, IPAMAuto, true}, {ModeCluster, IPAMScrape, true}, {ModeCluster, IPAMOff, false}, {ModeNode, IPAMAuto, false}, {ModeNode, IPAMDatastore, false}} {
		config := Config{Mode: tc.mode, IPAM: IPAMConfig{Source: tc.source}}
		require.Equal(t, tc.want, slices.Contains(config.explained(), discovery.IPAM), "%s %s", tc.mode, tc.source)
	}
}
