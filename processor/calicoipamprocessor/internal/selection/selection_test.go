package selection

import (
	"path"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSelects(t *testing.T) {
	for name, tc := range map[string]struct {
		selection Selection
		selected  []string
		not       []string
	}{
		"the zero value selects all":     {Selection{}, []string{"a", "", "default-ipv4-ippool"}, nil},
		"what is included, nothing else": {Selection{Include: Patterns{"a", "b"}}, []string{"a", "b"}, []string{"c", "ab", ""}},
		"all but what is excluded":       {Selection{Exclude: Patterns{"a", "b"}}, []string{"c", "ab", ""}, []string{"a", "b"}},
		"exclusion wins":                 {Selection{Include: Patterns{"a*"}, Exclude: Patterns{"ab*"}}, []string{"a", "ac"}, []string{"ab", "abc", "b"}},
		"patterns match whole names":     {Selection{Include: Patterns{"pool-?", "x[0-9]"}}, []string{"pool-1", "x7"}, []string{"pool-", "pool-12", "my-pool-1", "xx"}},
		"case matters":                   {Selection{Include: Patterns{"Pool"}}, []string{"Pool"}, []string{"pool"}},
		"a pattern that cannot be read":  {Selection{Include: Patterns{"[a", "b"}}, []string{"b"}, []string{"a", "[a"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, pool := range tc.selected {
				require.True(t, tc.selection.Selects(pool), pool)
			}
			for _, pool := range tc.not {
				require.False(t, tc.selection.Selects(pool), pool)
			}
		})
	}
}

func TestNoPatternMatchesNothing(t *testing.T) {
	require.False(t, Patterns{}.Match("a"))
	require.False(t, Patterns(nil).Match(""))
}

func TestPatternsThatCannotBeRead(t *testing.T) {
	for pattern, want := range map[Pattern]string{
		"":     "must not be empty",
		"[a":   `"[a": syntax error in pattern`,
		"a*[":  `"a*[": syntax error in pattern`,
		"[]":   `"[]": syntax error in pattern`,
		"[a-]": `"[a-]": syntax error in pattern`,
		`a\`:   `"a\\": syntax error in pattern`,
	} {
		t.Run(string(pattern), func(t *testing.T) {
			require.EqualError(t, pattern.Validate(), want)
		})
	}
}

// TestAValidPatternMatchesWithoutError is what lets Match ignore errors.
func TestAValidPatternMatchesWithoutError(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune(`ab*?[]^-\`)), 1, 8, -1).Draw(t, "pattern")
		name := rapid.StringOfN(rapid.RuneFrom([]rune("ab-")), 0, 6, -1).Draw(t, "name")
		if Pattern(pattern).Validate() == nil {
			_, err := path.Match(pattern, name)
			require.NoError(t, err)
		}
	})
}
