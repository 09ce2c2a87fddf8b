package calicoreceiver

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

func TestTheAccountStandsStillWhileTheDatastoreIsNotReady(t *testing.T) {
	yes, no := true, false
	ready, notReady := &calicoapi.ClusterInformation{DatastoreReady: &yes}, &calicoapi.ClusterInformation{DatastoreReady: &no}
	// An account is told by the number of its orphans.
	account := func(n int) cluster.IPAM {
		return cluster.IPAM{State: cluster.AccountReady, Report: ipam.Report{Orphaned: n}}
	}
	pending, unavailable := cluster.IPAM{State: cluster.AccountPending}, cluster.IPAM{State: cluster.AccountUnavailable}
	type step struct {
		read        cluster.IPAM
		information *calicoapi.ClusterInformation
		want        cluster.IPAM
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"it follows a datastore that is ready", []step{{account(1), ready, account(1)}, {account(2), ready, account(2)}}},
		{"it is that of the last moment at which the datastore was ready", []step{
			{account(1), ready, account(1)}, {account(2), ready, account(2)}, {account(3), notReady, account(2)}, {account(4), notReady, account(2)},
			{account(5), ready, account(5)},
		}},
		{"what cannot be read any more does not count meanwhile", []step{
			{account(1), ready, account(1)}, {pending, notReady, account(1)}, {unavailable, notReady, account(1)}, {unavailable, ready, unavailable},
		}},
		{"who comes late takes the first complete one", []step{{pending, notReady, pending}, {account(1), notReady, account(1)}, {account(2), notReady, account(1)}}},
		{"what was before there was none is no account any more", []step{
			{account(1), ready, account(1)}, {unavailable, ready, unavailable}, {account(2), notReady, account(2)}, {account(3), notReady, account(2)},
		}},
		{"a cluster that does not say so is not frozen", []step{
			{account(1), nil, account(1)}, {account(2), nil, account(2)}, {account(3), &calicoapi.ClusterInformation{}, account(3)},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var f frozen
			for i, step := range tc.steps {
				require.Equal(t, step.want, f.account(step.read, step.information), "step %d", i+1)
			}
		})
	}
}
