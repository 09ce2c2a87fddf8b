package cluster

import (
	"fmt"
	"strings"

	"go.uber.org/zap"
)

// maxNamed bounds how much of a kind is named in the log at a time.
const maxNamed = 20

// leftOut are the objects of a resource that cannot be read. Each is named once in the log, up to a limit that begins anew when there are none.
type leftOut struct {
	logger   *zap.Logger
	resource string
	names    map[string]struct{}
	named    int
}

func newLeftOut(logger *zap.Logger, resource string) *leftOut {
	return &leftOut{logger: logger, resource: resource, names: map[string]struct{}{}}
}

func (l *leftOut) add(name string, err error) {
	if l.has(name) {
		return
	}
	l.names[name] = struct{}{}
	l.named++
	// The name is part of the message: the Collector drops messages that are repeated.
	switch {
	case l.named <= maxNamed:
		l.logger.Warn(l.resource+"/"+name+" cannot be read and is left out", zap.Error(err))
	case l.named == maxNamed+1:
		l.logger.Warn("more of " + l.resource + " cannot be read and are left out")
	}
}

// heal takes note that an object can be read, or is gone.
func (l *leftOut) heal(name string) {
	if delete(l.names, name); len(l.names) == 0 {
		l.named = 0
	}
}

// prune heals all objects but those that stay.
func (l *leftOut) prune(stays func(name string) bool) {
	for name := range l.names {
		if !stays(name) {
			l.heal(name)
		}
	}
}

func (l *leftOut) has(name string) bool {
	_, known := l.names[name]
	return known
}

func (l *leftOut) count() int { return len(l.names) }

// joined names entries for the log, and says how many more there are than are named.
func joined(entries []string) string {
	if more := len(entries) - maxNamed; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(entries[:maxNamed], "; "), more)
	}
	return strings.Join(entries, "; ")
}
