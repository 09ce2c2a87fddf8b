//go:build e2e

package security

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// scrapesMetric is how often an endpoint was scraped, so that each scrape has a value of its own.
const scrapesMetric = "typha_test_scrapes"

// endpoint is what a collector scrapes.
type endpoint struct {
	url, address string
	count        atomic.Int64
}

func (e *endpoint) scrapes() int { return int(e.count.Load()) }

// newEndpoint starts an endpoint that counts how often it is scraped. It ends with the test.
func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	return serveEndpoint(t, func(w http.ResponseWriter, _ *http.Request, scrapes int64) {
		fmt.Fprintf(w, "# TYPE %[1]s gauge\n%[1]s %[2]d\n", scrapesMetric, scrapes)
	})
}

// serveEndpoint starts an endpoint that answers as is said. It ends with the test.
func serveEndpoint(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, scrapes int64)) *endpoint {
	t.Helper()
	e := &endpoint{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4")
		answer(w, r, e.count.Add(1))
	}))
	server.Config.ErrorLog = quiet
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections() // some answers never end
		server.Close()
	})
	e.address = strings.TrimPrefix(server.URL, "http://")
	e.url = server.URL + "/metrics"
	return e
}

// pour writes a text again and again, until who reads goes or it was enough.
func pour(w io.Writer, text string, bytes int) {
	chunk := []byte(strings.Repeat(text, 1+(64<<10)/len(text)))
	for written := 0; written < bytes; written += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}
