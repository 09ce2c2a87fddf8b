// Package e2e tests the distribution against a real Calico cluster: the programs of lab/, the binary of distribution/ and a real Prometheus.
// Its tests have the build tag e2e; `make e2e` builds what they need and runs them.
package e2e
