//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

const (
	// appsPool and sparePool are there in both clusters, and have nothing in common but their names.
	appsPool  = "apps"
	sparePool = "spare"

	siteNodes = 2
	// several is long enough for the gateway to have computed a few more scrapes.
	several = 3 * interval
)

// site is a cluster that sends to the gateway.
type site struct {
	*labtest.Lab
	name, source string
	// apps and spare are the ranges of the pools of those names, used how many addresses of apps are in use of how many.
	apps, spare   string
	used, size    int
	spareDisabled bool
	uid           string
}

// TestGatewayOfTwoClusters has two clusters send to one gateway in pieces of seven points, one what kube-controllers publishes and the other the account
// of its datastore, and kills and restarts whatever there is. Its parts build on one another.
func TestGatewayOfTwoClusters(t *testing.T) {
	t.Parallel()
	scraped := &site{name: "c-1", source: "scrape", apps: "10.80.0.0/24", size: 256, used: 24, spare: "10.81.0.0/24"}
	counted := &site{name: "c-2", source: "datastore", apps: "10.90.0.0/25", size: 128, used: 96, spare: "10.91.0.0/26", spareDisabled: true}
	startSites(t, scraped, counted)

	g := &gateway{port: labtest.FreePort(t), telemetry: labtest.FreePort(t), storage: t.TempDir()}
	prom := prometheus(t)
	refused := rejected(t)
	edges := map[*site]*labtest.Collector{}
	run := func(s *site) { edges[s] = startCollector(t, g.edge(s)) } // until the test ends, not the part that restarts it
	run(scraped)
	run(counted)
	began := time.Now()

	var histories float64
	t.Run("one gateway", func(t *testing.T) {
		startCollector(t, g.collector())
		awaitDerived(t, prom, scraped, counted)
		t.Run("each cluster has its own numbers, once", func(t *testing.T) {
			derivedNumbers(t, prom, scraped, counted)
			derivedLabels(t, prom, scraped, counted)
		})
		t.Run("the metrics of Calico have the range of their pool", func(t *testing.T) { enriched(t, prom, scraped, counted) })
		t.Run("kube-controllers that is killed leaves a gap and no wrong number", func(t *testing.T) {
			killKubeControllers(t, prom, scraped, counted)
		})
		t.Run("a collector that is killed leaves the other cluster alone", func(t *testing.T) {
			killed := time.Now()
			edges[counted].Kill()
			awaitSampleAfter(t, prom, scraped.utilization(appsPool), killed.Add(several))
			at, ok := one(t, prom, "timestamp("+counted.utilization(appsPool)+")")
			require.True(t, ok, "nobody says that the cluster is gone: its series go on until Prometheus finds them stale")
			require.LessOrEqual(t, at, float64(killed.UnixMilli())/1000, "nothing new is made up for it")

			restarted := time.Now()
			run(counted)
			awaitSampleAfter(t, prom, counted.utilization(appsPool), restarted)
			t.Logf("the numbers are back %s after the start of the collector", time.Since(restarted).Round(time.Millisecond))
			require.Less(t, longestGap(t, prom, scraped, killed), 2*interval)
			throughout(t, prom, killed, inUse, scraped, counted)
		})
		t.Run("nothing was there twice, and nothing was refused", func(t *testing.T) {
			g.untroubled(t, 1)
			onceThroughout(t, prom, began, derivedLabelsOf)
			onceThroughout(t, prom, began, enrichedLabelsOf)
			require.InDelta(t, refused, rejected(t), 0)
		})
		t.Run("scrapes are computed as they come", func(t *testing.T) { g.computes(t, 2) })
		for _, pair := range [][2]*site{{counted, scraped}, {scraped, counted}} {
			loser, other := pair[0], pair[1]
			t.Run("a pool that is deleted in "+loser.name+" ends there alone", func(t *testing.T) {
				_, otherHas := one(t, prom, other.utilization(appsPool))
				loser.Command(t, "pool", "delete", appsPool)
				deleted := time.Now()
				for _, metric := range []string{"calico_ipam_pool_utilization_ratio", "calico_ipam_pool_available", "calico_ipam_pool_block_utilization_ratio"} {
					awaitNothing(t, prom, selector(metric, loser.name, appsPool))
				}
				t.Logf("its series ended after %s", time.Since(deleted).Round(time.Millisecond))
				awaitSampleAfter(t, prom, other.utilization(halfUsedPool), deleted.Add(several))
				_, ok := one(t, prom, other.utilization(appsPool))
				require.Equal(t, otherHas, ok)
				awaitValue(t, prom, loser.derivedSeries(), float64(len(allPools)-1))
			})
		}
		histories = g.historySize(t)
		require.Positive(t, histories)
		g.untroubled(t, 1)
	})
	t.Run("a gateway that is restarted", func(t *testing.T) {
		g.stored(t, scraped, counted)
		restarted := time.Now()
		startCollector(t, g.collector())
		for _, s := range []*site{scraped, counted} {
			awaitSampleAfter(t, prom, s.utilization(halfUsedPool), restarted)
		}
		t.Logf("the numbers are back %s after the start of the gateway", time.Since(restarted).Round(time.Millisecond))
		t.Run("it has the histories of before, also of pools that are gone", func(t *testing.T) {
			require.InDelta(t, histories, g.historySize(t), 0)
		})
		t.Run("its numbers are the same, once", func(t *testing.T) {
			derivedNumbers(t, prom, scraped, counted)
			awaitSampleAfter(t, prom, scraped.utilization(halfUsedPool), time.Now().Add(several))
			onceThroughout(t, prom, restarted, derivedLabelsOf)
			throughout(t, prom, restarted, slices.DeleteFunc(slices.Clone(inUse), func(pool string) bool { return pool == appsPool }), scraped, counted)
			g.untroubled(t, 1)
			require.InDelta(t, refused, rejected(t), 0)
		})
		t.Run("the metrics of Calico are there once", func(t *testing.T) { onceThroughout(t, prom, restarted, enrichedLabelsOf) })
	})
}

// startSites starts the clusters, and gives them pools of one name and their own numbers.
func startSites(t *testing.T, sites ...*site) {
	t.Helper()
	var starting errgroup.Group
	for _, s := range sites {
		starting.Go(func() (err error) {
			s.Lab, err = labtest.Start("--root", "../..", "--nodes", strconv.Itoa(siteNodes), "--felix", "off")
			return err
		})
	}
	err := starting.Wait()
	for _, s := range sites {
		if s.Lab != nil {
			t.Cleanup(func() { assert.NoError(t, s.Stop()) })
		}
	}
	require.NoError(t, err)
	for _, s := range sites {
		system, err := s.Kube(t).CoreV1().Namespaces().Get(t.Context(), "kube-system", metav1.GetOptions{})
		require.NoError(t, err)
		s.uid = string(system.UID)
		s.pool(t, appsPool, s.apps, false)
		s.pool(t, sparePool, s.spare, s.spareDisabled)
		s.Command(t, "allocate", "--pool", appsPool, "--node", "node-1", "-n", strconv.Itoa(s.used))
	}
}

func (s *site) pool(t *testing.T, name, cidr string, disabled bool) {
	t.Helper()
	s.Create(t, "ippools", crdGroup.String(), "IPPool", name, map[string]any{
		"cidr": cidr, "blockSize": 28, "ipipMode": "Never", "vxlanMode": "Never", "nodeSelector": "all()", "disabled": disabled,
	})
}

// utilization selects the series of a pool.
func (s *site) utilization(pool string) string {
	return selector("calico_ipam_pool_utilization_ratio", s.name, pool)
}

// derivedSeries counts the pools with a utilization.
func (s *site) derivedSeries() string {
	return fmt.Sprintf(`count(calico_ipam_pool_utilization_ratio{k8s_cluster_name=%q})`, s.name)
}

// gateway is a collector that can be started several times.
type gateway struct {
	port, telemetry string
	storage         string
}

func (g *gateway) collector() collector {
	return collector{base: "gateway.yaml", configs: []string{"testdata/gateway.yaml"}, env: []string{
		"OTLP_LISTEN_HOST=127.0.0.1", "OTLP_GRPC_PORT=" + g.port, "STORAGE_DIRECTORY=" + g.storage, "TELEMETRY_METRICS_PORT=" + g.telemetry,
	}}
}

// edge is the collector of a cluster that sends to the gateway.
func (g *gateway) edge(s *site) collector {
	return collector{
		backend: "otlp-grpc.yaml", cluster: s.name, kubeconfig: s.CollectorKubeconfig, configs: []string{"testdata/gateway-edge.yaml"},
		env: []string{"OTLP_ENDPOINT=127.0.0.1:" + g.port, "IPAM_SOURCE=" + s.source},
	}
}

// killKubeControllers stops kube-controllers of a cluster until its numbers have ended, and starts it.
func killKubeControllers(t *testing.T, prom promv1.API, scraped, other *site) {
	t.Helper()
	const part = "calico-kube-controllers"
	start := func() { scraped.Command(t, "part", "start", part) } // waits until it answers
	t.Cleanup(start)
	stopped := time.Now()
	scraped.Command(t, "part", "stop", part)
	awaitNothing(t, prom, fmt.Sprintf(`{__name__=~"ipam_.*|calico_ipam_(pool_utilization|pool_available|pool_block|cluster_).*",k8s_cluster_name=%q}`, scraped.name))
	t.Logf("the series ended after %s", time.Since(stopped).Round(time.Millisecond))
	start()
	started := time.Now()
	awaitDerived(t, prom, scraped)
	t.Logf("and were back %s after it answered again", time.Since(started).Round(time.Millisecond))
	awaitSampleAfter(t, prom, scraped.utilization(appsPool), started.Add(several))
	throughout(t, prom, stopped, inUse, scraped, other)
	require.Less(t, longestGap(t, prom, other, stopped), 2*interval)
}
