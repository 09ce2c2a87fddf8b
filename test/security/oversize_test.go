//go:build e2e

package security

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
)

const (
	// decompressed is what a bomb becomes where nothing stops it.
	decompressed = 1 << 30
	// room is what a gateway may need beyond what it has at rest while it refuses one.
	room = 128 << 20
	// little is what it may need beyond that while it refuses what has no token: what connections take, and what is not collected yet.
	little = 48 << 20
	// unfinished is how many requests are left so.
	unfinished = 30
)

func TestOversizeRequestsAreRefusedWithinBounds(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	before, _ := g.Memory(t)
	for _, test := range []struct {
		name, encoding string
		body           []byte
	}{
		{"more than max_request_body_size", "", make([]byte, maxMessage+1)},
		{"gzip", "gzip", compressed(t, make([]byte, decompressed))},
		{"zstd", "zstd", zstdBomb()},
		{"deflate", "deflate", nil}, {"zlib", "zlib", nil}, {"snappy", "snappy", nil}, {"snappy in frames", "x-snappy-framed", nil}, {"lz4", "lz4", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			for range 3 {
				code, answer, err := g.post(t, g.authority.Trust(), bytes.NewReader(test.body),
					"Authorization", g.authorization(), "Content-Encoding", test.encoding)
				require.NoError(t, err)
				require.Equal(t, http.StatusBadRequest, code, answer)
			}
		})
	}
	for _, test := range []struct {
		name    string
		size    int
		options []grpc.CallOption
	}{
		{"more than max_recv_msg_size_mib over gRPC", maxMessage + 1, nil},
		{"gzip over gRPC", decompressed / 4, []grpc.CallOption{grpc.UseCompressor("gzip")}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := g.invoke(t, g.authorization(), make([]byte, test.size), append(test.options, grpc.MaxCallSendMsgSize(decompressed))...)
			require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
		})
	}
	_, peak := g.Memory(t)
	t.Logf("%d MiB before, %d at most", before>>20, peak>>20)
	require.Less(t, peak-before, room)
	g.serves(t, "after_oversize")
}

func TestNothingIsKeptOfRequestsWithoutTheToken(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	before, _ := g.Memory(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client := g.http2(t)
	for range unfinished {
		call := g.call(ctx, t, "", allButTheEnd(ctx, make(chan struct{}, 1)))
		require.Equal(t, codes.Unauthenticated, answer(t, client, call), "it is answered, though it does not end")
	}
	_, peak := g.Memory(t)
	t.Logf("%d MiB before, %d at most after %d messages of %d MiB without an end", before>>20, peak>>20, unfinished, maxMessage>>20)
	require.Less(t, peak-before, little)
	g.serves(t, "afterwards")
}

func TestWhatIsKeptOfRequestsWithTheTokenIsBounded(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	before, _ := g.Memory(t)
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	client := g.http2(t)
	sent := make(chan struct{}, unfinished)
	for range unfinished {
		call := g.call(ctx, t, g.authorization(), allButTheEnd(ctx, sent))
		go func() {
			response, err := client.Do(call)
			if err == nil {
				_ = response.Body.Close()
			}
		}()
	}
	for range unfinished {
		select {
		case <-sent:
		case <-time.After(patience):
			t.Fatal("a message is not taken")
		}
	}
	g.serves(t, "meanwhile")
	_, peak := g.Memory(t)
	t.Logf("%d MiB before, %d at most with %d messages of %d MiB", before>>20, peak>>20, unfinished, maxMessage>>20)
	require.Less(t, peak-before, unfinished*maxMessage*2+room)
	cancel()
	g.serves(t, "afterwards")
}

// allButTheEnd is all of a message but the last byte, for which the gateway waits. It tells when that is so.
func allButTheEnd(ctx context.Context, sent chan<- struct{}) io.Reader {
	return io.MultiReader(bytes.NewReader(frame(maxMessage)), bytes.NewReader(make([]byte, maxMessage-1)), &silence{ctx, sent})
}

// heap is what the Go runtime has handed out, used or not.
var heap = regexp.MustCompile(`(?m)^otelcol_process_runtime_heap_alloc_bytes\S* (\S+)$`)

// A decoder of zstd takes memory for as large a window as a frame asks for; gRPC has no limit of its own.
func TestAWindowOfZstdOverGRPCIsTakenWithTheTokenAloneAndSurvived(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		token bool
		want  codes.Code
		limit int
	}{
		{"without the token", false, codes.Unauthenticated, little},
		{"with the token", true, codes.ResourceExhausted, 2 << 30},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			g := newGateway(t, nil)
			before, _ := g.Memory(t)
			authorization := ""
			if test.token {
				authorization = g.authorization()
			}
			client := g.http2(t)
			for range 5 {
				message := zstdBomb()
				head := frame(uint32(len(message)))
				head[0] = 1 // compressed
				call := g.call(t.Context(), t, authorization, io.MultiReader(bytes.NewReader(head), bytes.NewReader(message)))
				call.Header.Set("grpc-encoding", "zstd")
				require.Equal(t, test.want, answer(t, client, call))
			}
			now, peak := g.Memory(t)
			_, metrics, err := get("http://localhost:" + g.telemetry + "/metrics")
			require.NoError(t, err)
			counted := heap.FindStringSubmatch(metrics)
			require.NotNil(t, counted)
			taken, err := strconv.ParseFloat(counted[1], 64)
			require.NoError(t, err)
			t.Logf("%d MiB before, %d now, %d at most, and by the count of memory_limiter %d", before>>20, now>>20, peak>>20, int(taken)>>20)
			require.Less(t, peak-before, test.limit)
			if !test.token {
				require.Less(t, int(taken), room)
			}
			g.serves(t, "after_zstd")
		})
	}
}

// Headers are read before it is known whose they are. Fields that cost the client a byte each take 40 bytes while they have no end.
func TestConnectionsWhoseHeadersHaveNoEndAreEnded(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	before, _ := g.Memory(t)
	config := g.authority.Trust()
	config.NextProtos = []string{"h2"}
	for range unfinished {
		connection, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", g.grpc)
		require.NoError(t, err)
		t.Cleanup(func() { _ = connection.Close() })
		require.NoError(t, connection.SetDeadline(time.Now().Add(patience)))
		_, err = io.WriteString(connection, http2.ClientPreface)
		require.NoError(t, err)
		framer := http2.NewFramer(connection, connection)
		require.NoError(t, framer.WriteSettings())
		const emptyAcceptCharset = 0x80 | 15
		fields := bytes.Repeat([]byte{emptyAcceptCharset}, 16<<10)
		err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: fields})
		for range 20 {
			if err != nil {
				break // the gateway has ended it already
			}
			err = framer.WriteContinuation(1, false, fields)
		}
		_, err = io.Copy(io.Discard, connection)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is not ended")
	}
	_, peak := g.Memory(t)
	t.Logf("%d MiB before, %d at most after %d connections", before>>20, peak>>20, unfinished)
	require.Less(t, peak-before, little)
	g.serves(t, "afterwards")
}

// silence tells when it is read first, and then lasts as long as its context.
type silence struct {
	ctx  context.Context
	read chan<- struct{}
}

func (s *silence) Read([]byte) (int, error) {
	s.read <- struct{}{}
	<-s.ctx.Done()
	return 0, s.ctx.Err()
}

// http2 is a client whose requests are on one connection.
func (g *gateway) http2(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: g.authority.Trust(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// call is a request of gRPC whose message is what a reader has, with an authorization if there is one.
func (g *gateway) call(ctx context.Context, t *testing.T, authorization string, message io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+g.grpc+exportMethod, message)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	return request
}

// answer is the status that a call of gRPC gets.
func answer(t *testing.T, client *http.Client, call *http.Request) codes.Code {
	t.Helper()
	response, err := client.Do(call)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	code, err := strconv.Atoi(response.Trailer.Get("grpc-status") + response.Header.Get("grpc-status"))
	require.NoError(t, err)
	return codes.Code(code)
}

// frame is the head of a message of gRPC that is not compressed.
func frame(length uint32) []byte { return binary.BigEndian.AppendUint32([]byte{0}, length) }

// zstdBomb is a frame that asks for the largest window that decoders take, 512 MiB, and has more zeros than a message may.
func zstdBomb() []byte {
	const (
		window    = 19 << 3 // 2^(10+19)
		rle       = 1 << 1
		blockSize = 128 << 10
	)
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, window}
	header := uint32(blockSize<<3 | rle)
	for range 2 * maxMessage / blockSize {
		frame = append(frame, byte(header), byte(header>>8), byte(header>>16), 0)
	}
	return frame
}
