package calicoipamprocessor

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"

	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/assembly"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
)

// histories keeps what is known of clusters in a storage extension: one entry a cluster, and one that lists them. Without an extension it keeps nothing.
type histories struct {
	id        component.ID
	extension *component.ID
	client    storage.Client
	// listed are the keys that the list has.
	listed []string
}

// list is the key of the list of keys.
const list = "clusters"

// kept is what is kept of a cluster.
type kept struct {
	// Cluster, or Source where nothing tells the cluster, identifies it.
	Cluster string
	Source  assembly.Source
	// Known are its pools, Histories what they had.
	Known     []ipampoints.Info
	Truncated bool
	Histories []keptHistory

	newest time.Time
}

// keptHistory is the history of one pool.
type keptHistory struct {
	Pool, CIDR string
	Seen       time.Time
	History    []byte
}

func (k *kept) id() clusterID { return clusterID{cluster: k.Cluster, source: k.Source} }

// key is where a cluster is kept.
func (id clusterID) key() string {
	if id.cluster != "" {
		return "cluster/" + id.cluster
	}
	return fmt.Sprintf("source/%q/%q/%q/%q", id.source.Service, id.source.Instance, id.source.Namespace, id.source.Pod)
}

func (h *histories) open(ctx context.Context, host component.Host) error {
	if h.extension == nil {
		return nil
	}
	found, ok := host.GetExtensions()[*h.extension]
	if !ok {
		return fmt.Errorf("storage: there is no extension %q in service::extensions", h.extension)
	}
	keeper, ok := found.(storage.Extension)
	if !ok {
		return fmt.Errorf("storage: the extension %q is no storage", h.extension)
	}
	client, err := keeper.GetClient(ctx, component.KindProcessor, h.id, "")
	if err != nil {
		return fmt.Errorf("storage: %q: %w (a processor with storage can be in one pipeline only: give each its own name)", h.extension, err)
	}
	h.client = client
	return nil
}

// stored reports whether anything is kept.
func (h *histories) stored() bool { return h.client != nil }

func (h *histories) close(ctx context.Context) error {
	if h.client == nil {
		return nil
	}
	client := h.client
	h.client = nil
	return client.Close(ctx)
}

// load returns what is kept. unreadable are the entries that make no sense; err is that the storage failed.
func (h *histories) load(ctx context.Context) (all []kept, unreadable, err error) {
	if h.client == nil {
		return nil, nil, nil
	}
	encoded, err := h.client.Get(ctx, list)
	if err != nil {
		return nil, nil, fmt.Errorf("storage: %q: %w", h.extension, err)
	}
	if encoded == nil {
		return nil, nil, nil
	}
	if err := decode(encoded, &h.listed); err != nil {
		return nil, err, nil
	}
	var errs []error
	for _, key := range h.listed {
		encoded, err := h.client.Get(ctx, key)
		if err != nil {
			return nil, nil, fmt.Errorf("storage: %q: %w", h.extension, err)
		}
		if encoded == nil {
			continue
		}
		var entry kept
		if err := decode(encoded, &entry); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", key, err))
			continue
		}
		all = append(all, entry)
	}
	return all, errors.Join(errs...), nil
}

// write keeps a cluster.
func (h *histories) write(ctx context.Context, entry kept) error {
	encoded, err := encode(entry)
	if err != nil {
		return err
	}
	return h.client.Set(ctx, entry.id().key(), encoded)
}

// writeList keeps which clusters there are, and gives up the entries of others.
func (h *histories) writeList(ctx context.Context, ids []clusterID) error {
	keys := make([]string, 0, len(ids))
	for _, id := range ids {
		keys = append(keys, id.key())
	}
	slices.SortFunc(keys, strings.Compare)
	if slices.Equal(keys, h.listed) {
		return nil
	}
	encoded, err := encode(keys)
	if err != nil {
		return err
	}
	if err := h.client.Set(ctx, list, encoded); err != nil {
		return err
	}
	gone := slices.DeleteFunc(h.listed, func(key string) bool {
		_, there := slices.BinarySearch(keys, key)
		return there
	})
	h.listed = keys
	var errs []error
	for _, key := range gone {
		errs = append(errs, h.client.Delete(ctx, key))
	}
	return errors.Join(errs...)
}

func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	err := gob.NewEncoder(&buffer).Encode(value)
	return buffer.Bytes(), err
}

func decode(encoded []byte, value any) error {
	return gob.NewDecoder(bytes.NewReader(encoded)).Decode(value)
}
