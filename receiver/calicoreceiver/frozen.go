package calicoreceiver

import (
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
)

// frozen holds the account of the cluster's addresses while Calico's datastore is not ready: it is being changed as a whole then, as by an upgrade or a
// migration, and what can be read of it meanwhile is no moment that ever was.
type frozen struct {
	last *cluster.IPAM // the last account while the datastore was ready; nil where there was none
}

// account is what is to be reported of the account that was read. Where none was read before, the first one stands for those that were not.
func (f *frozen) account(read cluster.IPAM, information *calicoapi.ClusterInformation) cluster.IPAM {
	isFrozen := information != nil && information.DatastoreReady != nil && !*information.DatastoreReady
	if isFrozen && f.last != nil {
		return *f.last
	}
	switch read.State {
	case cluster.AccountReady:
		f.last = &read
	case cluster.AccountUnavailable:
		f.last = nil
	case cluster.AccountPending:
	}
	return read
}
