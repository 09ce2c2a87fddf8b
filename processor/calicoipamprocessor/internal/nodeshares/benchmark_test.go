package nodeshares

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/otelcol-calico/otelcol-calico/internal/nodedetail"
)

// sizes are those of clusters: the last is the largest that Calico is tested with, of as many pools as kube-controllers has 200,000 series for.
var sizes = []struct{ nodes, pools int }{{100, 4}, {5000, 1}, {5000, 10}}

// BenchmarkAdd gathers a scrape, with the reset before it, in the order of an exposition and in none.
func BenchmarkAdd(b *testing.B) {
	for _, size := range sizes {
		points := scrape(size.pools, size.nodes)
		bench := func(order string) {
			b.Run(fmt.Sprintf("nodes=%d/pools=%d/order=%s", size.nodes, size.pools, order), func(b *testing.B) {
				var s Shares
				add(&s, points)
				b.ReportAllocs()
				for b.Loop() {
					s.Reset()
					add(&s, points)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(points)), "ns/point")
			})
		}
		bench("exposition")
		rand.New(rand.NewPCG(1, 2)).Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
		bench("none")
	}
}

// BenchmarkPoints yields what replaces a scrape.
func BenchmarkPoints(b *testing.B) {
	for _, size := range sizes {
		points := scrape(size.pools, size.nodes)
		for _, detail := range []nodedetail.Detail{none, top(30), nonzero} {
			b.Run(fmt.Sprintf("nodes=%d/pools=%d/detail=%s/top=%d", size.nodes, size.pools, detail.Mode, detail.Top), func(b *testing.B) {
				var s Shares
				add(&s, points)
				var out []Point
				b.ReportAllocs()
				for b.Loop() {
					out = s.Points(detail, out[:0])
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(points)), "ns/point")
				b.ReportMetric(float64(len(out)), "points")
			})
		}
	}
}
