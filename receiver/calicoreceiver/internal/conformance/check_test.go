package conformance

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/internal/addresses"
)

// check compares, counts what it compared, and keeps what differs.
type check struct {
	compared    int
	differences []string
	// concerned are the pools of what differs, by name; empty is no pool.
	concerned map[string]bool
}

// equal compares one value of the account, in a pool or in none, with what it should be.
func (c *check) equal(pool, what string, want, got any) {
	c.compared++
	if reflect.DeepEqual(want, got) {
		return
	}
	if c.concerned == nil {
		c.concerned = map[string]bool{}
	}
	c.concerned[pool] = true
	if pool != "" {
		what = "pool " + pool + ": " + what
	}
	c.differences = append(c.differences, fmt.Sprintf("%s: the account has %v instead of %v", what, got, want))
}

// single are types that are compared as a whole.
var single = []reflect.Type{reflect.TypeFor[addresses.Count](), reflect.TypeFor[netip.Prefix]()}

// deep compares two values of the same type by their parts, of which it names those that differ.
func (c *check) deep(pool, what string, want, got reflect.Value) {
	switch {
	case slices.Contains(single, want.Type()):
		c.equal(pool, what, want.Interface(), got.Interface())
	case want.Kind() == reflect.Struct:
		for i := range want.NumField() {
			c.deep(pool, what+"."+want.Type().Field(i).Name, want.Field(i), got.Field(i))
		}
	case want.Kind() == reflect.Slice || want.Kind() == reflect.Array:
		if want.Len() != got.Len() {
			c.equal(pool, what, want.Interface(), got.Interface())
			return
		}
		for i := range want.Len() {
			c.deep(pool, fmt.Sprintf("%s[%s]", what, label(want.Index(i), i)), want.Index(i), got.Index(i))
		}
	default:
		c.equal(pool, what, want.Interface(), got.Interface())
	}
}

// label names an element of a list: by what it is of, or by its position.
func label(element reflect.Value, position int) string {
	if element.Kind() == reflect.Struct {
		for _, field := range []string{"Node", "Namespace", "CIDR"} {
			if f := element.FieldByName(field); f.IsValid() {
				return fmt.Sprint(f.Interface())
			}
		}
	}
	return strconv.Itoa(position)
}

func TestCheckNamesThePartsThatDiffer(t *testing.T) {
	type inner struct {
		Node  string
		Size  addresses.Count
		Parts []int
	}
	type outer struct {
		Name  string
		Inner []inner
	}
	want := outer{Name: "a", Inner: []inner{{Node: "n", Size: addresses.Power(80), Parts: []int{1, 2}}}}
	for _, test := range []struct {
		name     string
		got      outer
		compared int
		want     []string
	}{
		{"what is equal has no difference", outer{Name: "a", Inner: []inner{{Node: "n", Size: addresses.Power(80), Parts: []int{1, 2}}}}, 5, nil},
		{
			"a number is named by where it is",
			outer{Name: "a", Inner: []inner{{Node: "n", Size: addresses.Power(80), Parts: []int{1, 3}}}}, 5,
			[]string{"pool p: report.Inner[n].Parts[1]: the account has 3 instead of 2"},
		},
		{
			"what is longer or shorter is shown as a whole",
			outer{Name: "a", Inner: []inner{{Node: "n", Size: addresses.Power(80), Parts: []int{1}}}}, 4,
			[]string{"pool p: report.Inner[n].Parts: the account has [1] instead of [1 2]"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			var c check
			c.deep("p", "report", reflect.ValueOf(want), reflect.ValueOf(test.got))
			require.Equal(t, test.want, c.differences)
			require.Equal(t, test.compared, c.compared)
			require.Equal(t, test.want != nil, c.concerned["p"])
		})
	}
}
