// Package enrich adds the labels cidr and ip_family to Calico's own metrics of the pools that are known.
//
// A label that comes or changes makes another series of each point, so the old ones have to be ended: where they are not, a backend counts both for
// minutes. Labels change between two scrapes, never within one.
package enrich

import (
	"slices"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/otelcol-calico/otelcol-calico/internal/calicometric"
	"github.com/otelcol-calico/otelcol-calico/internal/staleness"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/ipampoints"
	"github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor/internal/poolinfo"
)

// Labels are what a pool's points get; the zero value is nothing.
type Labels struct {
	// CIDR is spec.cidr, Family calicometric.IPv4 or IPv6.
	CIDR, Family string
}

// gone is after how long without a point a pool may be forgotten for another.
const gone = pcommon.Timestamp(10 * time.Minute)

// Source is what the points of one source were labelled with. The zero value is a source of which nothing came yet.
type Source struct {
	// pools are ordered by name: most clusters have a handful, for which a map would take several times the room.
	pools []pool
}

// pool is what the points of a pool are labelled with.
type pool struct {
	name string
	now  Labels
	// before are the labels of the series that had to be ended; nil where none had.
	before *Labels
	// seen is the newest scrape; since is the first with the labels of now, which ends the series of before.
	seen, since pcommon.Timestamp
}

// Points adds labels to the points of Calico's own metrics in a resource, and ends the series that the labels make others of. It remembers at most
// maxPools pools; what comes of others stays as it is.
func (s *Source) Points(rm pmetric.ResourceMetrics, cluster *poolinfo.Cluster, maxPools int) {
	scopes := rm.ScopeMetrics()
	for i := range scopes.Len() {
		metrics := scopes.At(i).Metrics()
		for j := range metrics.Len() {
			metric := metrics.At(j)
			if !ipampoints.IsCalicos(metric.Name()) {
				continue
			}
			if points, ok := ipampoints.Points(metric); ok {
				s.points(points, cluster, maxPools)
			}
		}
	}
}

func (s *Source) points(points pmetric.NumberDataPointSlice, cluster *poolinfo.Cluster, maxPools int) {
	var known *pool
	for i := range points.Len() {
		point := points.At(i)
		name, ok := ipampoints.PoolOf(point)
		if !ok {
			continue
		}
		if _, labelled := point.Attributes().Get(calicometric.LabelCIDR); labelled {
			continue // by another processor, on the way
		}
		// The points of one pool follow each other in an exposition.
		if known == nil || name != known.name {
			known = s.pool(name, point.Timestamp(), maxPools)
		}
		if known == nil {
			continue
		}
		known.at(point.Timestamp(), cluster)
		known.point(points, point)
	}
}

// pool returns the pool of a name, nil where there is no room for one more.
func (s *Source) pool(name string, point pcommon.Timestamp, maxPools int) *pool {
	at, found := s.find(name)
	if !found {
		if len(s.pools) >= maxPools && !s.forget(point) {
			return nil
		}
		at, _ = s.find(name)
		if len(s.pools) == cap(s.pools) {
			// By less than append, as the room is kept.
			s.pools = append(make([]pool, 0, len(s.pools)+len(s.pools)/4+1), s.pools...)
		}
		// A label may be part of all labels of a series, which it would keep alive.
		s.pools = slices.Insert(s.pools, at, pool{name: strings.Clone(name)})
	}
	return &s.pools[at]
}

func (s *Source) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.pools, name, func(p pool, name string) int { return strings.Compare(p.name, name) })
}

// forget makes room by the pool that has been gone for the longest time before a moment, false where all may be there still.
func (s *Source) forget(now pcommon.Timestamp) bool {
	oldest := 0
	for i := range s.pools {
		if s.pools[i].seen < s.pools[oldest].seen {
			oldest = i
		}
	}
	if s.pools[oldest].seen+gone >= now {
		return false
	}
	s.pools = slices.Delete(s.pools, oldest, oldest+1)
	return true
}

// at takes the labels that are known now, if the scrape is a new one. A pool that is not known any more keeps those it had: its points end with them.
func (p *pool) at(scrape pcommon.Timestamp, cluster *poolinfo.Cluster) {
	if scrape <= p.seen {
		return
	}
	first := p.seen == 0
	p.seen = scrape
	info, known := cluster.Pool(p.name)
	labels := Labels{CIDR: info.CIDR, Family: info.Family}
	if !known || labels == p.now {
		return
	}
	if !first {
		before := p.now
		p.before = &before
	}
	p.now, p.since = labels, scrape
}

// point labels a point, and where the labels have changed with its scrape also ends the series that it belonged to.
func (p *pool) point(points pmetric.NumberDataPointSlice, point pmetric.NumberDataPoint) {
	at, marker := point.Timestamp(), ipampoints.IsMarker(point)
	switch {
	case p.before == nil || at > p.since:
		p.now.put(point.Attributes())
	case at < p.since || marker:
		p.before.put(point.Attributes())
	default:
		end := points.AppendEmpty()
		staleness.EndOf(point, at).MoveTo(end)
		p.before.put(end.Attributes())
		p.now.put(point.Attributes())
	}
}

// put adds the labels to attributes.
func (l Labels) put(attributes pcommon.Map) {
	if l == (Labels{}) {
		return
	}
	attributes.EnsureCapacity(attributes.Len() + 2)
	if l.CIDR != "" {
		attributes.PutStr(calicometric.LabelCIDR, l.CIDR)
	}
	if l.Family != "" {
		attributes.PutStr(calicometric.LabelIPFamily, l.Family)
	}
}
