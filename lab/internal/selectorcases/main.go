// Command selectorcases prints what Calico's own parser makes of a table of selectors: which of them parse, and which sets of labels they match.
// It is the expectation of receiver/calicoreceiver/internal/selector. Run it from lab/:
//
//	go run ./internal/selectorcases > ../receiver/calicoreceiver/internal/selector/testdata/calico.json
//
// Two things are left out, because Calico 3.28, which the lab has, reads them otherwise than 3.30 and later do, whose reading is ours: line breaks
// within has( ), all( ) and operators of two words, and a label of 512 bytes with an operator directly behind it.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/projectcalico/calico/libcalico-go/lib/selector"
)

// labels are the sets that every selector is tried on.
var labels = []map[string]string{
	{},
	{"a": "x"},
	{"a": "xyz", "b": ""},
	{"b": "x", "role": "web server"},
	{"a": "it's", "k8s-app": "calico-kube-controllers", "projectcalico.org/namespace": "calico-system"},
	{"kubernetes.io/os": "linux", "in": "not", "not": "in", "has": "all", "a": `say "x"`},
}

// terms are combined with each other; each is true for some of the labels and false for others.
var terms = []string{`a == "x"`, `a != 'x'`, `has(b)`, `!has(role)`, `b in {"x", ""}`, `a not in {'x'}`, `a starts with "x"`, `!all()`}

// single are selectors for one rule each, valid and not.
var single = []string{
	"", " ", "\t ", "\n", "all()", " all( ) ", "all(\t)", "all ()", "all", "all(", "all(x)", "ALL()", "global()", "global( )", "global", "global(x)",
	"has(a)", "has( a )", "has(\ta\t)", "has (a)", "has()", "has( )", "has(a", "has(a b)", "has('a')", "has(kubernetes.io/os)", "Has(a)", "!has(a)", "! has(a)",
	"!!has(a)", "! ! !has(a)", "!", "!!", "!(has(a))", "!a == 'x'", "! a == 'x'", "!= 'x'", "!!= 'x'", "a !has(b)",
	`a == "x"`, `a == 'x'`, `a=='x'`, `a  ==  'x'`, `a = 'x'`, `a === 'x'`, `a == x`, `a == "x'`, `a == 'x`, `a == "`, `a == ""`, `b == ''`, `a == 'it"s'`,
	`a == "it's"`, `a == 'say "x"'`, `a == "say \"x\""`, "a == 'x\ny'", `"a" == 'x'`, `a == 'x' 'y'`, `== 'x'`, `a ==`, `a`, `a b`, `a == b == 'x'`,
	`a != 'x'`, `a!='x'`, `a != "xyz"`, `a ! = 'x'`, `a <> 'x'`, `zzz != 'x'`, `zzz == 'x'`,
	`a in {'x'}`, `a in{'x'}`, `a in {'x','xyz'}`, `a in { "x" , 'xyz' }`, `a in {"x", "x"}`, `a in {}`, `a in { }`, `a in {'x',}`, `a in {,}`, `a in {'x',,'y'}`,
	`a in {,'x'}`, `a in {'x' 'y'}`, `a in {x}`, `a in 'x'`, `a in {'x'`, `a in 'x'}`, `a in`, `a in ('x')`, `ain {'x'}`, `a in in {'x'}`, `a In {'x'}`,
	`a not in {'x'}`, `a notin {'x'}`, `a not  in{'x'}`, "a not\tin {'x'}", `a not in {}`, `zzz not in {'x'}`, `zzz in {'x'}`, `a not {'x'}`, `a not 'x'`, `not a in {'x'}`,
	`a contains "y"`, `a contains 'z'`, `a contains'y'`, `a contains ""`, `zzz contains ""`, `a contains y`, `a contains`, `a contains {'x'}`, `a containsy "y"`,
	`role contains " "`, `a Contains 'y'`, `a not contains 'y'`, `!a contains 'y'`,
	`a starts with "x"`, `a startswith "x"`, `a starts  with 'xy'`, "a starts\twith 'xy'", `a starts "x"`, `a starts with`, `a startswith"x"`, `a starts with ""`, `a starts-with 'x'`,
	`a ends with "z"`, `a endswith "yz"`, `a ends  with 'x'`, `a ends 'x'`, `a ends with ""`, `a ends with {'x'}`, `a begins with 'x'`,
	`in == 'not'`, `not == 'in'`, `has == 'all'`, `not in {'in'}`, `in in {'not'}`, `not not in {'in'}`, `all == 'x'`, `contains contains 'x'`, `with == 'x'`,
	`kubernetes.io/os == 'linux'`, `k8s-app == 'calico-kube-controllers'`, `k8s-app != 'calico-apiserver'`, `-._/ == 'x'`, `a:b == 'x'`, `a@ == 'x'`, `ä == 'x'`,
	`projectcalico.org/namespace == 'calico-system' && k8s-app == 'calico-kube-controllers'`, `a == 'ä'`, `1 == '1'`,
	`()`, `(`, `)`, `(has(a)`, `has(a))`, `((has(a)))`, `( has(a) )`, `(a == 'x') && (b == '')`, `(a) == 'x'`, `a == ('x')`, `has(a) (has(b))`, `{`, `}`, `{}`, `,`, `has(a),`,
	`has(a) & has(b)`, `has(a) | has(b)`, `has(a) &&& has(b)`, `has(a) ||| has(b)`, `has(a) &&`, `&& has(a)`, `has(a) ||`, `|| has(a)`, `has(a) has(b)`, `has(a)&&has(b)`,
	`has(a)||has(b)`, `has(a) and has(b)`, `has(a) or has(b)`, `has(a) && || has(b)`, `has(a);`, "has(a)\n", "has(a)\x00", `has(a) # comment`,
	strings.Repeat("(", 200) + `has(a)` + strings.Repeat(")", 200), strings.Repeat("!", 301) + `has(a)`,
	strings.Repeat("l", 512) + ` == 'x'`, strings.Repeat("l", 513) + ` == 'x'`, `has(` + strings.Repeat("l", 512) + `)`, `has(` + strings.Repeat("l", 513) + `)`,
}

// combined are pairs and triples of terms: what binds how strongly, and in which order.
func combined() []string {
	var all []string
	for i, left := range terms {
		for j, right := range terms {
			all = append(all, left+" && "+right, left+" || "+right)
			third := terms[(i+j+3)%len(terms)]
			all = append(all,
				left+" || "+right+" && "+third,
				left+" && "+right+" || "+third,
				"("+left+" || "+right+") && "+third,
				"!("+left+" && "+right+") || "+third,
			)
		}
	}
	return all
}

// result is what Calico says of one selector: the positions in labels that it matches, or that it does not parse.
type result struct {
	Selector string `json:"selector"`
	Parses   bool   `json:"parses"`
	Matches  []int  `json:"matches,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "selectorcases:", err)
		os.Exit(1)
	}
}

func run() error {
	all := append(append([]string{}, single...), combined()...)
	results := make([]any, 0, len(all))
	for _, text := range all {
		r := result{Selector: text}
		if s, err := selector.Parse(text); err == nil {
			r.Parses = true
			for j, l := range labels {
				if s.Evaluate(l) {
					r.Matches = append(r.Matches, j)
				}
			}
		}
		results = append(results, r)
	}
	sets := make([]any, 0, len(labels))
	for _, l := range labels {
		sets = append(sets, l)
	}

	var out bytes.Buffer
	out.WriteString("{\"labels\": [\n")
	if err := writeLines(&out, sets); err != nil {
		return err
	}
	out.WriteString("], \"selectors\": [\n")
	if err := writeLines(&out, results); err != nil {
		return err
	}
	out.WriteString("]}\n")
	_, err := os.Stdout.Write(out.Bytes())
	return err
}

// writeLines writes the elements of a JSON list, one a line, so that a change shows in a diff.
func writeLines(out *bytes.Buffer, values []any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for i, v := range values {
		if i > 0 {
			out.WriteString(",")
		}
		if err := encoder.Encode(v); err != nil {
			return err
		}
	}
	return nil
}
