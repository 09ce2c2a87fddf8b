//go:build e2e

package faults

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// fleet are agents of several clusters, and gateways in front of one Prometheus.
type fleet struct {
	// front is what all gateways send to: it sees what Prometheus is given, in the order that it is given it.
	front    *backend
	agents   []*member
	gateways []*member
	// patience is how long what was sent may take to arrive.
	patience time.Duration
	// again and disordered are those that rows have counted.
	again, disordered int
}

func newFleet(t *testing.T, prometheusConfig string) *fleet {
	t.Helper()
	return &fleet{front: newBackend(t, labtest.StartPrometheus(t, prometheusConfig)), patience: patience}
}

// addAgent adds one that observes a cluster; both are the lab, under two names.
func (f *fleet) addAgent(t *testing.T, cluster string, configs []string, env ...string) *member {
	t.Helper()
	r := newRecorder(t)
	m := newMember(t, slices.Concat([]string{"../../configs/sidecar.yaml"}, configs, []string{"testdata/recorder.yaml"}), slices.Concat(endpoints(t), env, []string{
		"K8S_CLUSTER_NAME=" + cluster, "CALICO_COLLECTION_INTERVAL=" + interval.String(), "RECORDER=" + r.url,
	}))
	m.recorder = r
	f.agents = append(f.agents, m)
	return m
}

// addGateway adds one that takes metrics as the configurations say, and sends them by remote write.
func (f *fleet) addGateway(t *testing.T, configs []string, env ...string) *member {
	t.Helper()
	b := newBackend(t, f.front.url)
	m := newMember(t, slices.Concat([]string{"../../configs/gateway.yaml"}, configs, []string{"../../configs/backends/remote-write.yaml"}),
		slices.Concat(remoteWrite.env(t, b.url), env))
	m.backend = b
	f.gateways = append(f.gateways, m)
	return m
}

// pass lets time go by in which all agents scrape.
func (f *fleet) pass(t *testing.T, d time.Duration) {
	t.Helper()
	until := time.Now().Add(d).UnixMilli()
	require.Eventually(t, func() bool {
		return !slices.ContainsFunc(f.agents, func(a *member) bool { return a.recorder.given.latest() < until })
	}, d+patience, poll, "scrapes go on")
}

// clusters are those of which a gateway passed on what was scraped since then.
func (m *member) clusters(since time.Time) []string {
	m.backend.taken.mu.Lock()
	defer m.backend.taken.mu.Unlock()
	found := map[string]bool{}
	for key := range m.backend.taken.values {
		if key.at >= since.UnixMilli() {
			_, rest, _ := strings.Cut(key.series, `k8s_cluster_name="`)
			cluster, _, _ := strings.Cut(rest, `"`)
			found[cluster] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// disordered is how many samples a gateway sent after newer ones of their series.
func (m *member) disordered() int {
	_, disordered := m.backend.taken.faults()
	return disordered
}

// oneEach says whether each gateway passes on one cluster, of which no other gateway has anything, since then.
func (f *fleet) oneEach(since time.Time) bool {
	of := map[string]bool{}
	for _, g := range f.gateways {
		clusters := g.clusters(since)
		if len(clusters) != 1 {
			return false
		}
		of[clusters[0]] = true
	}
	return len(of) == len(f.gateways)
}

// settle waits until all that agents sent up to now has come to Prometheus, and counts what it holds of it, and what came twice or late since it was last called.
func (f *fleet) settle(t *testing.T, fault, route string, healed time.Time) row {
	t.Helper()
	given := newSamples()
	cut := time.Now().UnixMilli()
	for _, a := range f.agents {
		maps.Copy(given.values, a.recorder.given.until(cut).values)
	}
	r, lost := settle(t, given, f.front, healed, f.patience, none)
	r.fault, r.route = fault, route
	r.duplicated, r.disordered = r.duplicated-f.again, r.disordered-f.disordered
	f.again, f.disordered = f.again+r.duplicated, f.disordered+r.disordered
	for _, s := range lost[:min(len(lost), 3)] {
		t.Logf("lost: %s at %s", s.series, time.UnixMilli(s.at).Format(time.StampMilli))
	}
	t.Logf("%+v, Prometheus refused %d requests", r, f.front.refusals())
	return r
}
