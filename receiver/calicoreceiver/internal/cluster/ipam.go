package cluster

import (
	"net/netip"
	"sync"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/calicoapi"
	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/ipam"
)

// IPAMOptions say what the account has.
type IPAMOptions struct {
	// Namespaces has the addresses of each namespace counted.
	Namespaces bool
}

// AccountState says whether there is an account of the cluster's addresses.
type AccountState int

const (
	// AccountPending is that not everything was read yet.
	AccountPending AccountState = iota
	// AccountReady is that there is one.
	AccountReady
	// AccountUnavailable is that there is none: the API server does not serve what it is made of, or refuses it, or goes on failing.
	AccountUnavailable
)

// IPAM is the account of the cluster's addresses.
type IPAM struct {
	State AccountState
	// Missing is the right that is missing to read pools or blocks, where that is why there is none.
	Missing string
	// Report is the account of a moment, where State is AccountReady.
	Report ipam.Report
	// What could not be read: numbers that depend on it are not known.
	ReservationsUnknown, ConfigUnknown, NodesUnknown bool
	// Invalid is how many objects of each resource cannot be read, and are left out.
	Invalid map[calicoapi.Resource]int
}

// ofAccount are the resources that the account is made of. Without the first two there is none.
var ofAccount = []calicoapi.Resource{
	calicoapi.IPPools, calicoapi.IPAMBlocks, calicoapi.BlockAffinities, calicoapi.IPReservations, calicoapi.IPAMConfigs, nodes,
}

const required = 2

// syncTimeout bounds how long the account waits for what neither fails nor ends: a slow list of very many blocks takes less than a minute.
const syncTimeout = 5 * time.Minute

// books guard the account, which has the values of the tables that count. The lock of the Watcher comes before theirs.
type books struct {
	sync.Mutex
	account *ipam.Account
}

// counted is a feed whose values the account has. The caller of its methods has the lock of the books.
type counted interface {
	feed
	// count has the account follow this feed from now on, instead of another or of none.
	count(instead feed)
	// leave takes all that it has out of the account.
	leave()
	// invalid is how many objects cannot be read.
	invalid() int
}

func (w *Watcher) blockKind() kind[*ipam.Block] {
	account := w.books.account
	namespaces := w.options.IPAM != nil && w.options.IPAM.Namespaces
	return kind[*ipam.Block]{
		read: func(u *unstructured.Unstructured) (*ipam.Block, bool, error) {
			spec, err := calicoapi.ParseIPAMBlock(u)
			if err != nil || spec == nil {
				return nil, false, err
			}
			block, err := ipam.NewBlock(*spec, namespaces)
			return block, true, err
		},
		account: shelf[*ipam.Block]{
			get: func(name string) (*ipam.Block, bool) {
				block := account.Block(name)
				return block, block != nil
			},
			put: account.PutBlock, drop: account.DeleteBlock, names: account.BlockNames,
		},
	}
}

func (w *Watcher) affinityKind() kind[ipam.Affinity] {
	account := w.books.account
	return kind[ipam.Affinity]{
		read: func(u *unstructured.Unstructured) (ipam.Affinity, bool, error) {
			affinity, err := calicoapi.ParseBlockAffinity(u)
			if err != nil || affinity == nil {
				return ipam.Affinity{}, false, err
			}
			return *affinity, true, nil
		},
		account: shelf[ipam.Affinity]{
			get: account.Affinity, put: account.PutAffinity, drop: account.DeleteAffinity, names: account.AffinityNames,
		},
	}
}

// IPAM is the account at a moment, where Options.IPAM asks for it. Once there is one it stays: what cannot be read any longer is as it was read last.
func (w *Watcher) IPAM(now time.Time) IPAM {
	_, _, known := w.catalog.dataGroup()
	w.mu.Lock()
	answer := IPAM{State: AccountPending}
	if known && w.options.IPAM != nil {
		answer.State, answer.Missing = w.accountState()
	}
	w.accounted = answer.State == AccountReady
	if !w.accounted {
		w.mu.Unlock()
		return answer
	}
	// Nothing may change between what is entered and the report of it, such as the API group of the one and not of the other.
	w.books.Lock()
	defer w.books.Unlock()
	w.enter()
	answer.ReservationsUnknown = w.unread(calicoapi.IPReservations)
	configs := w.broken[calicoapi.IPAMConfigs]
	// Calico reads no other object than that of this name.
	answer.ConfigUnknown = w.unread(calicoapi.IPAMConfigs) || configs != nil && configs.has(calicoapi.DefaultName)
	answer.NodesUnknown = w.unread(nodes)
	answer.Invalid = w.allInvalid()
	w.mu.Unlock()
	answer.Report = w.books.account.Report(now)
	return answer
}

// Blocks are all blocks of the account, in the order of their CIDRs.
func (w *Watcher) Blocks() []ipam.BlockReport {
	w.mu.Lock()
	w.books.Lock()
	defer w.books.Unlock()
	w.enter()
	w.mu.Unlock()
	return w.books.account.Blocks()
}

// accountState says whether there is an account, given that it is known what is served, and which right is missing where there is none for want
// of it.
func (w *Watcher) accountState() (state AccountState, missing string) {
	synced, isRefused := true, false
	for _, resource := range ofAccount[:required] {
		s := w.sources[resource]
		if s == nil {
			return AccountUnavailable, ""
		}
		if s.feed.HasSynced() {
			continue
		}
		synced = false
		// What goes on failing may be answered one day; until then there is no account, and who has another source takes that.
		age := time.Since(s.since)
		fails := age >= gateTimeout && w.health.failing(s.request.resource, s.request.namespace) != ""
		w.abandoned = w.abandoned || fails || age >= syncTimeout
		isRefused = isRefused || w.health.isRefused(s.request.resource, s.request.namespace)
		if missing == "" {
			missing = w.missing(resource)
		}
	}
	w.abandoned = w.abandoned && !synced
	switch {
	case w.abandoned || isRefused:
		return AccountUnavailable, missing
	case !synced:
		return AccountPending, ""
	case w.accounted:
		return AccountReady, ""
	}
	for _, resource := range ofAccount {
		if s := w.sources[resource]; s != nil && !w.done(s) {
			return AccountPending, ""
		}
	}
	return AccountReady, ""
}

// unread says whether a resource is served and was never read.
func (w *Watcher) unread(resource calicoapi.Resource) bool {
	s := w.sources[resource]
	return s != nil && !s.feed.HasSynced()
}

func (w *Watcher) allInvalid() map[calicoapi.Resource]int {
	all := map[calicoapi.Resource]int{}
	for _, resource := range ofAccount {
		s := w.sources[resource]
		if s == nil || resource == nodes {
			continue // anything can be read of a node
		}
		all[resource] = 0
		if broken := w.broken[resource]; broken != nil {
			all[resource] = broken.count()
		}
		if t, ok := s.feed.(counted); ok {
			all[resource] = t.invalid()
		}
	}
	return all
}

// entry is the state of a source that the account was brought to.
type entry struct {
	source  *source
	changes uint64
}

// outdated says whether a resource changed since it was entered into the account, and takes note that it is entered now.
func (w *Watcher) outdated(resource calicoapi.Resource) bool {
	now := entry{source: w.sources[resource]}
	if now.source != nil {
		now.changes = now.source.changes.Load()
	}
	before := w.entered[resource]
	w.entered[resource] = now
	return now != before
}

// enter brings into the account what informers hold. The caller has both locks.
func (w *Watcher) enter() {
	account := w.books.account
	if w.outdated(calicoapi.IPPools) {
		account.SetPools(ordered(objects[ipam.Pool](w, calicoapi.IPPools)))
	}
	if w.outdated(calicoapi.IPReservations) {
		account.SetReservations(w.reservations())
	}
	if w.outdated(calicoapi.IPAMConfigs) {
		config := ipam.DefaultConfig()
		if found := object[ipam.Config](w, calicoapi.IPAMConfigs); found != nil {
			config = *found
		}
		account.SetConfig(config)
	}
	if w.outdated(nodes) {
		account.SetNodes(objects[map[string]string](w, nodes))
	}
}

// reservations are the ranges of all IPReservations. Entries that reserve nothing are named once in the log.
func (w *Watcher) reservations() []netip.Prefix {
	var ranges []netip.Prefix
	ignored := map[string]string{}
	for name, reservation := range objects[calicoapi.Reservation](w, calicoapi.IPReservations) {
		ranges = append(ranges, reservation.CIDRs...)
		if len(reservation.Ignored) == 0 {
			continue
		}
		ignored[name] = joined(reservation.Ignored)
		if w.ignored[name] != ignored[name] {
			w.logger.Warn(string(calicoapi.IPReservations)+"/"+name+" has entries that reserve nothing", zap.String("ignored", ignored[name]))
		}
	}
	w.ignored = ignored
	return ranges
}
