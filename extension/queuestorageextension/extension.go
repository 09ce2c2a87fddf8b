package queuestorageextension

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/xextension/storage"
	"go.uber.org/zap"

	"github.com/otelcol-calico/otelcol-calico/extension/queuestorageextension/internal/damage"
	"github.com/otelcol-calico/otelcol-calico/extension/queuestorageextension/internal/queue"
)

// damagedSuffix ends the names of files that were set aside.
const damagedSuffix = ".damaged"

// ofStorage are the names that file_storage gives to its files, after the component that each is of. What else is in the directory is left alone.
var ofStorage = regexp.MustCompile(`^(receiver|processor|exporter|extension|connector)_`)

// queueStorage gives out the clients of another storage, each after it has put the queue in there in order.
type queueStorage struct {
	config *Config
	logger *zap.Logger
	next   storage.Extension
}

var (
	_ storage.Extension               = (*queueStorage)(nil)
	_ extensioncapabilities.Dependent = (*queueStorage)(nil)
)

// Dependencies has the other storage start first.
func (s *queueStorage) Dependencies() []component.ID { return []component.ID{s.config.Storage} }

func (s *queueStorage) Start(ctx context.Context, host component.Host) error {
	found, ok := host.GetExtensions()[s.config.Storage]
	if !ok {
		return fmt.Errorf("storage: there is no extension %s", s.config.Storage)
	}
	if s.next, ok = found.(storage.Extension); !ok {
		return fmt.Errorf("storage: the extension %s stores nothing", s.config.Storage)
	}
	return s.setAside(ctx)
}

// setAside renames the files that are damaged. Nobody has opened one yet: exporters and processors start after all extensions.
func (s *queueStorage) setAside(ctx context.Context) error {
	if s.config.Directory == "" {
		return nil
	}
	files, err := os.ReadDir(s.config.Directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("directory: %w", err)
	}
	for _, file := range files {
		path := filepath.Join(s.config.Directory, file.Name())
		if !file.Type().IsRegular() || !ofStorage.MatchString(file.Name()) || strings.HasSuffix(path, damagedSuffix) {
			continue
		}
		damaged, err := damage.Check(ctx, path)
		if err != nil {
			s.logger.Warn("Cannot tell whether a file of the storage is damaged", zap.String("file", path), zap.Error(err))
		}
		if damaged == "" {
			continue
		}
		aside := path + "." + time.Now().UTC().Format("20060102T150405.000Z") + damagedSuffix
		if err := os.Rename(path, aside); err != nil {
			return fmt.Errorf("directory: %s is damaged (%s), and cannot be set aside: %w", path, damaged, err)
		}
		s.logger.Error("A file of the storage is damaged, what was in it is not sent",
			zap.String("file", path), zap.String("damage", damaged), zap.String("set_aside_as", aside))
	}
	return nil
}

func (*queueStorage) Shutdown(context.Context) error { return nil }

// GetClient is called by a queue when it starts, before it looks at what it has.
func (s *queueStorage) GetClient(ctx context.Context, kind component.Kind, id component.ID, name string) (storage.Client, error) {
	if s.next == nil {
		return nil, errors.New("the extension has not started")
	}
	client, err := s.next.GetClient(ctx, kind, id, name)
	if err != nil {
		return nil, err
	}
	moved, err := rewind(ctx, client)
	logger := s.logger.With(zap.Stringer("component", id))
	switch {
	case err != nil:
		// Out of order is better than not at all.
		logger.Warn("Cannot put the queue in order, it sends what it was sending last", zap.Error(err))
	case moved > 0:
		logger.Info("The queue goes on with what it was sending", zap.Int("requests", moved))
	}
	return client, nil
}

// rewind has a queue begin with the oldest request that it was sending. It returns how many these were.
func rewind(ctx context.Context, client storage.Client) (moved int, err error) {
	state, err := client.Get(ctx, queue.Key)
	if err != nil {
		return 0, err
	}
	state, moved, err = queue.Rewind(state)
	if err != nil || moved == 0 {
		return 0, err
	}
	return moved, client.Set(ctx, queue.Key, state)
}
