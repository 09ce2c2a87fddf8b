package discovery

import (
	"cmp"
	"strconv"
	"strings"
)

// operatorServer reads the operator's environment, which is all that its metrics are configured by (cmd/metrics.go and cmd/main.go of tigera/operator).
// Two generations of the operator read it in different ways:
//   - since 1.43, METRICS_ENABLED=true switches metrics on, at port 9484 or METRICS_PORT, with TLS where METRICS_SCHEME is https;
//   - before, METRICS_PORT or METRICS_HOST does, the latter alone at port 8484, and there is no TLS.
//
// The pod does not say which one it runs, so whoever set METRICS_ENABLED or METRICS_SCHEME is taken to know the newer one. METRICS_PORT or METRICS_HOST
// alone is taken for the older: it was set so that metrics are served, and if a newer operator serves none, the target that cannot be reached shows it.
// The other guess would never scrape what an older operator does serve.
func operatorServer(c Container) metricsServer {
	enabled, scheme := c.variable(envMetricsEnabled), c.variable(envMetricsScheme)
	host, port := c.variable(envMetricsHost), c.variable(envMetricsPort)
	clientAuth := c.variable(envMetricsClientAuth)
	if missing := cmp.Or(enabled.Unreadable, scheme.Unreadable, host.Unreadable, port.Unreadable, clientAuth.Unreadable); missing != "" {
		return metricsServer{missing: missing}
	}
	s := metricsServer{
		host: strings.Trim(host.Value, "[]"), // the operator puts its parts together itself, so an IPv6 address has to bring its brackets along
		port: operatorDefaultPort,
	}
	switch newer := enabled.Value != "" || scheme.Value != ""; {
	case newer && !strings.EqualFold(enabled.Value, "true"):
		return metricsServer{offBy: envMetricsEnabled, why: envMetricsEnabled + " is " + strconv.Quote(enabled.Value)}
	case newer:
		s.https = strings.EqualFold(scheme.Value, "https")
		s.clientCertificate = s.https && operatorAsksForCertificate(clientAuth.Value)
	case host.Value == "" && port.Value == "":
		return metricsServer{offBy: envMetricsEnabled, why: envMetricsEnabled + " is not set"}
	default:
		s.port = operatorOldDefaultPort
	}
	if port.Value != "" {
		number, err := strconv.ParseInt(port.Value, 10, 64)
		if err != nil || !validPort(number) {
			return metricsServer{offBy: envMetricsPort, why: envMetricsPort + " is " + strconv.Quote(port.Value)}
		}
		s.port = number
	}
	return s
}

// operatorAsksForCertificate reads METRICS_CLIENT_AUTH. Unlike Felix and Typha the operator asks for a certificate unless told otherwise
// (ParseClientAuthType in pkg/tls/tls.go of tigera/operator), and does not start with a value that it does not know.
func operatorAsksForCertificate(raw string) bool {
	asks, known := parseClientAuth(raw)
	return asks || !known
}
