// Package calicoreceiver finds the components of Calico in a Kubernetes cluster, scrapes their metrics, and keeps account of Calico's
// addresses.
package calicoreceiver

//go:generate go tool mdatagen metadata.yaml
