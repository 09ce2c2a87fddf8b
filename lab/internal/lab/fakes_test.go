package lab

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/build"
)

const (
	fakeLastWords = "no space left on device"
	// healthyMarker beside the programs lets the fakes serve until they are asked to end.
	healthyMarker = "healthy"
)

// TestMain also makes the test binary the programs of a lab, by the name that it is called by.
func TestMain(m *testing.M) {
	_, err := os.Stat(filepath.Join(filepath.Dir(os.Args[0]), healthyMarker))
	healthy := err == nil
	switch program := filepath.Base(os.Args[0]); {
	case program == partEtcd && healthy:
		serveUntilTerm(hostOf(flagValue("--listen-client-urls")), "", "")
	case program == partAPIServer && healthy:
		serveUntilTerm("127.0.0.1:"+flagValue("--secure-port"), flagValue("--tls-cert-file"), flagValue("--tls-private-key-file"))
	case program == partPrometheus && healthy:
		serveUntilTerm(flagValue("--web.listen-address"), "", "")
	case program == partEtcd:
		dyingEtcd()
	case program == partAPIServer, program == partPrometheus:
		<-terminated()
	default:
		goleak.VerifyTestMain(m)
	}
}

// fakePrograms makes the test binary all programs in bin.
func fakePrograms(t *testing.T, bin string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	for _, program := range build.Programs() {
		path := filepath.Join(bin, program)
		if err := os.Remove(path); err != nil {
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
		require.NoError(t, os.Symlink(self, path))
	}
}

// flagValue is the value of a flag of this process, as in --flag=value or as in --flag value.
func flagValue(flag string) string {
	for i, argument := range os.Args {
		if value, found := strings.CutPrefix(argument, flag+"="); found {
			return value
		}
		if argument == flag && i+1 < len(os.Args) {
			return os.Args[i+1]
		}
	}
	return ""
}

func hostOf(text string) string {
	address, err := url.Parse(text)
	if err != nil {
		os.Exit(1)
	}
	return address.Host
}

func terminated() <-chan os.Signal {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	return signals
}

// serveUntilTerm answers whatever it is asked with an object that has no fields.
func serveUntilTerm(address, certificate, key string) {
	signals := terminated()
	listener, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{})
	})}
	go func() {
		if certificate == "" {
			_ = server.Serve(listener)
		} else {
			_ = server.ServeTLS(listener, certificate, key)
		}
	}()
	<-signals
	_ = server.Close()
}

// dyingEtcd makes its data directory, says once that it is ready, and dies.
func dyingEtcd() {
	if err := os.MkdirAll(flagValue("--data-dir"), 0o700); err != nil {
		os.Exit(1)
	}
	asked := make(chan struct{}, 1)
	server := &http.Server{Addr: hostOf(flagValue("--listen-client-urls")), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		select {
		case asked <- struct{}{}:
		default:
		}
	})}
	go func() { _ = server.ListenAndServe() }()
	<-asked
	_ = server.Shutdown(context.Background())
	fmt.Println(fakeLastWords)
	os.Exit(1)
}
