// Package faults breaks what is around a collector, and counts what arrives.
//
// A collector scrapes components of Calico once a second. What its exporters are given it also gives to a recorder in the test, at once; a backend in front
// of a real Prometheus counts what it passes on, and misbehaves as told. After each fault every sample of the recorder is looked for in Prometheus.
package faults
