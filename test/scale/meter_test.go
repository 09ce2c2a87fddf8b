//go:build e2e

package scale

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// link passes connections on to a server, and counts the bytes that clients send.
type link struct {
	address string
	sent    atomic.Int64
}

// newLink starts one, which ends with the test.
func newLink(t *testing.T, target string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	l := &link{address: listener.Addr().String()}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go l.pass(client, target)
		}
	}()
	return l
}

func (l *link) pass(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	_, _ = io.Copy(server, io.TeeReader(client, counter{&l.sent}))
}

// counter counts what is written to it.
type counter struct{ total *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.total.Add(int64(len(p)))
	return len(p), nil
}

// front stands before a backend, or is one that takes all if there is none, and counts the bytes of requests. It can be away.
type front struct {
	*httptest.Server
	away     atomic.Bool
	received atomic.Int64
}

func newFront(t *testing.T, backend string) *front {
	t.Helper()
	f := &front{}
	take := http.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	if backend != "" {
		target, err := url.Parse(backend)
		require.NoError(t, err)
		take = httputil.NewSingleHostReverseProxy(target)
	}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.away.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		f.received.Add(r.ContentLength)
		take.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// number is the sum of the series of the text format whose line begins so.
func number(t *testing.T, address, series string) (sum float64) {
	t.Helper()
	response, err := http.Get(address + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	found := false
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		text := lines.Text()
		if !strings.HasPrefix(text, series) {
			continue
		}
		value, err := strconv.ParseFloat(text[strings.LastIndexByte(text, ' ')+1:], 64)
		require.NoError(t, err)
		sum, found = sum+value, true
	}
	require.True(t, found, "%s has no %s", address, series)
	return sum
}

// fleet serves what a Felix served once as so many, each with an address of its own.
type fleet struct {
	port    string
	scrapes atomic.Int64
}

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f, content := &fleet{}, capture(t, "felix")
	// All addresses of loopback, and none beyond.
	loopback := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var bound error
		called := c.Control(func(fd uintptr) {
			bound = syscall.SetsockoptString(int(fd), syscall.SOL_SOCKET, syscall.SO_BINDTODEVICE, "lo")
		})
		return errors.Join(called, bound)
	}}
	listener, err := loopback.Listen(t.Context(), "tcp4", "0.0.0.0:0")
	require.NoError(t, err)
	_, f.port, err = net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		f.scrapes.Add(1)
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		_, _ = w.Write(content)
	})}}
	server.Start()
	t.Cleanup(server.Close)
	return f
}

// endpoints are the URLs of the first so many.
func (f *fleet) endpoints(count int) string {
	urls := make([]string, count)
	for i := range urls {
		urls[i] = fmt.Sprintf("http://127.1.%d.%d:%s/metrics", i/250, i%250+1, f.port)
	}
	return "[" + strings.Join(urls, ", ") + "]"
}

// pass lets time go by in which there are so many scrapes.
func (f *fleet) pass(t *testing.T, scrapes int) {
	t.Helper()
	until := f.scrapes.Load() + int64(scrapes)
	require.Eventually(t, func() bool { return f.scrapes.Load() >= until }, patience, poll, "scrapes go on")
}
