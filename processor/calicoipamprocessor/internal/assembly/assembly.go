// Package assembly puts scrapes together from the pieces in which they arrive, and says when one is whole.
//
// A scrape is the points of one resource and timestamp. Whoever scrapes ends every series that vanishes with a staleness marker in the very next
// scrape; so a scrape is not whole as long as it has points of fewer series than the scrape before it had values. That is counted, not compared
// series by series, and holds where a scrape comes in one batch as well as where a relay has split it.
package assembly

import (
	"cmp"
	"hash/maphash"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/nodeshares"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/recent"
)

// Source identifies a scraped target. The pod is part of it: another one at the same address has other series.
type Source struct {
	// Cluster is what the cluster is known by, empty where nothing tells.
	Cluster string
	// Service, Instance, Namespace and Pod are the resource attributes.
	Service, Instance, Namespace, Pod string
}

// Exact reports whether the source is the account of Calico's datastore.
func (s Source) Exact() bool { return s.Service == calicometric.JobIPAM }

const (
	// patience is how long a scrape that is known not to be whole is kept for the rest of it, where no settling time is set.
	patience = time.Minute
	// ahead is how far the clock of a source may be ahead of ours. A scrape of a far future would make all that follow it late.
	ahead = 10 * time.Minute
	// maxWaiting is how many scrapes of one source are put together at a time: as many as there are in the longest settling time.
	maxWaiting = 64
	// maxGivenUp is how many scrapes that were given up are remembered, whose rest may come.
	maxGivenUp = 8
	// maxPieces is how many pieces of the last scrape are recognised when they are sent again.
	maxPieces = 8
	// sizes is how many classes of size there are of scrapes that wait to be used again, spare how many of each do.
	sizes, spare = 8, 2
)

// Settings are what an Assembly is made of.
type Settings struct {
	// Settle is how long a scrape is waited for after its first piece; 0 is for scrapes that come in one batch.
	Settle time.Duration
	// Sources is how many sources are remembered.
	Sources int
	// Limits bound one scrape, Series all those that wait.
	Limits ipampoints.Limits
	Series int
	// Shares has the nodes' shares gathered.
	Shares bool
	// Started is since when scrapes arrive here.
	Started time.Time
}

// Assembly puts the scrapes of all sources together. It is not safe for concurrent use.
type Assembly struct {
	settings Settings
	seed     maphash.Seed
	sources  *recent.Map[Source, state]
	waiting  []*state
	held     int
	free     [sizes][]*Scrape
	due      []*Scrape
	counts   Counts
}

// Counts is what has come of pieces and scrapes.
type Counts struct {
	// Late is the number of pieces of scrapes that were not newer than what had left before.
	Late int
	// Future is the number of pieces of a time that cannot have come.
	Future int
	// Incomplete is the number of scrapes of which a part never came.
	Incomplete int
	// DroppedSources is the number of sources that were forgotten for want of room, DroppedSeries that of points of series beyond the bounds.
	DroppedSources, DroppedSeries int
}

// state is what is known of a source.
type state struct {
	source Source
	// series is how many series the next scrape must have points of to be whole.
	series int
	// last is the last scrape that left or was given up.
	last passed
	left bool
	// short is set where the last scrape was given up, and how many of its series had a value.
	short   int
	isShort bool
	// high is what series was before scrapes were given up, givenUp are the last of those.
	high    int
	givenUp []pcommon.Timestamp
	// deaf is set where what came late asked for more than there was: it says nothing until there is more.
	deaf bool
	// gone is set where the last scrape had only ends of series.
	gone bool
	// waiting are the scrapes that have not left, the oldest first.
	waiting []*Scrape
}

// passed is what is known of a scrape that has left or was given up.
type passed struct {
	at pcommon.Timestamp
	// measure is what series was without what came late, values how many series with a value have come.
	measure, values int
	// pieces is what it was made of, digest all that was there when it left.
	pieces []uint64
	digest uint64
	// late is what has come since.
	late struct {
		digest uint64
		values int
	}
}

// Scrape is a scrape that is put together.
type Scrape struct {
	*ipampoints.Scrape
	// Source is what was scraped.
	Source Source
	// Resource are the attributes that came with the first piece.
	Resource pcommon.Map
	// Described says what the metrics of the nodes' shares looked like.
	Described [nodeshares.Metrics]Description

	deadline time.Time
	pieces   []uint64
	digest   uint64
}

// Description is that of a metric.
type Description struct{ Text, Unit string }

// Future reports whether a time cannot have come, whatever the clock of a source says.
func Future(at pcommon.Timestamp, now time.Time) bool { return at.AsTime().After(now.Add(ahead)) }

// New returns an Assembly that knows no source.
func New(settings Settings) *Assembly {
	return &Assembly{settings: settings, seed: maphash.MakeSeed(), sources: recent.New[Source, state](settings.Sources)}
}

// Take takes in all points of a resource that are part of scrapes of its source.
func (a *Assembly) Take(source Source, rm pmetric.ResourceMetrics, now time.Time) {
	st, evicted := a.sources.Add(source)
	if evicted != nil {
		a.forget(evicted)
	}
	st.source = source
	piece := piece{to: st}
	scopes := rm.ScopeMetrics()
	for i := range scopes.Len() {
		metrics := scopes.At(i).Metrics()
		for j := range metrics.Len() {
			metric := metrics.At(j)
			name := metric.Name()
			means := ipampoints.MetricOf(name)
			if !means.PartOfScrape() {
				continue
			}
			points, ok := ipampoints.Points(metric)
			if !ok {
				continue
			}
			var described *Scrape
			for k := range points.Len() {
				point := points.At(k)
				if at := point.Timestamp(); !piece.begun || at != piece.at {
					a.end(&piece)
					a.begin(&piece, at, rm, now)
				}
				if share, ok := means.Share(); ok && piece.scrape != nil && described != piece.scrape {
					described = piece.scrape
					described.Described[share] = Description{Text: metric.Description(), Unit: metric.Unit()}
				}
				switch {
				case piece.scrape != nil:
					piece.digest += piece.scrape.Add(means, name, point)
				case piece.again:
					piece.digest += ipampoints.Identity(a.seed, means, point)
					if !ipampoints.IsMarker(point) {
						piece.values++
					}
				}
			}
		}
	}
	a.end(&piece)
}

// piece is what comes of one scrape at a time.
type piece struct {
	to    *state
	begun bool
	at    pcommon.Timestamp
	// scrape is what the piece belongs to; nil where that has left. again is set where it was the last that left.
	scrape *Scrape
	again  bool
	// future is set where it is of a time that cannot have come.
	future bool
	digest uint64
	before int
	values int
}

func (a *Assembly) begin(p *piece, at pcommon.Timestamp, rm pmetric.ResourceMetrics, now time.Time) {
	*p = piece{to: p.to, begun: true, at: at}
	if Future(at, now) {
		p.future = true
		return
	}
	if p.to.left && at <= p.to.last.at {
		p.again = at == p.to.last.at
		return
	}
	if p.scrape = a.waitingFor(p.to, at, rm, now); p.scrape == nil {
		return
	}
	p.before = p.scrape.Series()
	p.scrape.Bound(p.before + max(a.settings.Series-a.held, 0))
}

// end finishes a piece. One that is new to the scrape that left last tells that the scrape was larger than what had come of it.
func (a *Assembly) end(p *piece) {
	switch {
	case !p.begun:
	case p.scrape != nil:
		a.held += p.scrape.Series() - p.before
		if len(p.scrape.pieces) < maxPieces && p.digest != p.scrape.digest && !slices.Contains(p.scrape.pieces, p.digest) {
			p.scrape.pieces = append(p.scrape.pieces, p.digest)
			p.scrape.digest += p.digest
		}
	case p.future:
		a.counts.Future++
	default:
		a.counts.Late++
		switch {
		case p.again:
			p.to.late(p.digest, p.values)
		case slices.Contains(p.to.givenUp, p.at):
			// What was missed comes after all: scrapes are as large as they were.
			p.to.series, p.to.isShort = max(p.to.series, p.to.high), false
		}
	}
}

// late takes in a piece of the last scrape. One that is new says that it was larger than what had come of it, and so will be the next; one that came
// before, all of them in one, or one by one, says nothing.
func (st *state) late(digest uint64, values int) {
	last := &st.last
	if st.deaf || digest == last.digest || slices.Contains(last.pieces, digest) {
		return
	}
	if len(last.pieces) >= maxPieces {
		// Too many to tell what is new: what came late says nothing then.
		last.values -= last.late.values
		last.late.digest, last.late.values = 0, 0
		st.series = max(last.measure, last.values)
		return
	}
	last.pieces = append(last.pieces, digest)
	last.late.digest += digest
	last.late.values += values
	last.values += values
	if last.late.digest == last.digest {
		last.values -= last.late.values
		last.late.digest, last.late.values = 0, 0
	}
	st.series = max(last.measure, last.values)
	if last.values >= last.measure {
		st.isShort = false
	}
}

// waitingFor returns the scrape of a moment that waits, a new one where none does, and nil where only newer ones wait and there is no room for it.
func (a *Assembly) waitingFor(st *state, at pcommon.Timestamp, rm pmetric.ResourceMetrics, now time.Time) *Scrape {
	i, found := slices.BinarySearchFunc(st.waiting, at, func(s *Scrape, at pcommon.Timestamp) int { return cmp.Compare(s.Timestamp, at) })
	if found {
		return st.waiting[i]
	}
	if len(st.waiting) >= maxWaiting {
		if i == 0 {
			return nil
		}
		a.incomplete(st, st.waiting[0])
		st.waiting = slices.Delete(st.waiting, 0, 1)
		i--
	}
	scrape := a.empty(st.series)
	scrape.Reset(at, st.source.Exact())
	scrape.Source = st.source
	rm.Resource().Attributes().CopyTo(scrape.Resource)
	scrape.pieces, scrape.digest = scrape.pieces[:0], 0
	clear(scrape.Described[:])
	if a.settings.Settle > 0 {
		scrape.deadline = now.Add(a.settings.Settle)
	} else {
		scrape.deadline = now.Add(patience)
	}
	if len(st.waiting) == 0 {
		a.waiting = append(a.waiting, st)
	}
	st.waiting = slices.Insert(st.waiting, i, scrape)
	return scrape
}

// Due returns the scrapes that are whole, the oldest first, and forgets those that never will be. They are to be given back with Release.
func (a *Assembly) Due(now time.Time) []*Scrape {
	a.due = a.due[:0]
	a.waiting = slices.DeleteFunc(a.waiting, func(st *state) bool {
		a.leave(st, a.until(st, now))
		return len(st.waiting) == 0
	})
	slices.SortStableFunc(a.due, func(x, y *Scrape) int { return cmp.Compare(x.Timestamp, y.Timestamp) })
	return a.due
}

// All returns the scrapes that are whole as far as is known, without further waiting.
func (a *Assembly) All() []*Scrape {
	for _, st := range a.waiting {
		for _, scrape := range st.waiting {
			scrape.deadline = time.Time{}
		}
	}
	return a.Due(time.Time{})
}

// until returns how many of the waiting scrapes of a source have to leave, whole or not: those whose time is over, and all before them,
// so that none leaves after one that is newer.
func (a *Assembly) until(st *state, now time.Time) int {
	n := 0
	for i, scrape := range st.waiting {
		if !now.Before(scrape.deadline) {
			n = i + 1
		}
	}
	if a.settings.Settle == 0 {
		// The next scrape has begun: what is missing of those before it will not come.
		n = max(n, len(st.waiting)-1)
	}
	return n
}

func (a *Assembly) leave(st *state, until int) {
	left := 0
	for i, scrape := range st.waiting {
		enough := scrape.Series() >= st.series || st.left && scrape.Values == 0 && scrape.Ended >= st.last.measure
		whole := enough && scrape.DroppedSeries == 0 && !a.mayHaveBegunElsewhere(st, scrape)
		switch {
		case whole && (i < until || a.settings.Settle == 0):
			st.deaf = st.deaf && scrape.Values <= st.last.values
			a.pass(st, scrape, scrape.Values)
			if st.isShort = false; scrape.Values >= st.high {
				st.high, st.givenUp = 0, nil
			}
			a.due = append(a.due, scrape)
		case i < until:
			a.incomplete(st, scrape)
		default:
			continue
		}
		left = i + 1
	}
	st.waiting = slices.Delete(st.waiting, 0, left)
}

// mayHaveBegunElsewhere reports whether the first pieces of a scrape, where it can come in pieces, may have gone to the instance before this one.
func (a *Assembly) mayHaveBegunElsewhere(st *state, scrape *Scrape) bool {
	at := scrape.Timestamp.AsTime()
	return a.settings.Settle > 0 && !st.left && at.Before(a.settings.Started) && a.settings.Started.Sub(at) < ahead
}

// incomplete gives a scrape up, the oldest that waits. Where two in a row had to be, the next one is measured by what has come of them: a source whose
// series were ended by nobody, as after a restart of whoever scrapes, is whole again then.
func (a *Assembly) incomplete(st *state, scrape *Scrape) {
	a.counts.Incomplete++
	measure := st.series
	st.high = max(st.high, measure)
	if len(st.givenUp) == maxGivenUp {
		st.givenUp = slices.Delete(st.givenUp, 0, 1)
	}
	st.givenUp = append(st.givenUp, scrape.Timestamp)
	switch {
	case !st.left:
		measure = scrape.Values
	case scrape.Values >= st.last.measure:
		measure, st.deaf = scrape.Values, true // only what came late had asked for more
	case st.isShort:
		measure = max(st.short, scrape.Values)
	}
	st.short, st.isShort = scrape.Values, true
	a.pass(st, scrape, measure)
	a.Release(scrape)
}

// pass notes that a scrape does not wait any more: whatever else comes of it is late, and what is older too.
func (a *Assembly) pass(st *state, scrape *Scrape, measure int) {
	a.held -= scrape.Series()
	st.series, st.left, st.gone = measure, true, scrape.Values == 0
	st.last = passed{
		at:      scrape.Timestamp,
		measure: measure,
		values:  scrape.Values,
		pieces:  append(st.last.pieces[:0], scrape.pieces...),
		digest:  scrape.digest,
	}
}

// forget gives up what waits of a source that there is no room for any more. One that is gone is no loss.
func (a *Assembly) forget(st *state) {
	for _, scrape := range st.waiting {
		a.incomplete(st, scrape)
	}
	st.waiting = nil
	if !st.gone {
		a.counts.DroppedSources++
	}
}

// Next returns when the next scrape that waits has to leave, false where none waits.
func (a *Assembly) Next() (time.Time, bool) {
	var next time.Time
	for _, st := range a.waiting {
		for _, scrape := range st.waiting {
			if next.IsZero() || scrape.deadline.Before(next) {
				next = scrape.deadline
			}
		}
	}
	return next, !next.IsZero()
}

// Waiting returns how many scrapes wait.
func (a *Assembly) Waiting() int {
	n := 0
	for _, st := range a.waiting {
		n += len(st.waiting)
	}
	return n
}

// Counts returns what has come of pieces and scrapes since it was asked last.
func (a *Assembly) Counts() Counts {
	counts := a.counts
	a.counts = Counts{}
	return counts
}

// empty returns a scrape to be reset. Those of one size are used again for that size: to clear what once held many series takes long.
func (a *Assembly) empty(series int) *Scrape {
	free := &a.free[class(series)]
	if n := len(*free); n > 0 {
		scrape := (*free)[n-1]
		*free = (*free)[:n-1]
		return scrape
	}
	return &Scrape{Scrape: ipampoints.NewScrape(a.settings.Limits, a.seed, a.settings.Shares), Resource: pcommon.NewMap()}
}

// Release gives a scrape back.
func (a *Assembly) Release(scrape *Scrape) {
	a.counts.DroppedSeries += scrape.DroppedSeries
	if free := &a.free[class(scrape.Series())]; len(*free) < spare {
		*free = append(*free, scrape)
	}
}

// class is the class of size of a number of series: each is eight times as large as the one before.
func class(series int) int {
	n := 0
	for ; series >= 32 && n < sizes-1; series /= 8 {
		n++
	}
	return n
}
