package grpcearlyauthextension

import (
	"context"
	"time"

	"google.golang.org/grpc/stats"
)

// gRPC (v1.85 and before) makes the context of a call WithTimeout before it asks the tap, and does not cancel it if that refuses the call. Its timer then stays
// as long as the client says, which may be years, and with it the connection. Under a context whose deadline has passed WithTimeout makes no timer.

// connections gives the contexts of connections a deadline that has passed. It is a stats.Handler because these are asked for the context of a connection.
type connections struct{}

var _ stats.Handler = connections{}

func (connections) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context {
	return past{ctx}
}
func (connections) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }
func (connections) HandleConn(context.Context, stats.ConnStats)                     {}
func (connections) HandleRPC(context.Context, stats.RPCStats)                       {}

// past is a context that does not end, with a deadline that has passed.
type past struct{ context.Context }

func (past) Deadline() (time.Time, bool) { return time.Time{}, true }

// timeless hides that deadline from what handles a call. gRPC still ends the call at its timeout, by a timer that it has for calls that are not refused.
type timeless struct{ context.Context }

func (timeless) Deadline() (time.Time, bool) { return time.Time{}, false }
