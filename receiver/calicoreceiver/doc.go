// Package calicoreceiver finds the components of Calico in a Kubernetes cluster, scrapes their metrics, and reports Calico's IP pools.
package calicoreceiver

//go:generate go tool mdatagen metadata.yaml
