package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServe(t *testing.T) {
	const ready = `{"end":true,"operations":0}` + "\n"
	for _, test := range []struct {
		name, requests, answers, err string
	}{
		{"it is ready before it is asked for anything", "", ready, ""},
		{
			"an answer ends with how many operations there were so far", "2\n1\n",
			ready + `{"n":1,"op":"fill","result":"ok"}` + "\n" + `{"n":2,"op":"fill","result":"ok"}` + "\n" + `{"end":true,"operations":2}` + "\n" +
				`{"n":3,"op":"fill","result":"ok"}` + "\n" + `{"end":true,"operations":3}` + "\n", "",
		},
		{"a request that is no number ends it", "many\n", ready, `"many" is no number of operations`},
		{"a request for nothing ends it", "0\n", ready, `"0" is no number of operations`},
		{
			"an operation that fails ends it", "9\n",
			ready + `{"n":1,"op":"fill","result":"ok"}` + "\n" + `{"n":2,"op":"fill","result":"ok"}` + "\n" + `{"n":3,"op":"fill","result":"ok"}` + "\n",
			"no fourth",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := 0
			next := func(context.Context) (Operation, error) {
				if n++; n > 3 {
					return Operation{}, errors.New("no fourth")
				}
				return Operation{N: n, Op: "fill", Result: resultOK}, nil
			}
			var answers strings.Builder
			err := Serve(t.Context(), strings.NewReader(test.requests), &answers, next)
			require.Equal(t, test.answers, answers.String())
			if test.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, test.err)
			}
		})
	}
}
