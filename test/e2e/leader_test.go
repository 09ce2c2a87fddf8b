//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// What testdata/leader.yaml says of the lease, and how long it can take until another has it: a standby tries every 1 to 2.2 retry periods, and counts
// the lease from when it last saw it renewed. slack is for a busy machine.
const (
	lease    = 6 * time.Second
	retry    = time.Second
	slack    = 5 * time.Second
	takeover = lease + 2*22*retry/10 + slack
)

// TestLeaderThatIsKilledIsReplaced runs two collectors of which one leads, and kills that one.
func TestLeaderThatIsKilledIsReplaced(t *testing.T) {
	const name = "leader"
	prom := prometheus(t)
	both := [2]*labtest.Collector{}
	rights := append(shippedRights(t, "cluster.yaml", "operator.yaml"), shippedRights(t, "leader-election.yaml")...)
	kubeconfig := account(t, name, rights)
	for i := range both {
		both[i] = startCollector(t, collector{cluster: name, lease: name, kubeconfig: kubeconfig, configs: []string{"testdata/leader.yaml"}})
	}
	leads := func(p *labtest.Collector) bool { return p.Contains("this collector leads") }
	require.Eventually(t, func() bool { return leads(both[0]) || leads(both[1]) }, patience, poll)
	leader, standby := both[0], both[1]
	if leads(standby) {
		leader, standby = standby, leader
	}
	selector := fmt.Sprintf(`{__name__=~"up|calico_.*",k8s_cluster_name=%q}`, name)
	awaitValue(t, prom, fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-kube-controllers"}`, name), 1)
	awaitState(t, prom, name, "ipam", "scraped", "ok", 1)
	require.False(t, leads(standby), "one leads")
	// Long enough that a second sender would show.
	before := time.Now()
	require.Eventually(t, func() bool { return time.Since(before) > 5*interval }, patience, poll)
	series, ok := one(t, prom, "count("+selector+")")
	require.True(t, ok)

	killed := time.Now()
	leader.Kill()
	require.Eventually(t, func() bool { return leads(standby) }, patience, poll)
	led := time.Now()
	require.Less(t, led.Sub(killed), takeover, "the lease runs out, and another has it")
	awaitGap := func(expression string) {
		t.Helper()
		var gap, closest time.Duration
		require.Eventually(t, func() bool {
			value, _, err := prom.Query(t.Context(), expression+"[2m]", time.Now())
			if err != nil {
				return false
			}
			matrix := value.(model.Matrix)
			if len(matrix) != 1 {
				return false
			}
			values := matrix[0].Values
			gap, closest = 0, time.Hour
			after := false
			for i := 1; i < len(values); i++ {
				between := values[i].Timestamp.Time().Sub(values[i-1].Timestamp.Time())
				gap, closest = max(gap, between), min(closest, between)
				after = after || values[i].Timestamp.Time().After(led.Add(2*interval))
			}
			return after
		}, patience, poll)
		t.Logf("%s: longest gap %s", expression, gap)
		// One interval until the new leader's first sample, and one that the old leader's last is old when it is killed.
		require.Less(t, gap, takeover+2*interval, expression)
		require.Greater(t, closest, interval/2, "%s: two senders would give two samples an interval", expression)
	}
	awaitGap(fmt.Sprintf(`up{k8s_cluster_name=%q,job="calico-kube-controllers"}`, name))
	awaitGap(fmt.Sprintf(`calico_ipam_pool_info{k8s_cluster_name=%q,ippool=%q}`, name, ipv6Pool))
	awaitValue(t, prom, "count("+selector+")", series)
}
