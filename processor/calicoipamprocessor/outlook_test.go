package calicoipamprocessor

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer/consumertest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/processor/processortest"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/metadata"
)

// host has extensions.
type host map[component.ID]component.Component

func (h host) GetExtensions() map[component.ID]component.Component { return h }

// files returns a file_storage extension that keeps its files in a directory.
func files(t *testing.T, dir string) extension.Extension {
	t.Helper()
	factory := filestorage.NewFactory()
	config := factory.CreateDefaultConfig().(*filestorage.Config)
	config.Directory = dir
	keeper, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), config)
	require.NoError(t, err)
	require.NoError(t, keeper.Start(t.Context(), componenttest.NewNopHost()))
	return keeper
}

// growing passes scrapes of a pool of 8,192 addresses that gains 20 of them an hour, one every five minutes, and returns what left last.
func growing(t *testing.T, consume func(pmetric.Metrics) pmetric.Metrics, from time.Time, hours float64) pmetric.Metrics {
	t.Helper()
	var last pmetric.Metrics
	for minute := 0; float64(minute) < hours*60; minute += 5 {
		at := from.Add(time.Duration(minute) * time.Minute)
		md := pmetric.NewMetrics()
		rm := lab{cluster: "c1", instance: "10.0.0.7:9094"}.resource(md, calicometric.JobKubeControllers)
		metrics := rm.ScopeMetrics().AppendEmpty().Metrics()
		timestamp := pcommon.NewTimestampFromTime(at)
		number(gauge(metrics, calicometric.IPPoolSize), timestamp, 8192).Attributes().PutStr(calicometric.LabelIPPool, "pool-a")
		used := number(gauge(metrics, calicometric.AllocationsInUse), timestamp, float64(int(1000+20*at.Sub(epoch).Hours())))
		used.Attributes().PutStr(calicometric.LabelIPPool, "pool-a")
		used.Attributes().PutStr(calicometric.LabelNode, "node-1")
		last = consume(md)
	}
	return last
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestHistoryOutlivesARestartWithStorage(t *testing.T) {
	id, dir := component.MustNewID("file_storage"), t.TempDir()
	run := func(stored bool, from time.Time, hours float64) pmetric.Metrics {
		config := createDefaultConfig().(*Config)
		var keeper extension.Extension
		extensions := host{}
		if stored {
			keeper = files(t, dir)
			extensions[id] = keeper
			config.Storage = &id
		}
		sink := &consumertest.MetricsSink{}
		p, err := NewFactory().CreateMetrics(t.Context(), processortest.NewNopSettings(metadata.Type), config, sink)
		require.NoError(t, err)
		require.NoError(t, p.Start(t.Context(), extensions))
		last := growing(t, func(md pmetric.Metrics) pmetric.Metrics { return consume(t, p, sink, md) }, from, hours)
		require.NoError(t, p.Shutdown(t.Context()))
		if stored {
			require.NoError(t, keeper.Shutdown(t.Context()))
		}
		return last
	}
	const days = 8
	before := derived(run(true, epoch, days*24), calicometric.PoolExhaustion)
	require.Len(t, before, 3, "a pool that grows steadily has a forecast")
	growth := derived(run(true, epoch.Add(days*24*time.Hour), 0.05), calicometric.PoolGrowth)
	require.Len(t, growth, 1, "the first scrape after a restart has a trend, as the history was kept")
	require.InDelta(t, 20, growth[0].DoubleValue(), 1)
	require.Empty(t, derived(run(false, epoch.Add(days*24*time.Hour), 0.05), calicometric.PoolExhaustion), "without storage there is no history")
}

// memory is a storage in memory, which can be made to fail.
type memory struct {
	component.StartFunc
	component.ShutdownFunc
	mu   sync.Mutex
	kept map[string][]byte
	fail error
}

func (m *memory) GetClient(context.Context, component.Kind, component.ID, string) (storage.Client, error) {
	return m, nil
}

func (m *memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[key], m.fail
}

func (m *memory) Set(_ context.Context, key string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail == nil {
		m.kept[key] = value
	}
	return m.fail
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.kept, key)
	return m.fail
}

func (m *memory) Batch(context.Context, ...*storage.Operation) error { return m.fail }

func (*memory) Close(context.Context) error { return nil }

// storing returns a processor that keeps in a storage, not started.
func storing(t *testing.T, changes ...func(*Config)) (*ipamProcessor, *componenttest.Telemetry) {
	t.Helper()
	telemetry := componenttest.NewTelemetry()
	set := processortest.NewNopSettings(metadata.Type)
	set.TelemetrySettings = telemetry.NewTelemetrySettings()
	config := createDefaultConfig().(*Config)
	id := component.MustNewID("memory")
	config.Storage = &id
	for _, change := range changes {
		change(config)
	}
	p, err := newIPAMProcessor(set, config, consumertest.NewNop())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, telemetry.Shutdown(context.WithoutCancel(t.Context()))) })
	return p, telemetry
}

const storageFailures = "otelcol_processor_calico_ipam_storage_failures"

func TestWhatIsKeptAndMakesNoSenseBeginsAnew(t *testing.T) {
	id := component.MustNewID("memory")
	for name, kept := range map[string]map[string][]byte{
		"the list":  {list: []byte("no list")},
		"a cluster": {list: must(encode([]string{"cluster/c1", "cluster/c2"})), "cluster/c1": []byte("no cluster")},
		"a history": {
			list:         must(encode([]string{"cluster/c1"})),
			"cluster/c1": must(encode(kept{Cluster: "c1", Histories: []keptHistory{{Pool: "pool-a", History: []byte("no history")}}})),
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := &memory{kept: kept}
			p, telemetry := storing(t)
			require.NoError(t, p.start(t.Context(), host{id: store}))
			require.EqualValues(t, 1, counted(t, telemetry, storageFailures, "", ""))
			out := pass(t, p, func(md pmetric.Metrics) { lab{cluster: "c1", pools: 1, nodes: 1}.scrape(md, 30) })
			require.Len(t, derived(out, calicometric.PoolUtilization), 1)
			require.NoError(t, p.shutdown(t.Context()))
			var listed []string
			require.NoError(t, decode(store.kept[list], &listed))
			require.Equal(t, []string{"cluster/c1"}, listed)
			require.Len(t, store.kept, 2, "what belongs to no cluster is given up")
		})
	}
}

func must(encoded []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return encoded
}

func TestStorageThatCannotBeReadIsAnErrorAtTheStartAndKeepsWhatItHas(t *testing.T) {
	store := &memory{kept: map[string][]byte{list: []byte("something")}, fail: context.DeadlineExceeded}
	p, _ := storing(t)
	require.ErrorIs(t, p.start(t.Context(), host{component.MustNewID("memory"): store}), context.DeadlineExceeded)
	require.NoError(t, p.shutdown(t.Context()))
	require.Equal(t, map[string][]byte{list: []byte("something")}, store.kept)
}

func TestWhatCouldNotBeKeptIsKeptLater(t *testing.T) {
	store := &memory{kept: make(map[string][]byte)}
	p, telemetry := storing(t)
	require.NoError(t, p.start(t.Context(), host{component.MustNewID("memory"): store}))
	pass(t, p, func(md pmetric.Metrics) { lab{cluster: "c1", pools: 1, nodes: 1}.scrape(md, 30) })
	store.fail = context.DeadlineExceeded
	p.save(t.Context())
	require.EqualValues(t, 1, counted(t, telemetry, storageFailures, "", ""))
	require.Empty(t, store.kept)
	store.fail = nil
	p.save(t.Context())
	require.Len(t, store.kept, 2)
	require.NoError(t, p.shutdown(t.Context()))
}

func TestPoolsAreKnownFromTheFirstScrapeAfterARestartWithStorage(t *testing.T) {
	store := &memory{kept: make(map[string][]byte)}
	cluster := lab{cluster: "c1", instance: "a", pools: 1, nodes: 1}
	run := func(build func(pmetric.Metrics)) pmetric.Metrics {
		p, _ := storing(t)
		require.NoError(t, p.start(t.Context(), host{component.MustNewID("memory"): store}))
		out := pass(t, p, build)
		require.NoError(t, p.shutdown(t.Context()))
		return out
	}
	run(func(md pmetric.Metrics) {
		cluster.info(md, 30)
		cluster.scrape(md, 30)
	})
	out := run(func(md pmetric.Metrics) { cluster.scrape(md, 60) })
	for _, name := range []string{calicometric.IPPoolSize, calicometric.AllocationsInUse, calicometric.PoolUtilization} {
		points := derived(out, name)
		require.Len(t, points, 1, name)
		cidr, _ := points[0].Attributes().Get(calicometric.LabelCIDR)
		require.Equal(t, "10.0.0.0/24", cidr.Str(), name)
	}
	require.Len(t, derived(out, calicometric.ClusterUtilization), 1)
}

func TestStartNamesTheStorageThatIsMissing(t *testing.T) {
	id := component.MustNewID("file_storage")
	start := func(extensions host) error {
		p := unit(t, zap.NewNop(), func(c *Config) { c.Storage = &id })
		return p.start(t.Context(), extensions)
	}
	require.EqualError(t, start(host{}), `storage: there is no extension "file_storage" in service::extensions`)
	require.EqualError(t, start(host{id: nothing{}}), `storage: the extension "file_storage" is no storage`)
}

// nothing is an extension that does nothing.
type nothing struct {
	component.StartFunc
	component.ShutdownFunc
}

// heap returns how many bytes of the heap are in use.
func heap() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// TestStateIsSmall measures what is remembered of a pool of a cluster: at most 1 KiB beside the history.
func TestStateIsSmall(t *testing.T) {
	const clusters, pools = 500, 10
	p := unit(t, zap.NewNop())
	before := heap()
	for n := range clusters {
		cluster := lab{cluster: "00000000-0000-0000-0000-" + strconv.Itoa(100000000000+n), instance: "10.0.0.7:9094", pools: pools, nodes: 3}
		for at := range pcommon.Timestamp(2) {
			pass(t, p, func(md pmetric.Metrics) {
				cluster.info(md, at+1)
				cluster.scrape(md, at+1)
			})
		}
	}
	state := heap() - before
	sizes := p.sizes()
	require.Equal(t, clusters*pools, sizes.pools)
	perPool := (float64(state) - float64(sizes.historyBytes)) / (clusters * pools)
	t.Logf("%.0f bytes for each pool of a cluster, and %.0f of its history", perPool, float64(sizes.historyBytes)/(clusters*pools))
	require.Less(t, perPool, 1024.0)
	runtime.KeepAlive(p)
}
