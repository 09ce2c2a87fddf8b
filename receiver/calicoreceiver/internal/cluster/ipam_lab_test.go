//go:build e2e

package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// moment is when all reports of these tests are made, so that they can be compared.
var moment = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func awaitAccount(t *testing.T, w *Watcher, holds func(IPAM) bool, message string) {
	t.Helper()
	require.Eventually(t, func() bool { return holds(w.IPAM(moment)) }, patience, poll, message)
}

func ready(holds func(ipam.Report) bool) func(IPAM) bool {
	return func(i IPAM) bool { return i.State == AccountReady && holds(i.Report) }
}

func allocated(r ipam.Report) int {
	sum := r.Orphaned
	for _, pool := range r.Pools {
		sum += pool.Allocated
	}
	return sum
}

func installCalico(t *testing.T) {
	t.Helper()
	lab.Command(t, "crds", "apply", "--group", "calico")
	t.Cleanup(func() { lab.Command(t, "crds", "delete", "--group", "calico") })
	lab.Create(t, "ippools", calicoapi.GroupV1.String(), "IPPool", "pool", map[string]any{"cidr": "10.0.0.0/16"})
}

// blocksOf are those of a client, each with 40 of its 64 addresses allocated.
type blocksOf struct{ blocks, affinities dynamic.ResourceInterface }

// affine is the first of the blocks without an affinity, to save time.
const affine = 50

func blocksIn(t *testing.T, group schema.GroupVersion) blocksOf {
	t.Helper()
	client := lab.Dynamic(t)
	return blocksOf{client.Resource(group.WithResource("ipamblocks")), client.Resource(group.WithResource("blockaffinities"))}
}

func (b blocksOf) create(t *testing.T, group schema.GroupVersion, from, to int) {
	t.Helper()
	// A resource that was defined a moment ago may not be served yet.
	require.Eventually(t, func() bool {
		_, err := b.blocks.List(t.Context(), metav1.ListOptions{Limit: 1})
		_, affinitiesErr := b.affinities.List(t.Context(), metav1.ListOptions{Limit: 1})
		return err == nil && affinitiesErr == nil
	}, patience, poll)
	var creating errgroup.Group
	creating.SetLimit(workers)
	for i := from; i < to; i++ {
		creating.Go(func() error {
			block, affinity := blockObject(i)
			block.SetAPIVersion(group.String())
			block.SetKind("IPAMBlock")
			affinity.SetAPIVersion(group.String())
			affinity.SetKind("BlockAffinity")
			_, err := b.blocks.Create(t.Context(), block, metav1.CreateOptions{})
			if i >= affine {
				return err
			}
			_, affinityErr := b.affinities.Create(t.Context(), affinity, metav1.CreateOptions{})
			return errors.Join(err, affinityErr)
		})
	}
	require.NoError(t, creating.Wait())
}

// edit changes the spec of a block.
func (b blocksOf) edit(t *testing.T, i int, change func(spec map[string]any)) {
	t.Helper()
	named, _ := blockObject(i)
	block, err := b.blocks.Get(t.Context(), named.GetName(), metav1.GetOptions{})
	require.NoError(t, err)
	change(block.Object["spec"].(map[string]any))
	_, err = b.blocks.Update(t.Context(), block, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func (b blocksOf) delete(t *testing.T, i int) {
	t.Helper()
	block, affinity := blockObject(i) // below affine
	require.NoError(t, b.blocks.Delete(t.Context(), block.GetName(), metav1.DeleteOptions{}))
	require.NoError(t, b.affinities.Delete(t.Context(), affinity.GetName(), metav1.DeleteOptions{}))
}

// release frees the first address of a block.
func release(spec map[string]any) {
	spec["allocations"].([]any)[0] = nil
	spec["unallocated"] = append(spec["unallocated"].([]any), int64(0))
}

func TestAccountFollowsTheBlocks(t *testing.T) {
	installCalico(t)
	b := blocksIn(t, calicoapi.GroupV1)
	b.create(t, calicoapi.GroupV1, 0, 1)
	grant := grantee(t, "ipam-reader", "ippools", "blockaffinities", "ipreservations", "ipamconfigs")
	config := lab.Admin(t)
	config.Impersonate = rest.ImpersonationConfig{UserName: "ipam-reader"}
	w, _ := watched(t, config, Options{IPAM: &IPAMOptions{}})

	const missing = "list ipamblocks.crd.projectcalico.org"
	awaitAccount(t, w, func(i IPAM) bool { return i.State == AccountUnavailable && i.Missing == missing }, "without the right to read blocks")
	await(t, w, func(s Snapshot) bool { return s.Discovery.BlocksMissing == missing }, "as the endpoints tell")
	grant("ipamblocks")
	awaitAccount(t, w, ready(func(r ipam.Report) bool { return len(r.Pools) == 1 && allocated(r) == 40 }), "with the right")
	await(t, w, func(s Snapshot) bool { return s.Discovery.BlocksMissing == "" }, "and none is missing")
	require.True(t, w.IPAM(moment).NodesUnknown)
	require.False(t, w.IPAM(moment).ReservationsUnknown)

	b.create(t, calicoapi.GroupV1, 1, 3)
	awaitAccount(t, w, ready(func(r ipam.Report) bool { return allocated(r) == 120 }), "blocks that come")
	b.edit(t, 0, release)
	awaitAccount(t, w, ready(func(r ipam.Report) bool { return allocated(r) == 119 }), "a block that changes")
	b.edit(t, 1, func(spec map[string]any) { spec["deleted"] = true })
	awaitAccount(t, w, ready(func(r ipam.Report) bool { return allocated(r) == 79 }), "a block that is marked deleted")
	b.delete(t, 1)
	var whole []any
	b.edit(t, 2, func(spec map[string]any) {
		whole = spec["allocations"].([]any)
		spec["allocations"] = whole[1:]
	})
	awaitAccount(t, w, func(i IPAM) bool { return i.Invalid[calicoapi.IPAMBlocks] == 1 && allocated(i.Report) == 39 }, "a block that is no longer valid")
	b.edit(t, 2, func(spec map[string]any) { spec["allocations"] = whole })
	awaitAccount(t, w, func(i IPAM) bool { return i.Invalid[calicoapi.IPAMBlocks] == 0 && allocated(i.Report) == 79 }, "a block that has healed")
	b.delete(t, 2)
	awaitAccount(t, w, ready(func(r ipam.Report) bool { return allocated(r) == 39 }), "a block that goes")
	require.Len(t, w.Blocks(), 1)
}

// grantee makes a user who may read resources of Calico, and returns what grants one more.
func grantee(t *testing.T, name string, resources ...string) (grant func(resource string)) {
	t.Helper()
	roles := lab.Kube(t).RbacV1()
	role, err := roles.ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{calicoapi.GroupV1.Group}, Resources: resources, Verbs: []string{"list", "watch"}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = roles.ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return func(resource string) {
		role.Rules[0].Resources = append(role.Rules[0].Resources, resource)
		role, err = roles.ClusterRoles().Update(t.Context(), role, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
}

// line is what a Watcher reaches the API server by. It can be cut.
type line struct {
	next http.RoundTripper
	// noStreams has the API server answer like one that cannot stream lists.
	noStreams bool

	mu    sync.Mutex
	cut   bool
	since bool // the line was cut, and no watch goes on where it was
	asked []*url.URL
	open  map[*http.Request]io.Closer
}

func lineTo(config *rest.Config, noStreams bool) *line {
	l := &line{noStreams: noStreams, open: map[*http.Request]io.Closer{}}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { l.next = next; return l })
	return l
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	query := r.URL.Query()
	stream := query.Get("sendInitialEvents") != ""
	l.mu.Lock()
	cut, since := l.cut, l.since
	l.asked = append(l.asked, r.URL)
	l.mu.Unlock()
	switch {
	case cut:
		return nil, syscall.ECONNREFUSED
	case l.noStreams && stream:
		return answer(r, apierrors.NewInvalid(schema.GroupKind{}, "", nil)), nil
	case since && query.Get("watch") != "" && !stream && l.first(r.URL.Path):
		return answer(r, apierrors.NewResourceExpired("too old resource version")), nil
	}
	response, err := l.next.RoundTrip(r)
	if err != nil || query.Get("watch") == "" {
		return response, err
	}
	l.mu.Lock()
	l.open[r] = response.Body
	l.mu.Unlock()
	return response, nil
}

// first says whether a path is asked for the first time since the line was cut.
func (l *line) first(path string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for _, asked := range l.asked {
		if asked.Path == path && asked.Query().Get("watch") != "" && asked.Query().Get("sendInitialEvents") == "" {
			n++
		}
	}
	return n == 1
}

func (l *line) set(cut bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut = cut; !cut {
		l.since, l.asked = true, nil
		return
	}
	for _, body := range l.open {
		_ = body.Close()
	}
	clear(l.open)
}

func (l *line) askedFor(resource string) []*url.URL {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.asked), func(u *url.URL) bool { return !strings.HasSuffix(u.Path, "/"+resource) })
}

func answer(r *http.Request, err *apierrors.StatusError) *http.Response {
	status := err.Status()
	status.Kind, status.APIVersion = "Status", "v1"
	body, _ := json.Marshal(status)
	return &http.Response{
		StatusCode: int(status.Code), Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(bytes.NewReader(body)),
	}
}

func TestLostWatchGivesTheAccountOfAFreshStartFromPagesAndFromAStream(t *testing.T) {
	installCalico(t)
	b := blocksIn(t, calicoapi.GroupV1)
	const blocks = 600 // more than a page
	b.create(t, calicoapi.GroupV1, 0, blocks)
	var watchers []*Watcher
	var lines []*line
	for _, noStreams := range []bool{false, true} {
		config := lab.Admin(t)
		lines = append(lines, lineTo(config, noStreams))
		w, _ := watched(t, config, Options{IPAM: &IPAMOptions{}})
		watchers = append(watchers, w)
	}
	for _, w := range watchers {
		awaitAccount(t, w, ready(func(r ipam.Report) bool { return allocated(r) == blocks*40 }), "all blocks")
	}
	requireStream(t, lines[0], "ipamblocks")
	requireStream(t, lines[0], "blockaffinities")
	requirePages(t, lines[1], "ipamblocks", 2)
	requirePages(t, lines[1], "blockaffinities", 1)

	for _, l := range lines {
		l.set(true)
	}
	for i := range 5 {
		b.delete(t, i)
		b.edit(t, 10+i, release)
	}
	b.edit(t, 20, func(spec map[string]any) { spec["deleted"] = true })
	b.create(t, calicoapi.GroupV1, blocks, blocks+5)
	for _, l := range lines {
		l.set(false)
	}
	fresh, _ := watched(t, lab.Admin(t), Options{IPAM: &IPAMOptions{}})
	want := blocks*40 - 5 - 40
	awaitAccount(t, fresh, ready(func(r ipam.Report) bool { return allocated(r) == want }), "a fresh start")
	for _, w := range watchers {
		awaitAccount(t, w, ready(func(r ipam.Report) bool { return allocated(r) == want }), "after the line was cut")
		require.Eventually(t, func() bool { return maps.Equal(affinities(fresh), affinities(w)) }, patience, poll, "the affinities too")
		require.Len(t, affinities(w), affine-5)
		require.Equal(t, fresh.Blocks(), w.Blocks())
		require.Equal(t, fresh.IPAM(moment), w.IPAM(moment))
	}
	requireStream(t, lines[0], "ipamblocks")
	requirePages(t, lines[1], "ipamblocks", 2)
}

func affinities(w *Watcher) map[string]ipam.Affinity {
	w.books.Lock()
	defer w.books.Unlock()
	all := map[string]ipam.Affinity{}
	for name := range w.books.account.AffinityNames() {
		all[name], _ = w.books.account.Affinity(name)
	}
	return all
}

// requireStream says that a resource was streamed, and not listed.
func requireStream(t *testing.T, l *line, resource string) {
	t.Helper()
	streams := 0
	for _, u := range l.askedFor(resource) {
		require.NotEmpty(t, u.Query().Get("watch"), "it is streamed: %s", u)
		if u.Query().Get("sendInitialEvents") != "" {
			streams++
		}
	}
	require.Equal(t, 1, streams)
}

// requirePages says that a resource was listed once, in so many pages.
func requirePages(t *testing.T, l *line, resource string, want int) {
	t.Helper()
	pages := 0
	for _, u := range l.askedFor(resource) {
		if query := u.Query(); query.Get("watch") == "" {
			require.Equal(t, "500", query.Get("limit"), "it is paged: %s", u)
			require.Empty(t, query.Get("resourceVersion"), "and from etcd, for the limit to hold: %s", u)
			pages++
		}
	}
	require.Equal(t, want, pages)
}

func TestNumbersDoNotJumpWhenCalicoMovesToTheOtherGroup(t *testing.T) {
	installCalico(t)
	const blocks = 50
	v1, v3 := blocksIn(t, calicoapi.GroupV1), blocksIn(t, calicoapi.GroupV3)
	v1.create(t, calicoapi.GroupV1, 0, blocks)
	w, _ := watched(t, lab.Admin(t), Options{Namespaces: []string{"kube-system"}, Resources: allResources, IPAM: &IPAMOptions{}})
	awaitAccount(t, w, ready(func(r ipam.Report) bool { return allocated(r) == blocks*40 }), "all blocks of the old group")

	ctx, stop := context.WithCancel(t.Context())
	var sampling sync.WaitGroup
	var jumps []IPAM
	sampling.Go(func() {
		for ctx.Err() == nil {
			if i := w.IPAM(moment); i.State != AccountReady || len(i.Report.Pools) != 1 || i.Report.Orphaned != 0 || allocated(i.Report) != blocks*40 {
				jumps = append(jumps, i)
			}
			select {
			case <-ctx.Done():
			case <-time.After(time.Millisecond):
			}
		}
	})
	defineNative(t)
	lab.Create(t, "ippools", calicoapi.GroupV3.String(), "IPPool", "pool", map[string]any{"cidr": "10.0.0.0/16"})
	v3.create(t, calicoapi.GroupV3, 0, blocks)
	lab.Create(t, "datastoremigrations", "migration.projectcalico.org/v1", "DatastoreMigration", "v1-to-v3", map[string]any{})
	setPhase(t, "Converged")
	await(t, w, func(s Snapshot) bool { return s.Group == calicoapi.GroupV3 }, "the new group counts")
	require.Eventually(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return !slices.ContainsFunc(ofAccount[:required+1], func(r calicoapi.Resource) bool {
			return w.sources[r].gvr.GroupVersion() != calicoapi.GroupV3
		})
	}, patience, poll, "the account is of the new group")
	lab.Command(t, "crds", "delete", "--group", "calico")
	stop()
	sampling.Wait()
	require.Empty(t, jumps)

	v3.edit(t, 0, release)
	awaitAccount(t, w, ready(func(r ipam.Report) bool { return allocated(r) == blocks*40-1 }), "blocks come from the new group")
	removeNative(t)
	awaitAccount(t, w, func(i IPAM) bool { return i.State == AccountUnavailable && i.Missing == "" }, "blocks that are not served")
	require.Empty(t, w.Blocks())
}
