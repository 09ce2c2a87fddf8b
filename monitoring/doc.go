// Package monitoring has the tests of what this folder publishes: alerts, their promtool tests and runbooks, and dashboards. Each is compared with the
// metrics that exist (metrics.yaml, and the metadata.yaml of the components), with the mixin that it is rendered from, and with the rules in these tests.
package monitoring
