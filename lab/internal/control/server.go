package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	headerTimeout = 10 * time.Second
	// socketMode lets the lab's user alone connect.
	socketMode = 0o600
)

// Server answers on the socket of one lab.
type Server struct {
	dir string
	// cancel ends all requests, drain waits for them, and served is closed once nothing listens.
	cancel context.CancelFunc
	drain  func() error
	served chan struct{}
}

// Serve listens in dir, the state directory of a lab, until Close, whatever becomes of ctx.
func Serve(ctx context.Context, dir string, parts Parts) (*Server, error) {
	ctx = context.WithoutCancel(ctx)
	// A lab that was killed leaves its socket.
	if err := remove(dir); err != nil {
		return nil, err
	}
	listener, err := listen(ctx, dir)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+partsPath, func(w http.ResponseWriter, _ *http.Request) { answer(w, parts.Parts()) })
	for _, action := range []Action{Stop, Start, Restart} {
		mux.HandleFunc(fmt.Sprintf("POST %s/{name}/%s", partsPath, action), func(w http.ResponseWriter, r *http.Request) {
			handle(w, r, parts, action)
		})
	}
	requests, cancel := context.WithCancel(ctx)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, BaseContext: func(net.Listener) context.Context { return requests },
	}
	s := &Server{dir: dir, cancel: cancel, served: make(chan struct{}), drain: func() error { return server.Shutdown(ctx) }}
	go func() {
		defer close(s.served)
		_ = server.Serve(listener) // It ends by Close.
	}()
	return s, nil
}

func listen(ctx context.Context, dir string) (net.Listener, error) {
	opened, address, err := socket(dir)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	// The file gets the mode that the socket has when it is bound; a change afterwards would come late.
	config := net.ListenConfig{Control: func(_, _ string, connection syscall.RawConn) error {
		var chmodErr error
		err := connection.Control(func(descriptor uintptr) { chmodErr = unix.Fchmod(int(descriptor), socketMode) })
		return errors.Join(err, chmodErr)
	}}
	listener, err := config.Listen(ctx, "unix", address)
	if err != nil {
		return nil, fmt.Errorf("listen in the state directory: %w", err)
	}
	// By then the address means something else.
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	return listener, nil
}

func remove(dir string) error {
	if err := os.Remove(filepath.Join(dir, socketName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the socket: %w", err)
	}
	return nil
}

// Close ends all requests, waits until nothing of the server runs, and removes the socket.
func (s *Server) Close() error {
	s.cancel()
	err := s.drain()
	<-s.served
	return errors.Join(err, remove(s.dir))
}

func handle(w http.ResponseWriter, r *http.Request, parts Parts, action Action) {
	var wait time.Duration
	if text := r.FormValue(waitKey); text != "" {
		var err error
		if wait, err = time.ParseDuration(text); err != nil {
			http.Error(w, fmt.Sprintf("%s: %v", waitKey, err), http.StatusBadRequest)
			return
		}
	}
	changed, err := parts.Control(r.Context(), r.PathValue("name"), action, wait)
	switch {
	case errors.Is(err, ErrNoPart):
		http.Error(w, err.Error(), http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		answer(w, outcome{Changed: changed})
	}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	// An error means that nobody waits for the answer any more.
	_ = json.NewEncoder(w).Encode(value)
}
