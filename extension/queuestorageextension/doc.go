//go:generate go tool mdatagen metadata.yaml

// Package queuestorageextension stands between persistent sending queues and the file storage. It has a queue go on after a restart in the order that
// it was in, where the queue by itself moves what it was sending when it ended behind all that waits, and a backend that takes samples in order
// alone then refuses that. And it sets a damaged file aside, which would end the process each time that it starts.
package queuestorageextension // import "github.com/otelcol-calico/otelcol-calico/extension/queuestorageextension"
