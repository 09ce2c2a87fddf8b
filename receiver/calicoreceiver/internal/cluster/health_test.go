package cluster

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestHealthLogsTheBeginningAndTheEndOfAFailure(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	notices := 0
	h := newHealth(zap.New(core), func() { notices++ })
	list := request{verb: "list", resource: "pods", namespace: "calico-system"}
	watch := request{verb: "watch", resource: "pods", namespace: "calico-system"}

	h.record(list, nil)
	require.NoError(t, h.err())
	require.Zero(t, notices)

	for range 3 {
		h.record(list, errors.New("connection refused"))
	}
	h.record(watch, errors.New("connection refused"))
	require.ErrorContains(t, h.err(), "list pods in namespace calico-system: connection refused")
	require.ErrorContains(t, h.err(), "watch pods in namespace calico-system: connection refused")
	require.False(t, h.isRefused("pods", "calico-system"), "a fault that may pass is no refusal")
	require.Equal(t, 2, logs.Len())
	require.Equal(t, 2, notices)

	h.record(list, nil)
	h.record(watch, nil)
	require.NoError(t, h.err())
	require.Equal(t, 4, notices)
	end := logs.FilterMessageSnippet("succeeds again").All()
	require.Len(t, end, 2)
	require.EqualValues(t, 3, end[0].ContextMap()["failures"])
}

func TestFaultThatBecomesARefusalIsAnotherFailure(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	notices := 0
	h := newHealth(zap.New(core), func() { notices++ })
	list := request{verb: "list", resource: "ippools.crd.projectcalico.org"}
	denied := apierrors.NewForbidden(schema.GroupResource{Group: "crd.projectcalico.org", Resource: "ippools"}, "", errors.New("no rule"))
	h.record(list, errors.New("connection refused"))
	require.True(t, h.faulty())
	require.Empty(t, h.missing(list.resource, ""))
	require.Equal(t, list.String(), h.failing(list.resource, ""))
	h.record(list, denied)
	h.record(list, denied)
	require.False(t, h.faulty())
	require.Equal(t, list.String(), h.missing(list.resource, ""))
	require.Equal(t, 2, notices, "who waits for an answer hears of the refusal")
	require.Len(t, logs.FilterMessageSnippet("fails").All(), 2)
	h.forget(list)
	require.NoError(t, h.err())
}

func TestMissingRightIsNamed(t *testing.T) {
	h := newHealth(zap.NewNop(), func() {})
	denied := apierrors.NewForbidden(schema.GroupResource{Group: "crd.projectcalico.org", Resource: "ippools"}, "", errors.New("no rule"))
	h.record(request{verb: "watch", resource: "ippools.crd.projectcalico.org"}, denied)
	require.ErrorContains(t, h.err(), "missing RBAC: watch ippools.crd.projectcalico.org")
	require.Equal(t, "watch ippools.crd.projectcalico.org", h.missing("ippools.crd.projectcalico.org", ""))
	require.False(t, h.isRefused("ippools.crd.projectcalico.org", ""), "it may be listed still")
	h.record(request{verb: "list", resource: "ippools.crd.projectcalico.org"}, denied)
	require.Equal(t, "list ippools.crd.projectcalico.org", h.missing("ippools.crd.projectcalico.org", ""))
	require.True(t, h.isRefused("ippools.crd.projectcalico.org", ""))
	require.False(t, h.isRefused("ippools.crd.projectcalico.org", "kube-system"))
	require.False(t, h.isRefused("pods", ""))
}
