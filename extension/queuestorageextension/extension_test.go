package queuestorageextension

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/storage/filestorage"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/config/configretry"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-calico/otelcol-calico/extension/queuestorageextension/internal/metadata"
)

const (
	patience = 5 * time.Second
	poll     = time.Millisecond
)

var (
	fileID  = component.MustNewID("file_storage")
	queueID = component.NewID(metadata.Type)
)

// host has a file storage, with an ordered one in front of it.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

func newHost(t *testing.T, dir string, logger *zap.Logger) host {
	t.Helper()
	h := host{Host: componenttest.NewNopHost(), extensions: map[component.ID]component.Component{}}
	add := func(id component.ID, factory extension.Factory, cfg component.Config) {
		set := extensiontest.NewNopSettings(factory.Type())
		set.Logger = logger
		e, err := factory.Create(t.Context(), set, cfg)
		require.NoError(t, err)
		require.NoError(t, e.Start(t.Context(), h))
		h.extensions[id] = e
	}
	files := filestorage.NewFactory()
	config := files.CreateDefaultConfig().(*filestorage.Config)
	config.Directory = dir
	add(fileID, files, config)
	add(queueID, NewFactory(), &Config{Storage: fileID, Directory: dir})
	return h
}

// sender sends nothing until it is told to, and then remembers what.
type sender struct {
	mu       sync.Mutex
	open     bool
	attempts int
	sent     []string
}

func (s *sender) push(_ context.Context, md pmetric.Metrics) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attempts++
	if !s.open {
		return errors.New("the backend is away")
	}
	for _, rm := range md.ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, m := range sm.Metrics().All() {
				s.sent = append(s.sent, m.Name())
			}
		}
	}
	return nil
}

func (s *sender) tried() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.attempts > 0
}

func (s *sender) order() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// newQueue is an exporter with a persistent queue, one sender and small batches, like those of the configurations.
func newQueue(t *testing.T, h host, storage component.ID, s *sender) exporter.Metrics {
	t.Helper()
	config := exporterhelper.NewDefaultQueueConfig()
	config.StorageID = &storage
	config.NumConsumers = 1
	config.Batch = configoptional.Some(exporterhelper.BatchConfig{
		Sizer: exporterhelper.RequestSizerTypeItems, MinSize: 2, MaxSize: 2, FlushTimeout: 10 * time.Millisecond,
	})
	retry := configretry.NewDefaultBackOffConfig()
	retry.InitialInterval, retry.MaxElapsedTime = time.Millisecond, 0
	set := exportertest.NewNopSettings(component.MustNewType("test"))
	set.ID = component.NewID(set.ID.Type()) // by which it finds its queue again
	e, err := exporterhelper.NewMetrics(t.Context(), set, &struct{}{}, s.push,
		exporterhelper.WithQueue(configoptional.Some(config)), exporterhelper.WithRetry(retry))
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), h))
	return e
}

func metric(name string) pmetric.Metrics {
	md := pmetric.NewMetrics()
	m := md.ResourceMetrics().AppendEmpty().ScopeMetrics().AppendEmpty().Metrics().AppendEmpty()
	m.SetName(name)
	m.SetEmptyGauge().DataPoints().AppendEmpty().SetIntValue(1)
	return md
}

var (
	waiting = []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	later   = "z"
)

func TestAQueueKeepsItsOrderOverARestart(t *testing.T) {
	for _, c := range []struct {
		name    string
		storage component.ID
		killed  bool
		inOrder bool
	}{
		{"that is orderly", queueID, false, true},
		{"that follows a kill", queueID, true, true},
		// The reason for the extension. If these fail, the queue keeps its order by itself.
		{"but not without the extension", fileID, false, false},
		{"and not after a kill without it", fileID, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			before := &sender{}
			h := newHost(t, dir, zap.NewNop())
			first := newQueue(t, h, c.storage, before)
			for _, name := range waiting {
				require.NoError(t, first.ConsumeMetrics(t.Context(), metric(name)))
			}
			require.Eventually(t, before.tried, patience, poll)
			if c.killed {
				dir = duplicate(t, dir) // as it is on disk while the queue runs
			}
			require.NoError(t, first.Shutdown(t.Context()))

			core, logs := observer.New(zap.InfoLevel)
			after := &sender{open: true}
			second := newQueue(t, newHost(t, dir, zap.New(core)), c.storage, after)
			require.NoError(t, second.ConsumeMetrics(t.Context(), metric(later)))
			require.Eventually(t, func() bool { return len(after.order()) == len(waiting)+1 }, patience, poll, "%v", &after.sent)
			require.NoError(t, second.Shutdown(t.Context()))
			want := append(append([]string{}, waiting...), later)
			if !c.inOrder {
				require.ElementsMatch(t, want, after.order())
				require.NotEqual(t, want, after.order())
				return
			}
			require.Equal(t, want, after.order())
			require.Equal(t, 1, logs.FilterMessageSnippet("goes on with what it was sending").Len())
		})
	}
}

// duplicate copies the files of a directory to another.
func duplicate(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	to := t.TempDir()
	for _, file := range files {
		from, err := os.Open(filepath.Join(dir, file.Name()))
		require.NoError(t, err)
		into, err := os.Create(filepath.Join(to, file.Name()))
		require.NoError(t, err)
		_, err = io.Copy(into, from)
		require.NoError(t, err)
		require.NoError(t, from.Close())
		require.NoError(t, into.Close())
	}
	return to
}

func TestStorageThatIsNoneIsAnErrorThatNamesTheKey(t *testing.T) {
	require.EqualError(t, (&Config{}).Validate(), "storage: is required, as in file_storage")
	for name, extensions := range map[string]map[component.ID]component.Component{
		"storage: there is no extension file_storage":        {},
		"storage: the extension file_storage stores nothing": {fileID: struct{ component.Component }{}},
	} {
		e, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), &Config{Storage: fileID})
		require.NoError(t, err)
		require.EqualError(t, e.Start(t.Context(), host{extensions: extensions}), name)
	}
}

func TestAFileThatIsDamagedIsSetAside(t *testing.T) {
	dir := t.TempDir()
	s := &sender{}
	queue := newQueue(t, newHost(t, dir, zap.NewNop()), queueID, s)
	require.NoError(t, queue.ConsumeMetrics(t.Context(), metric("a")))
	require.Eventually(t, s.tried, patience, poll)
	require.NoError(t, queue.Shutdown(t.Context()))
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	content, err := os.ReadFile(files[0])
	require.NoError(t, err)
	clear(content[len(content)/1024:])
	require.NoError(t, os.WriteFile(files[0], content, 0o600))

	other := filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(other, []byte("not of the storage"), 0o600))

	core, logs := observer.New(zap.ErrorLevel)
	h := newHost(t, dir, zap.New(core))
	require.FileExists(t, other, "what else is there is left alone")
	require.Equal(t, 1, logs.FilterMessageSnippet("is damaged").FilterField(zap.String("file", files[0])).Len())
	aside, err := filepath.Glob(files[0] + ".*" + damagedSuffix)
	require.NoError(t, err)
	require.Len(t, aside, 1)
	kept, err := os.ReadFile(aside[0])
	require.NoError(t, err)
	require.Equal(t, content, kept)

	s = &sender{open: true}
	queue = newQueue(t, h, queueID, s)
	require.NoError(t, queue.ConsumeMetrics(t.Context(), metric("b")))
	require.Eventually(t, func() bool { return len(s.order()) == 1 }, patience, poll)
	require.NoError(t, queue.Shutdown(t.Context()))
	newHost(t, dir, zap.New(core))
	require.Len(t, logs.All(), 1, "what was set aside is not looked at again")
}
