package grpcearlyauthextension

import (
	"context"
	"errors"
	"fmt"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/configauth"
	"go.opentelemetry.io/collector/extension"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.opentelemetry.io/collector/extension/extensioncapabilities"
	"go.opentelemetry.io/collector/extension/extensionmiddleware"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// maxHeaderListSize is what the headers of a call may take, in bytes. They are what is still read of those who may send nothing, and gRPC takes 16 MiB.
const maxHeaderListSize = 64 << 10

// earlyAuth has another extension authenticate calls before gRPC begins them.
type earlyAuth struct {
	config *Config
	server extensionauth.Server
}

var (
	_ extension.Extension             = (*earlyAuth)(nil)
	_ extensionmiddleware.GRPCServer  = (*earlyAuth)(nil)
	_ extensioncapabilities.Dependent = (*earlyAuth)(nil)
)

// Dependencies has the authenticator start first.
func (e *earlyAuth) Dependencies() []component.ID { return []component.ID{e.config.Authenticator} }

func (e *earlyAuth) Start(ctx context.Context, host component.Host) (err error) {
	named := configauth.Config{AuthenticatorID: e.config.Authenticator}
	if e.server, err = named.GetServerAuthenticator(ctx, host.GetExtensions()); err != nil {
		return fmt.Errorf("authenticator: %w", err)
	}
	return nil
}

func (*earlyAuth) Shutdown(context.Context) error { return nil }

// GetGRPCServerOptions is called by a receiver when it starts, which is after all extensions.
func (e *earlyAuth) GetGRPCServerOptions(context.Context) ([]grpc.ServerOption, error) {
	if e.server == nil {
		return nil, errors.New("the extension has not started")
	}
	return []grpc.ServerOption{
		grpc.MaxHeaderListSize(maxHeaderListSize),
		grpc.InTapHandle(e.authenticate),
		grpc.StatsHandler(connections{}),
	}, nil
}

// authenticate is called with the headers of a call, before anything of its message is read. A call that is refused gets the status that the Collector would
// give it.
func (e *earlyAuth) authenticate(ctx context.Context, call *tap.Info) (context.Context, error) {
	ctx, err := e.server.Authenticate(timeless{ctx}, call.Header)
	if err == nil {
		return ctx, nil
	}
	if s, ok := status.FromError(err); ok {
		return ctx, s.Err()
	}
	return ctx, status.Error(codes.Unauthenticated, err.Error())
}
