package oneof

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckNamesTheKeyTheValueAndAllThatThereAre(t *testing.T) {
	type mode string
	require.NoError(t, Check("mode", mode("b"), "a", "b"))
	require.EqualError(t, Check("mode", mode("c"), "a", "b"), `mode: "c" is not one of: a, b`)
	require.EqualError(t, Check("mode", mode(""), "a"), `mode: "" is not one of: a`)
}
