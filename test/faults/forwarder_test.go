//go:build e2e

package faults

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// forwarder passes connections on to a server, and can be cut: for its clients the server is away then, and keeps what it has.
type forwarder struct {
	address, target string

	mu          sync.Mutex
	listener    net.Listener // nil while it is cut
	connections map[net.Conn]bool
	running     sync.WaitGroup
}

// newForwarder starts one, which ends with the test.
func newForwarder(t *testing.T, target string) *forwarder {
	t.Helper()
	return newForwarderAt(t, "127.0.0.1", target)
}

// newForwarderAt starts one that listens on another address of this machine.
func newForwarderAt(t *testing.T, host, target string) *forwarder {
	t.Helper()
	f := &forwarder{address: net.JoinHostPort(host, "0"), target: target, connections: map[net.Conn]bool{}}
	f.heal(t)
	t.Cleanup(f.cut)
	return f
}

// cut ends all connections and takes no more.
func (f *forwarder) cut() {
	f.mu.Lock()
	if f.listener != nil {
		_ = f.listener.Close()
		f.listener = nil
	}
	for c := range f.connections {
		_ = c.Close()
	}
	f.mu.Unlock()
	f.running.Wait()
}

// heal takes connections again, where it did.
func (f *forwarder) heal(t *testing.T) {
	t.Helper()
	var listener net.Listener
	require.Eventually(t, func() bool {
		var err error
		listener, err = net.Listen("tcp", f.address)
		return err == nil
	}, patience, poll)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.address, f.listener = listener.Addr().String(), listener
	f.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // it is cut
			}
			f.running.Go(func() { f.pass(client, listener) })
		}
	})
}

// pass copies both ways until one of them ends.
func (f *forwarder) pass(client net.Conn, of net.Listener) {
	server, err := net.Dial("tcp", f.target)
	if err != nil {
		_ = client.Close()
		return
	}
	ends := []net.Conn{client, server}
	f.mu.Lock()
	cut := f.listener != of
	for _, c := range ends {
		f.connections[c] = true
	}
	f.mu.Unlock()
	if !cut {
		var copies sync.WaitGroup
		for i, to := range ends {
			copies.Go(func() {
				_, _ = io.Copy(to, ends[1-i])
				for _, c := range ends {
					_ = c.Close()
				}
			})
		}
		copies.Wait()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range ends {
		_ = c.Close()
		delete(f.connections, c)
	}
}
