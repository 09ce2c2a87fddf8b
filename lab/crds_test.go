package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCRDGroups(t *testing.T) {
	for _, test := range []struct {
		name, flag string
		want       []string
		err        string
	}{
		{"without the flag it is all", "", []string{"calico", "operator"}, ""},
		{"one is one", "operator", []string{"operator"}, ""},
		{"an unknown one is an error", "tigera", nil, `--group: "tigera" is none of calico, operator`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := crdGroups(test.flag)
			if test.err != "" {
				require.EqualError(t, err, test.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}
