package lab

import (
	"context"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

// bareLayout is State.Layout of a lab in which Calico is not installed.
const bareLayout = "bare"

// barePrograms are all that a bare lab runs.
var barePrograms = []string{partEtcd, partAPIServer, partPrometheus}

// startBare leaves the cluster as the API server makes it, but for the rights of the collector.
func (l *Lab) startBare(ctx context.Context, credentials *cluster.Credentials) error {
	l.State.Components, l.State.Pools = []state.Component{}, []state.Pool{}
	var err error
	if l.kube, err = cluster.NewClient(l.State.AdminKubeconfig); err != nil {
		return err
	}
	return l.out.Step("creating the collector's account", func() error {
		return within(ctx, objectsTimeout, func(ctx context.Context) error {
			if err := l.kube.AwaitNamespace(ctx, "kube-system", readyTimeout); err != nil {
				return err
			}
			return l.grantCollector(ctx, credentials)
		})
	})
}
