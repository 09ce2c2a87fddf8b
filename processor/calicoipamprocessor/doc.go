//go:generate go tool mdatagen metadata.yaml

// Package calicoipamprocessor computes how full Calico's IP pools are, and how many addresses are left,
// from the ipam_* metrics of kube-controllers or of the calico receiver. It passes its input on untouched and adds its own points to it.
package calicoipamprocessor // import "github.com/otelcol-calico/otelcol-calico/processor/calicoipamprocessor"
