package grpcearlyauthextension

import (
	"context"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/basicauthextension"
	"github.com/open-telemetry/opentelemetry-collector-contrib/extension/bearertokenauthextension"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensiontest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/mem"
	grpcmetadata "google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/otelcol-calico/otelcol-calico/extension/grpcearlyauthextension/internal/metadata"
)

const (
	method   = "/test/Take"
	right    = "Bearer right"
	patience = 5 * time.Second
)

var authenticatorID = component.MustNewIDWithName("bearertokenauth", "agents")

// host has the extensions that it is given.
type host struct {
	component.Host
	extensions map[component.ID]component.Component
}

func (h host) GetExtensions() map[component.ID]component.Component { return h.extensions }

// started is an extension that has started among others.
func started(t *testing.T, factory extension.Factory, cfg component.Config, others map[component.ID]component.Component) extension.Extension {
	t.Helper()
	e, err := factory.Create(t.Context(), extensiontest.NewNopSettings(factory.Type()), cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), host{componenttest.NewNopHost(), others}))
	t.Cleanup(func() { require.NoError(t, e.Shutdown(context.Background())) })
	return e
}

func bearer(t *testing.T) component.Component {
	t.Helper()
	factory := bearertokenauthextension.NewFactory()
	config := factory.CreateDefaultConfig().(*bearertokenauthextension.Config)
	config.BearerToken = "right"
	return started(t, factory, config, nil)
}

func basic(t *testing.T) component.Component {
	t.Helper()
	factory := basicauthextension.NewFactory()
	config := factory.CreateDefaultConfig().(*basicauthextension.Config)
	// Of "password".
	config.Htpasswd = &basicauthextension.HtpasswdSettings{Inline: "user:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="}
	return started(t, factory, config, nil)
}

// server is a gRPC server that counts what it decodes, with a client of it.
type server struct {
	*grpc.ClientConn
	decoded atomic.Int64
	// handle is what it does with a call.
	handle func(context.Context) error
}

func newServer(t *testing.T, authenticator component.Component) *server {
	t.Helper()
	s := &server{handle: func(context.Context) error { return nil }}
	e := started(t, NewFactory(), &Config{Authenticator: authenticatorID}, map[component.ID]component.Component{authenticatorID: authenticator})
	options, err := e.(*earlyAuth).GetGRPCServerOptions(t.Context())
	require.NoError(t, err)
	serving := grpc.NewServer(append(options, grpc.ForceServerCodecV2(codec{decoded: &s.decoded}))...)
	serving.RegisterService(&grpc.ServiceDesc{
		ServiceName: "test", HandlerType: (*any)(nil),
		Methods: []grpc.MethodDesc{{MethodName: "Take", Handler: func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			if err := decode(nil); err != nil {
				return nil, err
			}
			return nil, s.handle(ctx)
		}}},
	}, nil)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", filepath.Join(t.TempDir(), "grpc"))
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- serving.Serve(listener) }()
	s.ClientConn, err = grpc.NewClient("unix:"+listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(codec{decoded: new(atomic.Int64)})))
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, s.Close())
		serving.Stop()
		require.NoError(t, <-done)
	})
	return s
}

// take calls the server with some headers.
func (s *server) take(ctx context.Context, headers ...string) error {
	return s.Invoke(grpcmetadata.AppendToOutgoingContext(ctx, headers...), method, nil, nil)
}

// codec counts the messages that it decodes.
type codec struct{ decoded *atomic.Int64 }

func (codec) Name() string { return "counting" }
func (codec) Marshal(any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer("message")}, nil
}
func (c codec) Unmarshal(mem.BufferSlice, any) error {
	c.decoded.Add(1)
	return nil
}

func TestAMessageIsDecodedOnlyIfItsHeadersAreRight(t *testing.T) {
	for _, test := range []struct {
		name          string
		authenticator func(*testing.T) component.Component
		headers       []string
		want          codes.Code
		decoded       int64
	}{
		{"the right token", bearer, []string{"authorization", right}, codes.OK, 1},
		{"another token", bearer, []string{"authorization", "Bearer wrong"}, codes.Unauthenticated, 0},
		{"no token", bearer, nil, codes.Unauthenticated, 0},
		{"the right password", basic, []string{"authorization", "Basic dXNlcjpwYXNzd29yZA=="}, codes.OK, 1},
		{"another password", basic, []string{"authorization", "Basic dXNlcjpvdGhlcg=="}, codes.Unauthenticated, 0},
		{"a status of the authenticator's own", busy, nil, codes.Unavailable, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, test.authenticator(t))
			err := s.take(t.Context(), test.headers...)
			require.Equal(t, test.want, status.Code(err), "%v", err)
			require.Equal(t, test.decoded, s.decoded.Load())
		})
	}
}

func TestACallThatIsRefusedLeavesTheConnectionToOthers(t *testing.T) {
	s := newServer(t, bearer(t))
	for range 3 {
		require.Equal(t, codes.Unauthenticated, status.Code(s.take(t.Context())))
		require.NoError(t, s.take(t.Context(), "authorization", right))
	}
	require.EqualValues(t, 3, s.decoded.Load())
}

// unavailable is an authenticator that cannot say who is right.
type unavailable struct{ extension.Extension }

func (unavailable) Authenticate(ctx context.Context, _ map[string][]string) (context.Context, error) {
	return ctx, status.Error(codes.Unavailable, "busy")
}

func busy(*testing.T) component.Component { return unavailable{} }

func TestWhatHandlesACallHasTheContextOfTheAuthenticatorAndEndsAtTheTimeout(t *testing.T) {
	s := newServer(t, named{})
	ended := make(chan error, 1)
	s.handle = func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); ok || ctx.Value(named{}) != "agent" {
			return status.Error(codes.Internal, "another context")
		}
		<-ctx.Done()
		ended <- ctx.Err()
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.take(ctx)
	require.Equal(t, codes.DeadlineExceeded, status.Code(err), "%v", err)
	select {
	case err := <-ended:
		require.Error(t, err)
	case <-time.After(patience):
		t.Fatal("the call goes on beyond its timeout")
	}
}

// named is an authenticator that says who calls.
type named struct{ extension.Extension }

func (named) Authenticate(ctx context.Context, _ map[string][]string) (context.Context, error) {
	return context.WithValue(ctx, named{}, "agent"), nil
}

// A timer that gRPC does not stop would keep three objects of each call until its timeout.
func TestCallsThatAreRefusedLeaveNothingBehind(t *testing.T) {
	s := newServer(t, bearer(t))
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	refuse := func(times int) uint64 {
		for range times {
			require.Equal(t, codes.Unauthenticated, status.Code(s.take(ctx)))
		}
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapObjects
	}
	const calls = 5000
	before := refuse(100)
	after := refuse(calls)
	t.Logf("%d objects before, %d after", before, after)
	require.Less(t, after, before+calls)
}

func TestHeadersAreBounded(t *testing.T) {
	s := newServer(t, bearer(t))
	require.NoError(t, s.take(t.Context(), "authorization", right, "long", strings.Repeat("x", maxHeaderListSize/2)))
	err := s.take(t.Context(), "authorization", right, "long", strings.Repeat("x", maxHeaderListSize))
	require.Error(t, err)
	require.EqualValues(t, 1, s.decoded.Load())
}

func TestAnAuthenticatorThatIsNoneIsAnErrorThatNamesTheKey(t *testing.T) {
	require.EqualError(t, (&Config{}).Validate(), "authenticator: is required, as in bearertokenauth")
	for want, extensions := range map[string]map[component.ID]component.Component{
		`authenticator: failed to resolve authenticator "bearertokenauth/agents": authenticator not found`: {},
		"authenticator: requested authenticator is not a server authenticator":                             {authenticatorID: struct{ component.Component }{}},
	} {
		e, err := NewFactory().Create(t.Context(), extensiontest.NewNopSettings(metadata.Type), &Config{Authenticator: authenticatorID})
		require.NoError(t, err)
		require.EqualError(t, e.Start(t.Context(), host{extensions: extensions}), want)
		_, err = e.(*earlyAuth).GetGRPCServerOptions(t.Context())
		require.EqualError(t, err, "the extension has not started")
	}
}
