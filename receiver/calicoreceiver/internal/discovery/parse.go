package discovery

import (
	"strconv"
	"strings"
)

// parseBool accepts what BoolParam in felix/config/param_types.go accepts.
func parseBool(raw string) (value, ok bool) {
	switch strings.ToLower(raw) {
	case "true", "1", "yes", "y", "t":
		return true, true
	case "false", "0", "no", "n", "f":
		return false, true
	}
	return false, false
}

// parsePort accepts what IntParam does.
func parsePort(raw string) (int64, bool) {
	port, err := strconv.ParseInt(raw, 0, 64)
	return port, err == nil && port >= 0 && port <= 65535
}

func validPort(port int64) bool { return port > 0 && port <= 65535 }

// parseHost accepts what HostAddressRegexp in felix/config/config_params.go does, which is no address in brackets.
func parseHost(raw string) (string, bool) {
	foreign := strings.ContainsFunc(raw, func(c rune) bool {
		accepted := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(":._+-", c)
		return !accepted
	})
	return raw, raw != "" && len(raw) <= 64 && !foreign
}

// parseFile accepts what StringRegexp does: one line.
func parseFile(raw string) (string, bool) { return raw, !strings.Contains(raw, "\n") }

// parseClientAuth says whether the server insists on a certificate of the client; how it verifies one makes no difference to a client.
func parseClientAuth(raw string) (required, ok bool) {
	switch strings.ToLower(raw) {
	case "requireandverifyclientcert", "requireanyclientcert":
		return true, true
	case "verifyclientcertifgiven", "noclientcert":
		return false, true
	}
	return false, false
}
