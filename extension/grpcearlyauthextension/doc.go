//go:generate go tool mdatagen metadata.yaml

// Package grpcearlyauthextension has a gRPC server authenticate a call when it has its headers. By itself the Collector does so once it has the whole
// message, decompressed and decoded, so that those who may send nothing can have it keep and decode what they like.
package grpcearlyauthextension // import "github.com/otelcol-calico/otelcol-calico/extension/grpcearlyauthextension"
