//go:build e2e

package security

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// What configs/gateway.yaml says.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	// slack is what a busy machine may add.
	slack = 15 * time.Second
)

func TestClientsThatSendByteByByteAreEnded(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	head := func(authorization string) string {
		return fmt.Sprintf("POST /v1/metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100000\r\n\r\n", authorization)
	}
	for _, test := range []struct {
		name string
		tls  bool
		// first is sent at once, the rest byte by byte.
		first string
		limit time.Duration
		// answered is what is heard in the end.
		answered string
	}{
		{"a connection that does not begin", false, "", readHeaderTimeout, ""},
		{"a handshake of TLS", false, "\x16\x03\x01\x40\x00", readHeaderTimeout, ""},
		{"headers", true, "POST /v1/metrics HTTP/1.1\r\nX-Slow: ", readHeaderTimeout, ""},
		{"a body", true, head(g.authorization()), readTimeout, "400 Bad Request"},
		{"a body without the token", true, head("Bearer none"), readTimeout, "401 Unauthorized"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var connection net.Conn
			var err error
			if test.tls {
				connection = dialTLS(t, g.http, g.authority)
			} else {
				connection, err = (&net.Dialer{}).DialContext(t.Context(), "tcp", g.http)
				require.NoError(t, err)
				t.Cleanup(func() { _ = connection.Close() })
			}
			began := time.Now()
			_, err = io.WriteString(connection, test.first)
			require.NoError(t, err)
			answer := drip(t, connection, test.first != "", test.limit+slack)
			require.GreaterOrEqual(t, time.Since(began)+time.Second, test.limit, "not before the limit")
			require.Contains(t, answer, test.answered)
			t.Logf("ended after %s", time.Since(began).Round(time.Millisecond))
		})
	}
	t.Run("others are served meanwhile", func(t *testing.T) {
		g.serves(t, "meanwhile")
	})
}

// drip sends a byte now and then, and returns what is answered when the other side ends the connection, which it has to do within a limit.
func drip(t *testing.T, connection net.Conn, send bool, limit time.Duration) string {
	t.Helper()
	answered := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(connection) // it may be reset
		answered <- string(all)
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(limit)
	for {
		select {
		case answer := <-answered:
			return answer
		case <-deadline:
			t.Fatalf("the connection is still open after %s", limit)
		case <-tick.C:
			if send {
				_, _ = connection.Write([]byte("x")) // the other side may have ended
			}
		}
	}
}

// Of gRPC a connection ends at its age, whatever is sent on it. The configuration has minutes, the test seconds.
func TestASlowMessageOverGRPCEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	g := newGateway(t, []string{"yaml:receivers::otlp::protocols::grpc::keepalive::server_parameters: {max_connection_age: 3s, max_connection_age_grace: 2s}"})
	transport := &http.Transport{TLSClientConfig: g.authority.Trust(), ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second+slack)
	defer cancel()
	message, sender := io.Pipe()
	go func() {
		_, err := sender.Write(frame(maxMessage))
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for err == nil && ctx.Err() == nil {
			<-tick.C
			_, err = sender.Write([]byte{0})
		}
	}()
	response, err := (&http.Client{Transport: transport}).Do(g.call(ctx, t, g.authorization(), message))
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
	_ = message.Close()
	require.Error(t, err)
	require.NoError(t, ctx.Err(), "the gateway ends it, not the test")
	g.serves(t, "afterwards")
}
