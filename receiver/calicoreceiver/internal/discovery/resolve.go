package discovery

import (
	"cmp"
	"strconv"
	"strings"
)

// source is one place that parameters are set in.
type source struct {
	values values
	// spell names a parameter of this source for a reason, and where names the source for the log.
	spell func(parameter) string
	where string
}

// resolver finds effective values in sources, the strongest first.
type resolver struct {
	sources []source
	// unread is the right that is missing to read a weaker source than all of these; empty if there is none.
	unread string
	// spell names a parameter that no source sets.
	spell func(parameter) string
}

// setting is the effective value of a parameter.
type setting[T any] struct {
	value T
	// by names where the value is or can be set, and why says it in words.
	by, why string
	// missing is the right without which the value is not known; guessed is one without which it might be another.
	missing, guessed string
}

// resolve finds the effective value of a parameter as Felix does (Config.resolve in felix/config/config_params.go): the first source that
// names it decides; "none" is the zero value; a value that cannot be parsed falls back to the default, not to the next source.
func resolve[T any](r resolver, p parameter, parse func(string) (T, bool), fallback T) setting[T] {
	for _, s := range r.sources {
		raw, ok := s.values[strings.ToLower(string(p))]
		if !ok {
			continue
		}
		found := setting[T]{value: fallback, by: s.spell(p), why: string(p) + " is " + strconv.Quote(raw.text) + " in " + s.where, missing: raw.unreadable}
		if strings.EqualFold(raw.text, "none") {
			var zero T
			found.value = zero
		} else if value, ok := parse(raw.text); ok {
			found.value = value
		}
		return found
	}
	return setting[T]{value: fallback, by: r.spell(p), why: "nothing sets " + string(p), guessed: r.unread}
}

// server is the metrics server of Felix or Typha, which start it alike (felix/daemon/daemon.go, typha/pkg/daemon/daemon.go,
// libcalico-go/lib/metricsserver/metrics_server.go).
func (r resolver) server(defaultPort int64) metricsServer {
	enabled := resolve(r, paramEnabled, parseBool, false)
	if !enabled.value || enabled.missing != "" {
		return off("", enabled)
	}
	port, host := resolve(r, paramPort, parsePort, defaultPort), resolve(r, paramHost, parseHost, "")
	cert, key := resolve(r, paramCertFile, parseFile, ""), resolve(r, paramKeyFile, parseFile, "")
	if missing := cmp.Or(port.missing, host.missing, cert.missing, key.missing); missing != "" {
		return metricsServer{missing: missing}
	}
	if !validPort(port.value) {
		return off("the port would be chosen at random: ", port)
	}
	s := metricsServer{host: host.value, port: port.value, https: cert.value != "" || key.value != ""}
	if !s.https {
		return s
	}
	// Calico 3.32 loads all three before it listens, also where no certificate is asked of clients; older releases serve no TLS.
	for _, file := range []setting[string]{cert, key, resolve(r, paramCAFile, parseFile, "")} {
		if file.value == "" || file.missing != "" {
			return off("TLS takes a certificate, a key and a CA: ", file)
		}
	}
	clientAuth := resolve(r, paramClientAuth, parseClientAuth, false)
	s.missing, s.clientCertificate = clientAuth.missing, clientAuth.value
	return s
}

// off is a server that a setting keeps from being, if that is certain: a guess may lead to a scrape that fails, but hides nothing.
func off[T any](why string, by setting[T]) metricsServer {
	if missing := cmp.Or(by.missing, by.guessed); missing != "" {
		return metricsServer{missing: missing}
	}
	return metricsServer{offBy: by.by, why: why + by.why}
}
