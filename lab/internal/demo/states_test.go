package demo

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckStatesWantsTheComponentOfEveryClusterToHaveBeenTried(t *testing.T) {
	const missing = "prometheus has no calico_component_endpoints of component kube_controllers in state scraped or unreachable"
	for _, test := range []struct {
		name   string
		states []ComponentState
		err    string
	}{
		{"scraped is enough", []ComponentState{{Component: "kube_controllers", State: "scraped", Endpoints: 1}}, ""},
		{"unreachable is enough", []ComponentState{{Component: "kube_controllers", State: "unreachable", Reason: "timeout", Endpoints: 1}}, ""},
		{"nothing is there", nil, missing},
		{"it was found only", []ComponentState{{Component: "kube_controllers", State: "disabled", Endpoints: 1}}, missing},
		{"another was scraped", []ComponentState{{Component: "felix", State: "scraped", Endpoints: 1}}, missing},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := checkStates(test.states)
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.err)
			}
		})
	}
}

func TestWriteStates(t *testing.T) {
	var out strings.Builder
	WriteStates(&out, []ComponentState{{"felix", "scraped", "", 1}, {"typha", "unreachable", "connection refused", 2}})
	require.Equal(t, `+-----------+-------------+--------------------+-----------+
| COMPONENT |    STATE    |       REASON       | ENDPOINTS |
+-----------+-------------+--------------------+-----------+
| felix     | scraped     | -                  |         1 |
| typha     | unreachable | connection refused |         2 |
+-----------+-------------+--------------------+-----------+
`, out.String())
}

func TestWriteStatesSaysThatThereAreNone(t *testing.T) {
	var out strings.Builder
	WriteStates(&out, nil)
	require.Equal(t, "no component states yet\n", out.String())
}
