//go:build e2e

package faults

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/prompb"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// manner is how a backend answers.
type manner struct {
	// status is what it answers with in place of Prometheus, if any.
	status int
	// delay is how long it waits with every answer.
	delay time.Duration
	// reset closes the connection in the middle of a request.
	reset bool
	// silent reads requests and never answers, like a host that lost its power.
	silent bool
	// mute gives a request to Prometheus, and closes the connection in place of an answer.
	mute bool
	// refuses is the name of a metric that it does not take: it takes the others of a request, and answers 400.
	refuses string
}

// backend is a server in front of Prometheus.
type backend struct {
	url, prometheus string
	address         string
	// taken is what Prometheus took, and refused what was in requests that it did not take.
	taken, refused *samples
	// refusedRequests is how many Prometheus did not take, and unanswered how many it answered in vain.
	refusedRequests, unanswered atomic.Int64

	mu     sync.Mutex
	manner manner
	server *http.Server
}

// newBackend starts a backend, which ends with the test.
func newBackend(t *testing.T, prometheus string) *backend {
	t.Helper()
	b := &backend{prometheus: prometheus, taken: newSamples(), refused: newSamples()}
	b.address = "127.0.0.1:" + labtest.FreePort(t) // which nobody takes while the backend is away
	listener, err := net.Listen("tcp", b.address)
	require.NoError(t, err)
	b.url = "http://" + b.address
	b.serve(listener)
	t.Cleanup(b.stop)
	return b
}

func (b *backend) serve(listener net.Listener) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.server = &http.Server{Handler: b, ReadHeaderTimeout: time.Minute}
	go func(server *http.Server) { _ = server.Serve(listener) }(b.server)
}

// stop closes the listener and all connections. What Prometheus has taken is answered before, if it takes no longer than a moment: an answer that is lost
// is a fault of its own.
func (b *backend) stop() {
	b.mu.Lock()
	server := b.server
	b.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if server.Shutdown(ctx) != nil {
		_ = server.Close()
	}
}

// start listens again where it did.
func (b *backend) start(t *testing.T) {
	t.Helper()
	var listener net.Listener
	require.Eventually(t, func() bool {
		var err error
		listener, err = net.Listen("tcp", b.address)
		return err == nil
	}, patience, poll)
	b.serve(listener)
}

func (b *backend) behave(m manner) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.manner = m
}

// refusals is how many requests Prometheus did not take.
func (b *backend) refusals() int { return int(b.refusedRequests.Load()) }

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	b.mu.Lock()
	m := b.manner
	b.mu.Unlock()
	if m.silent {
		<-r.Context().Done()
		return
	}
	if m.reset {
		panic(http.ErrAbortHandler)
	}
	if m.delay > 0 {
		select {
		case <-time.After(m.delay):
		case <-r.Context().Done():
			return
		}
	}
	if m.status != 0 {
		http.Error(w, "as the test says", m.status)
		return
	}
	if err := b.pass(r.Context(), w, r, body, m); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}

// pass gives a request to Prometheus, and notes what it took.
func (b *backend) pass(ctx context.Context, w http.ResponseWriter, r *http.Request, body []byte, m manner) error {
	series, err := decode(r, body)
	if err != nil {
		return err
	}
	refused := 0
	if m.refuses != "" {
		var rest []prompb.TimeSeries
		for _, ts := range series {
			if strings.Contains(labels(ts.Labels), fmt.Sprintf("__name__=%q", m.refuses)) {
				refused++
				continue
			}
			rest = append(rest, ts)
		}
		series = rest
		content, err := (&prompb.WriteRequest{Timeseries: rest}).Marshal()
		if err != nil {
			return err
		}
		body = snappy.Encode(nil, content)
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, b.prometheus+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = r.Header.Clone()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	switch {
	case response.StatusCode/100 != 2:
		b.refused.add(series)
		b.refusedRequests.Add(1)
	case refused > 0:
		b.taken.add(series)
		http.Error(w, "some series are not taken", http.StatusBadRequest)
		return nil
	default:
		b.taken.add(series)
	}
	if m.mute {
		b.unanswered.Add(1)
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(response.StatusCode)
	_, err = w.Write(answer)
	return err
}

// decode reads a request of remote write or of OTLP.
func decode(r *http.Request, body []byte) ([]prompb.TimeSeries, error) {
	if strings.HasSuffix(r.URL.Path, "/write") {
		content, err := snappy.Decode(nil, body)
		if err != nil {
			return nil, err
		}
		var request prompb.WriteRequest
		err = request.Unmarshal(content)
		return request.Timeseries, err
	}
	if r.Header.Get("Content-Encoding") == "gzip" {
		unzipped, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if body, err = io.ReadAll(unzipped); err != nil {
			return nil, err
		}
	}
	request := pmetricotlp.NewExportRequest()
	if err := request.UnmarshalProto(body); err != nil {
		return nil, err
	}
	return seriesOf(request.Metrics())
}

// recorder takes what the exporters of a collector are given.
type recorder struct {
	url   string
	given *samples
}

func newRecorder(t *testing.T) *recorder {
	t.Helper()
	r := &recorder{given: newSamples()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.url = "http://" + listener.Addr().String()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err == nil {
			var series []prompb.TimeSeries
			if series, err = decode(request, body); err == nil {
				r.given.add(series)
				return
			}
		}
		http.Error(w, err.Error(), http.StatusBadRequest)
	})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("recorder: %v", err)
		}
	})
	return r
}
