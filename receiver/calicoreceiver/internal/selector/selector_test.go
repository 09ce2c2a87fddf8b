package selector

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestAsCalico compares with what Calico's own parser made of the same selectors. To renew its answers, in lab/:
//
//	go run ./internal/selectorcases > ../receiver/calicoreceiver/internal/selector/testdata/calico.json
func TestAsCalico(t *testing.T) {
	golden := readGolden(t)
	require.Greater(t, len(golden.Selectors), 500)
	for _, tc := range golden.Selectors {
		s, err := Parse(tc.Selector)
		if !tc.Parses {
			require.Error(t, err, "Calico does not parse %q", tc.Selector)
			continue
		}
		require.NoError(t, err, "Calico parses %q", tc.Selector)
		var matches []int
		for i, labels := range golden.Labels {
			if s.Matches(labels) {
				matches = append(matches, i)
			}
		}
		require.Equal(t, tc.Matches, matches, "%q", tc.Selector)
	}
}

type golden struct {
	Labels    []map[string]string `json:"labels"`
	Selectors []struct {
		Selector string `json:"selector"`
		Parses   bool   `json:"parses"`
		Matches  []int  `json:"matches"`
	} `json:"selectors"`
}

func readGolden(tb testing.TB) golden {
	text, err := os.ReadFile("testdata/calico.json")
	require.NoError(tb, err)
	var g golden
	require.NoError(tb, json.Unmarshal(text, &g))
	return g
}

func TestErrorsSayWhatIsExpectedAndWhere(t *testing.T) {
	for _, tc := range []struct{ text, err string }{
		{"a", `expected ==, !=, in, not in, contains, starts with or ends with at byte 2 of selector "a"`},
		{"a == x", `expected a string in quotes at byte 6 of selector "a == x"`},
		{"a == 'x", `string without its end at byte 6 of selector "a == 'x"`},
		{"has(a) has(b)", `expected && or || at byte 8 of selector "has(a) has(b)"`},
		{"has(a) &&", `expected a label at byte 10 of selector "has(a) &&"`},
		{"(has(a)", `expected ) at byte 8 of selector "(has(a)"`},
		{"a in {'x'", `expected } at byte 10 of selector "a in {'x'"`},
		{strings.Repeat("l", 513), `label of more than 512 bytes at byte 1 of selector "` + strings.Repeat("l", 100) + `"`},
	} {
		_, err := Parse(tc.text)
		require.EqualError(t, err, tc.err)
	}
}

func TestLineBreaksAreNotBlank(t *testing.T) {
	// As Calico 3.30 and later have it; before, a line break was allowed in these places and no others.
	for _, text := range []string{"has(\na)", "all(\n)", "a starts\nwith 'x'", "a not\nin {'x'}"} {
		_, err := Parse(text)
		require.Error(t, err, "%q", text)
	}
}

func TestTheZeroSelectorMatchesAll(t *testing.T) {
	require.True(t, Selector{}.Matches(nil))
	require.True(t, Selector{}.Matches(map[string]string{"a": "x"}))
}

func TestParenthesesMayNotExhaustTheStack(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("!(", n) + "has(a)" + strings.Repeat(")", n) }
	s, err := Parse(nested(maxDepth))
	require.NoError(t, err)
	require.True(t, s.Matches(map[string]string{"a": ""}))
	_, err = Parse(nested(maxDepth + 1))
	require.ErrorContains(t, err, "more than 1024 parentheses within each other")
	_, err = Parse(strings.Repeat("(", 10_000_000))
	require.Error(t, err)
}

func FuzzParse(f *testing.F) {
	for _, tc := range readGolden(f).Selectors {
		f.Add(tc.Selector, "a", "x")
	}
	f.Fuzz(func(t *testing.T, text, label, value string) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		labels := map[string]string{label: value}
		matches := s.Matches(labels)
		if strings.Trim(text, " \t") == "" {
			require.True(t, matches)
			return
		}
		negated, err := Parse("!(" + text + ")")
		if err != nil {
			require.ErrorContains(t, err, "parentheses", "what parses also does in parentheses")
			return
		}
		require.NotEqual(t, matches, negated.Matches(labels))
	})
}
