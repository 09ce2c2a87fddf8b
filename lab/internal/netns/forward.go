package netns

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

const (
	forwardConnections = 64
	dialTimeout        = 5 * time.Second
	acceptPause        = 100 * time.Millisecond
)

// Forwarder carries TCP connections from the host's end of a link to a loopback address.
type Forwarder struct {
	listener net.Listener
	target   string
	slots    chan struct{}
	running  sync.WaitGroup

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	done   chan struct{}
}

// NewForwarder listens on a free port of host and forwards to target until Close.
func NewForwarder(host, target string) (*Forwarder, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("listen for connections to forward: %w", err)
	}
	f := &Forwarder{listener: listener, target: target, slots: make(chan struct{}, forwardConnections), open: map[net.Conn]struct{}{}, done: make(chan struct{})}
	f.running.Add(1)
	go f.accept()
	return f, nil
}

// Address is where the forwarder listens.
func (f *Forwarder) Address() string { return f.listener.Addr().String() }

// Close ends all connections and waits until nothing of the forwarder runs. It must be called once.
func (f *Forwarder) Close() error {
	close(f.done)
	f.mu.Lock()
	f.closed = true
	for connection := range f.open {
		_ = connection.Close()
	}
	f.mu.Unlock()
	err := f.listener.Close()
	f.running.Wait()
	return err
}

func (f *Forwarder) accept() {
	defer f.running.Done()
	for {
		inbound, err := f.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			// Too many open files, perhaps: the client tries again, and so does this loop, but not without a pause.
			select {
			case <-f.done:
				return
			case <-time.After(acceptPause):
			}
			continue
		}
		select {
		case f.slots <- struct{}{}:
		default:
			_ = inbound.Close()
			continue
		}
		f.running.Add(1)
		go func() {
			defer f.running.Done()
			defer func() { <-f.slots }()
			f.carry(inbound)
		}()
	}
}

func (f *Forwarder) carry(inbound net.Conn) {
	defer inbound.Close()
	outbound, err := net.DialTimeout("tcp", f.target, dialTimeout)
	if err != nil {
		return
	}
	defer outbound.Close()
	if !f.track(inbound, outbound) {
		return
	}
	defer f.untrack(inbound, outbound)
	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		// One direction's end is both ends' end: neither API server nor Felix half-closes.
		_ = to.Close()
		_ = from.Close()
		done <- struct{}{}
	}
	go pipe(outbound, inbound)
	go pipe(inbound, outbound)
	<-done
	<-done
}

func (f *Forwarder) track(connections ...net.Conn) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return false
	}
	for _, connection := range connections {
		f.open[connection] = struct{}{}
	}
	return true
}

func (f *Forwarder) untrack(connections ...net.Conn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, connection := range connections {
		delete(f.open, connection)
	}
}
