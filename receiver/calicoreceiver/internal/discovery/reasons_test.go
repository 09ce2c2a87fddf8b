package discovery

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireDocumented fails where Reasons does not have the state and reason of an endpoint.
func requireDocumented(tb testing.TB, e Endpoint) {
	tb.Helper()
	reason := e.Reason
	if e.State == Forbidden {
		require.NotEmpty(tb, reason)
		reason = ReasonMissingRight
	}
	require.True(tb, slices.ContainsFunc(Reasons(), func(d ReasonDoc) bool {
		return d.State == e.State && d.Reason == reason && slices.Contains(d.Components, e.Component)
	}), "no entry in Reasons: %s %s %q", e.Component, e.State, e.Reason)
}

func TestReasonsAreToldOnceEachWithAFix(t *testing.T) {
	type key struct {
		Component
		State
		string
	}
	told := map[key]bool{}
	states := map[State]bool{}
	for _, d := range Reasons() {
		require.NotEmpty(t, d.Components, d.Reason)
		for _, c := range d.Components {
			require.False(t, told[key{c, d.State, d.Reason}], "%s %s %s", c, d.State, d.Reason)
			told[key{c, d.State, d.Reason}] = true
		}
		states[d.State] = true
		for _, text := range []string{d.Meaning, d.Fix} {
			require.True(t, strings.HasSuffix(text, "."), "a sentence: %q", text)
			require.NotContains(t, text, "|", "it stands in a table")
			require.NotContains(t, text, "\n")
			require.NotRegexp(t, `[<>*_]`, regexp.MustCompile("`[^`]*`").ReplaceAllString(text, ""), "safe in Markdown: %q", text)
			require.Zero(t, strings.Count(text, "`")%2, text)
		}
	}
	require.Len(t, states, 9)
}

func TestReasonsDoNotGrowWithTheCluster(t *testing.T) {
	for _, d := range Reasons() {
		if d.State != Forbidden {
			require.Regexp(t, `^([a-z0-9_.]+|[A-Z_]+|[A-Z][A-Za-z]+\.spec\.[a-z][A-Za-z]+)$`, d.Reason)
		}
	}
}
