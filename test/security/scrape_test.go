//go:build e2e

package security

import (
	"compress/gzip"
	"io"
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/pki"
)

func TestAHostileEndpointIsDownAndOthersAreScrapedOn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request, scrapes int64)
	}{
		{"more than body_size_limit", func(w http.ResponseWriter, _ *http.Request, _ int64) {
			pour(w, "# a comment that costs nothing to parse\n", 128<<20)
		}},
		{"a gzip that becomes more than body_size_limit", func(w http.ResponseWriter, _ *http.Request, _ int64) {
			w.Header().Set("Content-Encoding", "gzip")
			bomb := gzip.NewWriter(w)
			pour(bomb, "# a comment that costs nothing to parse\n", 256<<20)
			_ = bomb.Close() // who scrapes went
		}},
		{"noise", func(w http.ResponseWriter, _ *http.Request, _ int64) {
			_, _ = io.WriteString(w, "\xff\xfe{]\x00=not a metric\n")
		}},
		{"a page of HTML", func(w http.ResponseWriter, _ *http.Request, _ int64) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html><body>login</body></html>")
		}},
		{"an answer that does not end", func(w http.ResponseWriter, r *http.Request, _ int64) {
			_, _ = io.WriteString(w, "typha_hostile 1\n")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}},
		{"a line that does not end", func(w http.ResponseWriter, _ *http.Request, _ int64) {
			_, _ = io.WriteString(w, "typha_hostile{a=\"")
			pour(w, "a", 128<<20)
		}},
		{"half of a body", func(w http.ResponseWriter, _ *http.Request, _ int64) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, "typha_hostile 1\n")
		}},
		{"HTTP 500", func(w http.ResponseWriter, _ *http.Request, _ int64) {
			http.Error(w, "typha_hostile 1", http.StatusInternalServerError)
		}},
		{"a redirection", func(w http.ResponseWriter, r *http.Request, _ int64) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}},
		{"a label longer than label_value_length_limit", func(w http.ResponseWriter, _ *http.Request, _ int64) {
			_, _ = io.WriteString(w, `typha_hostile{a="`+strings.Repeat("a", 5000)+"\"} 1\n")
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hostile, good := serveEndpoint(t, test.answer), newEndpoint(t)
			b := newBackend(t, pki.NewAuthority(t))
			c := startCollector(t, []string{"sidecar.yaml", "backends/otlp-http.yaml", "yaml:receivers::calico::timeout: 1s"},
				append(b.env(), "TYPHA_ENDPOINTS=["+hostile.url+", "+good.url+"]")...)
			before, _ := c.Memory(t)
			require.Eventually(t, func() bool { return len(b.got("up", hostile.address)) >= 3 && len(b.got("up", good.address)) >= 3 }, patience, poll)
			require.Equal(t, []float64{0}, slices.Compact(b.got("up", hostile.address)))
			require.Equal(t, []float64{1}, slices.Compact(b.got("up", good.address)))
			require.Empty(t, b.got("typha_hostile"))
			requireAll(t, good, b)
			_, peak := c.Memory(t)
			t.Logf("%d MiB before, %d at most", before>>20, peak>>20)
			require.Less(t, peak-before, 900<<20)
			c.goesOn(t)
		})
	}
}

func TestValuesOfAnEndpointDoNotEndTheCollector(t *testing.T) {
	t.Parallel()
	strange := serveEndpoint(t, func(w http.ResponseWriter, _ *http.Request, _ int64) {
		_, _ = io.WriteString(w, `# TYPE ipam_ippool_size gauge
ipam_ippool_size{ippool="a"} NaN
ipam_ippool_size{ippool="b"} -Inf
ipam_ippool_size{ippool="c"} 1e308
ipam_ippool_size{ippool=""} -5
# TYPE ipam_allocations_in_use gauge
ipam_allocations_in_use{ippool="a",node="n"} +Inf
ipam_allocations_in_use{ippool="b",node="n"} -1
ipam_allocations_in_use{ippool="c",node="n"} 1e309
`)
	})
	b := newBackend(t, pki.NewAuthority(t))
	c := startCollector(t, []string{"sidecar.yaml", "backends/otlp-http.yaml"},
		append(b.env(), "KUBE_CONTROLLERS_ENDPOINTS=["+strange.url+"]")...)
	require.Eventually(t, func() bool { return len(b.got("up", strange.address)) >= 3 }, patience, poll)
	for _, ratio := range b.got("calico_ipam_pool_utilization_ratio") {
		require.False(t, math.IsNaN(ratio) || math.IsInf(ratio, 0), "%v is no ratio", ratio)
	}
	c.goesOn(t)
}
