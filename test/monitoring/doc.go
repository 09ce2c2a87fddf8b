// Package monitoring shows, in the lab, that no query of the alerts and dashboards in monitoring/ is empty or invented, and that alerts
// fire by what they are about.
package monitoring
