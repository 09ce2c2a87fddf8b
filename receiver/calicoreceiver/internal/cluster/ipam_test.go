package cluster

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// filled is an informer that is filled by hand.
type filled struct {
	cache.SharedIndexInformer
	synced bool
}

func (f *filled) HasSynced() bool { return f.synced }

// unserved makes a Watcher of the account that asks nothing, and the log that it writes.
func unserved(t *testing.T) (*Watcher, *observer.ObservedLogs) {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	w, err := New(&rest.Config{Host: "https://127.0.0.1:1"}, Options{IPAM: &IPAMOptions{}}, zap.New(core))
	require.NoError(t, err)
	t.Cleanup(w.settings.queue.ShutDown) // as the end of Run does
	return w, logs
}

func groupResource(group schema.GroupVersion, resource calicoapi.Resource) schema.GroupVersionResource {
	switch {
	case resource == nodes:
		return nodesGVR
	case resource == calicoapi.IPAMConfigs && group == calicoapi.GroupV3:
		return group.WithResource("ipamconfigurations")
	}
	return group.WithResource(string(resource))
}

// source is one of the Watcher's that has not been read.
func (w *Watcher) source(group schema.GroupVersion, resource calicoapi.Resource) *source {
	gvr := groupResource(group, resource)
	s := &source{gvr: gvr, request: request{resource: gvr.GroupResource().String()}, since: time.Now(), stop: func() {}}
	ask := listWatch{record: func(context.Context, string, error) {}}
	switch resource {
	case calicoapi.IPAMBlocks:
		s.feed = newTable(w.blockKind(), s.request.resource, w.books, w.logger, ask, nil)
	case calicoapi.BlockAffinities:
		s.feed = newTable(w.affinityKind(), s.request.resource, w.books, w.logger, ask, nil)
	default:
		s.feed = &filled{SharedIndexInformer: newInformer(&unstructured.Unstructured{}, ask, transforms[resource], func() {})}
	}
	return s
}

// read has all objects of a source read.
func (s *source) read(t *testing.T, objects ...*unstructured.Unstructured) {
	t.Helper()
	if store, ok := s.feed.(cache.ReflectorStore); ok {
		list := make([]any, len(objects))
		for i, object := range objects {
			list[i] = object
		}
		require.NoError(t, store.Replace(list, ""))
		return
	}
	informer := s.feed.(*filled)
	informer.synced = true
	require.NoError(t, informer.GetStore().Replace(nil, ""))
	for _, object := range objects {
		kept, err := transforms[calicoapi.Resource(s.gvr.Resource)](object)
		require.NoError(t, err)
		require.NoError(t, informer.GetStore().Add(kept))
	}
	s.changes.Add(1)
}

func poolObject(name, cidr string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": name}, "spec": map[string]any{"cidr": cidr}}}
}

// deny has the API server refuse to list what a source follows.
func (w *Watcher) deny(s *source) {
	req := s.request
	req.verb = "list"
	w.health.record(req, apierrors.NewForbidden(s.gvr.GroupResource(), "", errors.New("no rule")))
}

// fail has the API server fail to list what a source follows.
func (w *Watcher) fail(s *source) {
	req := s.request
	req.verb = "list"
	w.health.record(req, apierrors.NewInternalError(errors.New("etcd")))
}

// mend has the API server answer what it failed to list, without any object yet.
func (w *Watcher) mend(s *source) {
	req := s.request
	req.verb = "list"
	w.health.record(req, nil)
}

// abandon has a resource, which was not read, fail for as long as it takes to be given up.
func (w *Watcher) abandon(resource calicoapi.Resource) {
	s := w.source(calicoapi.GroupV1, resource)
	w.sources[resource] = s
	w.fail(s)
	s.since = time.Now().Add(-gateTimeout)
	w.IPAM(time.Now())
}

func (w *Watcher) fill(t *testing.T) {
	t.Helper()
	for _, resource := range ofAccount {
		w.sources[resource] = w.source(calicoapi.GroupV1, resource)
		if c, ok := w.sources[resource].feed.(counted); ok {
			c.count(nil)
		}
		w.sources[resource].read(t)
	}
	block, affinity := blockObject(0)
	w.sources[calicoapi.IPPools].read(t, poolObject("pool", "10.0.0.0/16"))
	w.sources[calicoapi.IPAMBlocks].read(t, block)
	w.sources[calicoapi.BlockAffinities].read(t, affinity)
	w.catalog.publish(calicoapi.GroupV1, true)
}

// TestAccountMovesToAnotherAPIGroupInOneStep has all but one resource read in the new group.
func TestAccountMovesToAnotherAPIGroupInOneStep(t *testing.T) {
	for _, tc := range []struct {
		name     string
		resource calicoapi.Resource
		// state brings the one resource in the new group into the state that is of interest; nil is that it is not served there.
		state func(w *Watcher, s *source)
		moves bool // the others do
		stays bool // the one does
	}{
		{"what was not read yet in the new group is waited for", calicoapi.BlockAffinities, func(*Watcher, *source) {}, false, true},
		{"pools are waited for", calicoapi.IPPools, func(*Watcher, *source) {}, false, true},
		{"all is there", calicoapi.BlockAffinities, func(_ *Watcher, s *source) { s.read(t) }, true, false},
		{"what is refused in the new group holds up nothing", calicoapi.BlockAffinities, func(w *Watcher, s *source) { w.deny(s) }, true, true},
		{"nor do blocks that are", calicoapi.IPAMBlocks, func(w *Watcher, s *source) { w.deny(s) }, true, true},
		{"what goes on failing in the new group is not waited for for ever", calicoapi.IPReservations, func(_ *Watcher, s *source) {
			s.since = s.since.Add(-gateTimeout)
		}, true, true},
		{"what the new group does not serve leaves with the others", calicoapi.IPReservations, nil, true, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _ := unserved(t)
			w.fill(t)
			wanted := map[calicoapi.Resource]schema.GroupVersionResource{}
			old := map[calicoapi.Resource]*source{}
			for _, resource := range ofAccount {
				old[resource] = w.sources[resource]
				if resource == tc.resource && tc.state == nil {
					continue
				}
				wanted[resource] = groupResource(calicoapi.GroupV3, resource)
				if resource == nodes {
					continue
				}
				next := w.source(calicoapi.GroupV3, resource)
				w.sources[resource].next = next
				if resource == tc.resource {
					tc.state(w, next)
					continue
				}
				block, affinity := blockObject(1)
				switch resource {
				case calicoapi.IPPools:
					next.read(t, poolObject("pool", "10.0.0.0/16"))
				case calicoapi.IPAMBlocks:
					next.read(t, block)
				case calicoapi.BlockAffinities:
					next.read(t, affinity)
				default:
					next.read(t)
				}
			}
			w.reconcile(t.Context(), wanted)
			for _, resource := range ofAccount {
				stays := !tc.moves || resource == nodes
				if resource == tc.resource {
					stays = tc.stays
				}
				require.Equal(t, stays, w.sources[resource] == old[resource], resource)
			}
			cidr := "10.0.0.64/26"
			if !tc.moves || tc.resource == calicoapi.IPAMBlocks {
				cidr = "10.0.0.0/26"
			}
			blocks := w.Blocks()
			require.Len(t, blocks, 1)
			require.Equal(t, netip.MustParsePrefix(cidr), blocks[0].CIDR)
			require.Equal(t, "pool", blocks[0].Pool)
			answer := w.IPAM(time.Now())
			require.Equal(t, AccountReady, answer.State)
			require.Equal(t, 40, answer.Report.Pools[0].Allocated)
		})
	}
}

func TestWhatIsNotServedAnyLongerLeavesNoAccount(t *testing.T) {
	w, _ := unserved(t)
	w.fill(t)
	require.Equal(t, AccountReady, w.IPAM(time.Now()).State)
	table := w.sources[calicoapi.IPAMBlocks].feed.(*table[*ipam.Block])
	w.reconcile(t.Context(), nil)
	require.Equal(t, AccountUnavailable, w.IPAM(time.Now()).State)
	block, _ := blockObject(1)
	require.NoError(t, table.Add(block))
	require.Empty(t, w.Blocks())
	require.Empty(t, w.books.account.Report(time.Now()).Pools)
}

func TestAccountIsThereOnceAllThatIsNeededWasRead(t *testing.T) {
	for _, tc := range []struct {
		name    string
		do      func(w *Watcher)
		want    IPAM
		unknown bool // some optional resource is
	}{
		{"all is read", func(*Watcher) {}, IPAM{State: AccountReady}, false},
		{"blocks are not served", func(w *Watcher) { delete(w.sources, calicoapi.IPAMBlocks) }, IPAM{State: AccountUnavailable}, false},
		{"pools are not served", func(w *Watcher) { delete(w.sources, calicoapi.IPPools) }, IPAM{State: AccountUnavailable}, false},
		{"blocks were not read yet", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
		}, IPAM{State: AccountPending}, false},
		{"blocks are refused", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
			w.deny(w.sources[calicoapi.IPAMBlocks])
		}, IPAM{State: AccountUnavailable, Missing: "list ipamblocks.crd.projectcalico.org"}, false},
		{"blocks fail to be read", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
			w.fail(w.sources[calicoapi.IPAMBlocks])
		}, IPAM{State: AccountPending}, false},
		{"blocks go on failing to be read", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
			w.fail(w.sources[calicoapi.IPAMBlocks])
			w.sources[calicoapi.IPAMBlocks].since = time.Now().Add(-gateTimeout)
		}, IPAM{State: AccountUnavailable}, false},
		{"blocks went on failing, and a watch of them opens", func(w *Watcher) {
			w.abandon(calicoapi.IPAMBlocks)
			w.mend(w.sources[calicoapi.IPAMBlocks])
		}, IPAM{State: AccountUnavailable}, false},
		{"pools went on failing, and a watch of them opens", func(w *Watcher) {
			w.abandon(calicoapi.IPPools)
			w.mend(w.sources[calicoapi.IPPools])
		}, IPAM{State: AccountUnavailable}, false},
		{"blocks went on failing, and another group is asked for them", func(w *Watcher) {
			w.abandon(calicoapi.IPAMBlocks)
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV3, calicoapi.IPAMBlocks)
		}, IPAM{State: AccountUnavailable}, false},
		{"blocks went on failing and were read then", func(w *Watcher) {
			blocks := w.sources[calicoapi.IPAMBlocks]
			w.abandon(calicoapi.IPAMBlocks)
			w.sources[calicoapi.IPAMBlocks] = blocks
		}, IPAM{State: AccountReady}, false},
		{"blocks went on failing, were read then, and are read anew", func(w *Watcher) {
			blocks := w.sources[calicoapi.IPAMBlocks]
			w.abandon(calicoapi.IPAMBlocks)
			w.sources[calicoapi.IPAMBlocks] = blocks
			w.IPAM(time.Now())
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV3, calicoapi.IPAMBlocks)
		}, IPAM{State: AccountPending}, false},
		{"blocks were refused for a moment", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
			w.deny(w.sources[calicoapi.IPAMBlocks])
			w.IPAM(time.Now())
			w.mend(w.sources[calicoapi.IPAMBlocks])
		}, IPAM{State: AccountPending}, false},
		{"blocks take long to be read", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
			w.sources[calicoapi.IPAMBlocks].since = time.Now().Add(time.Minute - syncTimeout)
		}, IPAM{State: AccountPending}, false},
		{"blocks take for ever to be read", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
			w.sources[calicoapi.IPAMBlocks].since = time.Now().Add(-syncTimeout)
		}, IPAM{State: AccountUnavailable}, false},
		{"blocks took for ever, and another group is asked for them", func(w *Watcher) {
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV1, calicoapi.IPAMBlocks)
			w.sources[calicoapi.IPAMBlocks].since = time.Now().Add(-syncTimeout)
			w.IPAM(time.Now())
			w.sources[calicoapi.IPAMBlocks] = w.source(calicoapi.GroupV3, calicoapi.IPAMBlocks)
		}, IPAM{State: AccountUnavailable}, false},
		{"blocks are refused that were read", func(w *Watcher) { w.deny(w.sources[calicoapi.IPAMBlocks]) }, IPAM{State: AccountReady}, false},
		{"reservations are not served", func(w *Watcher) { delete(w.sources, calicoapi.IPReservations) }, IPAM{State: AccountReady}, false},
		{"reservations were not read yet", func(w *Watcher) {
			w.sources[calicoapi.IPReservations] = w.source(calicoapi.GroupV1, calicoapi.IPReservations)
		}, IPAM{State: AccountPending}, false},
		{"reservations are refused", func(w *Watcher) {
			w.sources[calicoapi.IPReservations] = w.source(calicoapi.GroupV1, calicoapi.IPReservations)
			w.deny(w.sources[calicoapi.IPReservations])
		}, IPAM{State: AccountReady, ReservationsUnknown: true}, true},
		{"the configuration goes on failing", func(w *Watcher) {
			w.sources[calicoapi.IPAMConfigs] = w.source(calicoapi.GroupV1, calicoapi.IPAMConfigs)
			w.sources[calicoapi.IPAMConfigs].since = time.Now().Add(-gateTimeout)
		}, IPAM{State: AccountReady, ConfigUnknown: true}, true},
		{"nodes are refused", func(w *Watcher) {
			w.sources[nodes] = w.source(calicoapi.GroupV1, nodes)
			w.deny(w.sources[nodes])
		}, IPAM{State: AccountReady, NodesUnknown: true}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w, _ := unserved(t)
			require.Equal(t, IPAM{}, w.IPAM(time.Now()), "while nothing is known")
			w.fill(t)
			tc.do(w)
			got := w.IPAM(time.Now())
			if tc.want.State == AccountReady {
				require.Len(t, got.Report.Pools, 1)
				require.Equal(t, 40, got.Report.Pools[0].Allocated)
			}
			got.Report, got.Invalid = ipam.Report{}, nil
			require.Equal(t, tc.want, got)
		})
	}
}

func TestAccountThatWasThereWaitsForNothing(t *testing.T) {
	w, _ := unserved(t)
	w.fill(t)
	require.Equal(t, AccountReady, w.IPAM(time.Now()).State)
	w.sources[calicoapi.IPReservations] = w.source(calicoapi.GroupV1, calicoapi.IPReservations)
	got := w.IPAM(time.Now())
	require.Equal(t, AccountReady, got.State)
	require.True(t, got.ReservationsUnknown)
}

func TestWhatInformersHoldIsEnteredWhenItChanges(t *testing.T) {
	w, logs := unserved(t)
	w.fill(t)
	reservation := func(cidrs ...any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": "some"}, "spec": map[string]any{"reservedCIDRs": cidrs},
		}}
	}
	config := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": calicoapi.DefaultName}, "spec": map[string]any{"maxBlocksPerHost": int64(3), "strictAffinity": true},
	}}
	report := func() IPAM { return w.IPAM(time.Now()) }
	require.Empty(t, report().Report.Nodes)

	labels, err := transforms[nodes](&metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: "node-0000.eu-central-1.example.com"}})
	require.NoError(t, err)
	require.NoError(t, w.sources[nodes].feed.(*filled).GetStore().Add(labels))
	require.Empty(t, report().Report.Nodes, "nobody told of a change")
	w.sources[nodes].changes.Add(1)
	require.Equal(t, 20, report().Report.Nodes[0].BlocksLimit)
	w.sources[calicoapi.IPAMConfigs].read(t, config)
	require.Equal(t, 3, report().Report.Nodes[0].BlocksLimit)

	w.sources[calicoapi.IPReservations].read(t, reservation("10.0.1.0/28", "nonsense"))
	require.Equal(t, addresses.Of(16), report().Report.Pools[0].Reserved)
	w.sources[calicoapi.IPReservations].read(t, reservation("10.0.1.0/27", "nonsense"))
	require.Equal(t, addresses.Of(32), report().Report.Pools[0].Reserved)
	require.Len(t, logs.FilterMessage("ipreservations/some has entries that reserve nothing").All(), 1)

	w.sources[calicoapi.IPPools].read(t, poolObject("pool", "10.0.0.0/16"), poolObject("odd", "nonsense"))
	broken := numbered("odd", 1)
	table := w.sources[calicoapi.IPAMBlocks].feed.(*table[*ipam.Block])
	require.NoError(t, table.Add(broken))
	got := report()
	require.Len(t, got.Report.Pools, 1)
	require.Equal(t, calicometric.PoolEnabled, got.Report.Pools[0].State)
	require.Equal(t, map[calicoapi.Resource]int{
		calicoapi.IPPools: 1, calicoapi.IPAMBlocks: 1, calicoapi.BlockAffinities: 0, calicoapi.IPReservations: 0, calicoapi.IPAMConfigs: 0,
	}, got.Invalid)
	require.Len(t, logs.FilterMessageSnippet("cannot be read and is left out").All(), 2)
}

func TestConfigurationIsUnknownWhereThatOfCalicoCannotBeRead(t *testing.T) {
	config := func(name string, blocks any) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"name": name}, "spec": map[string]any{"maxBlocksPerHost": blocks},
		}}
	}
	w, _ := unserved(t)
	w.fill(t)
	for _, step := range []struct {
		name    string
		configs []*unstructured.Unstructured
		unknown bool
		invalid int
	}{
		{"there is none", nil, false, 0},
		{"another is broken", []*unstructured.Unstructured{config(calicoapi.DefaultName, int64(3)), config("other", "many")}, false, 1},
		{"only another is there, and broken", []*unstructured.Unstructured{config("other", "many")}, false, 1},
		{"that of Calico is broken", []*unstructured.Unstructured{config(calicoapi.DefaultName, "many")}, true, 1},
		{"the broken one is gone", nil, false, 0},
	} {
		t.Run(step.name, func(t *testing.T) {
			w.sources[calicoapi.IPAMConfigs].read(t, step.configs...)
			got := w.IPAM(time.Now())
			require.Equal(t, step.unknown, got.ConfigUnknown)
			require.Equal(t, step.invalid, got.Invalid[calicoapi.IPAMConfigs])
		})
	}
}

func TestOnlySomeEntriesThatReserveNothingAreNamed(t *testing.T) {
	w, logs := unserved(t)
	w.fill(t)
	nonsense := make([]any, maxNamed+7)
	for i := range nonsense {
		nonsense[i] = "nonsense"
	}
	w.sources[calicoapi.IPReservations].read(t, &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"name": "some"}, "spec": map[string]any{"reservedCIDRs": nonsense},
	}})
	w.IPAM(time.Now())
	entries := logs.FilterMessage("ipreservations/some has entries that reserve nothing").All()
	require.Len(t, entries, 1)
	ignored := entries[0].ContextMap()["ignored"].(string)
	require.Equal(t, maxNamed, strings.Count(ignored, "must be a CIDR"))
	require.True(t, strings.HasSuffix(ignored, "; and 7 more"), ignored)
}
