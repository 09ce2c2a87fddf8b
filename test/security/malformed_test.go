//go:build e2e

package security

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// maxMessage is what configs/gateway.yaml takes, max_recv_msg_size_mib and max_request_body_size, in bytes.
const maxMessage = 4 << 20

const exportMethod = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

func TestMalformedRequestsAreRefusedAndTheGatewayGoesOn(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	valid := new(bytes.Buffer)
	_, err := encoded(t, "malformed").WriteTo(valid)
	require.NoError(t, err)
	halfOfAGzip := compressed(t, valid.Bytes())
	halfOfAGzip = halfOfAGzip[:len(halfOfAGzip)/2]
	for _, test := range []struct {
		name    string
		body    []byte
		headers []string
		want    int
	}{
		{"noise", []byte("\xff\xfe\xfd no protobuf"), nil, http.StatusBadRequest},
		{"half of a request", valid.Bytes()[:valid.Len()/2], nil, http.StatusBadRequest},
		{"a length beyond the end", []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x07}, nil, http.StatusBadRequest},
		{"a negative length", append([]byte{0x0a}, binary.AppendUvarint(nil, 1<<63)...), nil, http.StatusBadRequest},
		{"JSON that is none", []byte(`{"resourceMetrics":[{`), []string{"Content-Type", "application/json"}, http.StatusBadRequest},
		{"JSON of other types", []byte(`{"resourceMetrics":"all"}`), []string{"Content-Type", "application/json"}, http.StatusBadRequest},
		{"gzip that is none", valid.Bytes(), []string{"Content-Encoding", "gzip"}, http.StatusBadRequest},
		{"half of a gzip", halfOfAGzip, []string{"Content-Encoding", "gzip"}, http.StatusBadRequest},
		{"a compression that is none", valid.Bytes(), []string{"Content-Encoding", "zip"}, http.StatusBadRequest},
		{"another type", valid.Bytes(), []string{"Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := append([]string{"Authorization", g.authorization()}, test.headers...)
			code, answer, err := g.post(t, g.authority.Trust(), bytes.NewReader(test.body), headers...)
			require.NoError(t, err)
			require.Equal(t, test.want, code, answer)
		})
	}
	t.Run("noise over gRPC", func(t *testing.T) {
		err := g.invoke(t, g.authorization(), []byte("\xff\xfe\xfd no protobuf"))
		require.Equal(t, codes.Internal, status.Code(err), "%v", err)
		err = g.invoke(t, "", []byte("\xff\xfe\xfd no protobuf"))
		require.Equal(t, codes.Unauthenticated, status.Code(err), "it is not looked at without the token: %v", err)
	})
	g.serves(t, "after_malformed")
	require.Empty(t, g.backend.got("malformed"))
}

func TestNestedRequestsAreDecodedWithTheTokenAloneAndSurvived(t *testing.T) {
	t.Parallel()
	g := newGateway(t, nil)
	before, _ := g.Memory(t)
	message := nested(maxMessage - 1024)
	for range 5 {
		err := g.invoke(t, "", message)
		require.Equal(t, codes.Unauthenticated, status.Code(err), "%v", err)
		code, _, err := g.post(t, g.authority.Trust(), bytes.NewReader(message))
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, code)
	}
	_, peak := g.Memory(t)
	t.Logf("without the token: %d MiB before, %d at most", before>>20, peak>>20)
	require.Less(t, peak-before, little)

	// Decoding takes a level of the stack for each.
	require.NoError(t, g.invoke(t, g.authorization(), message))
	code, _, err := g.post(t, g.authority.Trust(), bytes.NewReader(message), "Authorization", g.authorization())
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, code)
	_, peak = g.Memory(t)
	t.Logf("with it: %d MiB at most", peak>>20)
	require.Less(t, peak-before, 1<<30)
	g.serves(t, "after_nested")
}

// nested is a request whose attribute is an array in an array, and so on, as deep as the size allows.
func nested(size int) []byte {
	// Written from the end, so that each length is known.
	buf := make([]byte, size+64)
	at := len(buf)
	wrap := func(tag byte) {
		length := binary.AppendUvarint([]byte{tag}, uint64(len(buf)-at))
		at -= len(length)
		copy(buf[at:], length)
	}
	for len(buf)-at < size {
		wrap(0x0a) // ArrayValue.values
		wrap(0x2a) // AnyValue.array_value
	}
	wrap(0x12) // KeyValue.value
	wrap(0x0a) // Resource.attributes
	wrap(0x0a) // ResourceMetrics.resource
	wrap(0x0a) // ExportMetricsServiceRequest.resource_metrics
	return buf[at:]
}

// invoke sends bytes in the place of a message over gRPC, with an authorization if there is one.
func (g *gateway) invoke(t *testing.T, authorization string, message []byte, options ...grpc.CallOption) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", authorization)
	}
	connection, err := grpc.NewClient("dns:///"+g.grpc, grpc.WithTransportCredentials(credentials.NewTLS(g.authority.Trust())))
	require.NoError(t, err)
	defer func() { _ = connection.Close() }()
	return connection.Invoke(ctx, exportMethod, message, new([]byte), append(options, grpc.ForceCodec(raw{}))...)
}

// raw is a codec that passes bytes on as they are.
type raw struct{}

func (raw) Marshal(v any) ([]byte, error) { return v.([]byte), nil }
func (raw) Name() string                  { return "proto" }
func (raw) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = data
	return nil
}

func compressed(t *testing.T, content []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return buf.Bytes()
}
