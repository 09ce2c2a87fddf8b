package cluster

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// request is one way of asking the API server, the granularity in which RBAC grants.
type request struct {
	verb     string
	resource string // with its group, as in ippools.crd.projectcalico.org
	// namespace is empty for what is cluster-scoped.
	namespace string
}

func (r request) String() string {
	if r.namespace == "" {
		return r.verb + " " + r.resource
	}
	return r.verb + " " + r.resource + " in namespace " + r.namespace
}

// health keeps what fails at present. A failure is logged when it begins and when it ends, not at every try.
type health struct {
	logger  *zap.Logger
	changed func() // called after health turned better or worse

	mu       sync.Mutex
	failures map[request]*failure
}

type failure struct {
	err   error
	times int
}

func newHealth(logger *zap.Logger, changed func()) *health {
	return &health{logger: logger, changed: changed, failures: map[request]*failure{}}
}

// record notes the outcome of one request.
func (h *health) record(req request, err error) {
	if err != nil {
		err = explain(req, err)
	}
	h.mu.Lock()
	last := h.failures[req]
	// A fault that becomes a refusal, or a refusal a fault, is another failure: what is refused is not waited for.
	other := err != nil && (last == nil || refused(last.err) != refused(err))
	switch {
	case err == nil:
		delete(h.failures, req)
	case other:
		h.failures[req] = &failure{err: err, times: 1}
	default:
		last.err = err
		last.times++
	}
	h.mu.Unlock()

	// The request is part of the message: the Collector drops messages that are repeated, and each of these is there once.
	switch {
	case err == nil && last != nil:
		h.logger.Info(req.String()+" succeeds again", zap.Int("failures", last.times))
	case other:
		h.logger.Warn(req.String()+" fails; what is known stays, and it is tried again", zap.Error(err))
	default:
		return
	}
	h.changed()
}

// explain puts what the operator can act on in front: the right that is missing.
func explain(req request, err error) error {
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("missing RBAC: %s: %w", req, err)
	}
	var transport *url.Error
	if errors.As(err, &transport) {
		err = transport.Err // its URL is the request once more, with all options
	}
	return fmt.Errorf("%s: %w", req, err)
}

// isRefused says whether the API server refuses to list a resource, which is tried after a watch that is refused.
func (h *health) isRefused(resource, namespace string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	failure := h.failures[request{verb: "list", resource: resource, namespace: namespace}]
	return failure != nil && refused(failure.err)
}

// missing is the right that is missing to read a resource, as in "list pods in namespace kube-system"; empty where none is.
func (h *health) missing(resource, namespace string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, verb := range []string{"list", "watch"} {
		req := request{verb: verb, resource: resource, namespace: namespace}
		if failure := h.failures[req]; failure != nil && apierrors.IsForbidden(failure.err) {
			return req.String()
		}
	}
	return ""
}

// failing is the request for a resource that fails at present, for whatever reason; empty where none does.
func (h *health) failing(resource, namespace string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, verb := range []string{"list", "watch", "get"} {
		req := request{verb: verb, resource: resource, namespace: namespace}
		if h.failures[req] != nil {
			return req.String()
		}
	}
	return ""
}

// faulty says whether a request fails at present that is not refused: the API server does not answer as it should.
func (h *health) faulty() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, failure := range h.failures {
		if !refused(failure.err) {
			return true
		}
	}
	return false
}

// forget drops the failures of a resource that is not asked for any longer.
func (h *health) forget(asked request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.failures, func(req request, _ *failure) bool {
		return req.resource == asked.resource && req.namespace == asked.namespace
	})
}

// refused tells an answer that will stay the same until somebody changes the cluster from a fault that may pass.
func refused(err error) bool { return apierrors.IsForbidden(err) || apierrors.IsNotFound(err) }

// err joins what fails at present, in a stable order; nil when nothing does.
func (h *health) err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	requests := slices.SortedFunc(maps.Keys(h.failures), func(a, b request) int { return strings.Compare(a.String(), b.String()) })
	errs := make([]error, len(requests))
	for i, req := range requests {
		errs[i] = h.failures[req].err
	}
	return errors.Join(errs...)
}
