//go:build e2e

package security

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
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
			err := g.invoke(t, make([]byte, test.size), append(test.options, grpc.MaxCallSendMsgSize(decompressed))...)
			require.Equal(t, codes.ResourceExhausted, status.Code(err), "%v", err)
		})
	}
	_, peak := g.Memory(t)
	t.Logf("%d MiB before, %d at most", before>>20, peak>>20)
	require.Less(t, peak-before, room)
	g.serves(t, "after_oversize")
}

// gRPC hands a message to authentication when it has all of it, so that those who have no token can have the gateway keep what they send, within limits.
func TestWhatIsKeptOfRequestsWithoutATokenIsBounded(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	before, _ := g.Memory(t)
	const streams = 30
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: g.authority.Trust(), ForceAttemptHTTP2: true}}
	sent := make(chan struct{}, streams)
	for range streams {
		// All of a message but the last byte, for which the gateway waits.
		message := io.MultiReader(bytes.NewReader(frame(maxMessage)), bytes.NewReader(make([]byte, maxMessage-1)), &silence{ctx, sent})
		call := g.call(ctx, t, message)
		go func() {
			response, err := client.Do(call)
			if err == nil {
				_ = response.Body.Close()
			}
		}()
	}
	for range streams {
		select {
		case <-sent:
		case <-t.Context().Done():
		}
	}
	g.serves(t, "meanwhile")
	_, peak := g.Memory(t)
	t.Logf("%d MiB before, %d at most with %d messages of %d MiB", before>>20, peak>>20, streams, maxMessage>>20)
	require.Less(t, peak-before, streams*maxMessage*2+room)
	cancel()
	g.serves(t, "afterwards")
}

// heap is what the Go runtime has handed out, used or not.
var heap = regexp.MustCompile(`(?m)^otelcol_process_runtime_heap_alloc_bytes.*$`)

// As much as a decoder of zstd takes for a window is taken before the token is looked at; gRPC has no limit of its own.
func TestAWindowOfZstdOverGRPCIsSurvived(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	before, _ := g.Memory(t)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: g.authority.Trust(), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	for range 5 {
		message := zstdBomb()
		head := frame(uint32(len(message)))
		head[0] = 1 // compressed
		call := g.call(t.Context(), t, io.MultiReader(bytes.NewReader(head), bytes.NewReader(message)))
		call.Header.Set("grpc-encoding", "zstd")
		response, err := client.Do(call)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		trailer := response.Trailer.Get("grpc-status") + response.Header.Get("grpc-status")
		require.Equal(t, strconv.Itoa(int(codes.ResourceExhausted)), trailer)
	}
	now, peak := g.Memory(t)
	_, metrics, err := get("http://localhost:" + g.telemetry + "/metrics")
	require.NoError(t, err)
	t.Logf("%d MiB before, %d now, %d at most, and by the count of memory_limiter %s bytes", before>>20, now>>20, peak>>20, heap.FindString(metrics))
	require.Less(t, peak-before, 2<<30)
	g.serves(t, "after_zstd")
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

// call is a request of gRPC whose message is what a reader has, without a token.
func (g *gateway) call(ctx context.Context, t *testing.T, message io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+g.grpc+exportMethod, message)
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/grpc")
	request.Header.Set("TE", "trailers")
	return request
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
