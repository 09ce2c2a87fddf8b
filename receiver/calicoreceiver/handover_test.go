package calicoreceiver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
)

func TestAnAccountBeginsWhenWhatStoodInForItHasEnded(t *testing.T) {
	const pending, ready, unavailable = cluster.AccountPending, cluster.AccountReady, cluster.AccountUnavailable
	type step struct {
		after   time.Duration
		read    cluster.AccountState
		want    cluster.AccountState
		passing passing
	}
	for _, tc := range []struct {
		name   string
		source IPAMSource
		steps  []step
	}{
		{"the first account is not kept back", IPAMAuto, []step{{0, pending, pending, passOwn}, {0, ready, ready, passOwn}}},
		{"one that comes later begins one interval after the scraped copies are held back", IPAMAuto, []step{
			{0, unavailable, unavailable, passAll}, {30, unavailable, unavailable, passAll},
			{60, ready, pending, passOwn}, {61, ready, pending, passOwn}, {90, ready, ready, passOwn}, {91, ready, ready, passOwn},
		}},
		{"the interval begins when nothing passes any more, ready or not", IPAMAuto, []step{
			{0, unavailable, unavailable, passAll}, {30, pending, pending, passOwn}, {31, ready, pending, passOwn}, {60, ready, ready, passOwn},
		}},
		{"who loses the right meanwhile begins anew", IPAMAuto, []step{
			{0, unavailable, unavailable, passAll}, {30, ready, pending, passOwn}, {60, unavailable, unavailable, passAll},
			{90, ready, pending, passOwn}, {120, ready, ready, passOwn},
		}},
		{"where nothing stands in nothing is waited for", IPAMDatastore, []step{{0, unavailable, unavailable, passOwn}, {1, ready, ready, passOwn}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			config := createDefaultConfig().(*Config)
			config.IPAM.Source = tc.source
			h := handover{interval: config.handover()}
			for i, step := range tc.steps {
				account := h.account(cluster.IPAM{State: step.read}, moment.Add(step.after*time.Second))
				require.Equal(t, step.want, account.State, "step %d", i+1)
				require.Equal(t, step.passing, config.passing(account), "step %d", i+1)
			}
		})
	}
}

func TestAnAccountWaitsForTheScrapesOfKubeControllers(t *testing.T) {
	config, err := load(t, map[string]any{"kube_controllers": map[string]any{"collection_interval": "2m"}})
	require.NoError(t, err)
	require.Equal(t, 2*time.Minute-settle, config.handover())
}
