package selector

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// maxDepth bounds the parentheses within each other. Calico has no such bound, but a FelixConfiguration's nodeSelector has at most 1024
	// characters (api/pkg/apis/projectcalico/v3/felixconfig.go).
	maxDepth = 1024
	// maxLabel bounds the name of a label, in bytes, as MaxLabelLength in libcalico-go/lib/selector/tokenizer does.
	maxLabel = 512
)

// Parse reads a selector. A selector that is empty or blank matches all.
//
//	or         = and { "||" and }
//	and        = operand { "&&" operand }
//	operand    = { "!" } ( "(" or ")" | "all()" | "global()" | "has(" label ")" | label comparison )
//	comparison = ( "==" | "!=" | "contains" | "starts with" | "ends with" ) string | ( "in" | "not in" ) "{" [ string { "," string } ] "}"
//	label      = letters, digits and _ . / -
//	string     = anything between two ' or two "
//
// Blanks and tabs may stand between any two of these; line breaks may not.
func Parse(text string) (Selector, error) {
	p := parser{rest: text}
	if p.blank(); p.rest == "" {
		return Selector{}, nil
	}
	root, err := p.or(0)
	if err == nil && p.rest != "" {
		err = errors.New("expected && or ||")
	}
	if err != nil {
		return Selector{}, fmt.Errorf("%w at byte %d of selector %.100q", err, len(text)-len(p.rest)+1, text)
	}
	return Selector{root: root}, nil
}

// parser consumes a selector from the left. After each step rest begins with what is not blank.
type parser struct {
	rest string
}

func (p *parser) blank() { p.rest = strings.TrimLeft(p.rest, " \t") }

// take consumes a symbol or word if it comes next, and the blanks behind it.
func (p *parser) take(symbol string) bool {
	rest, found := strings.CutPrefix(p.rest, symbol)
	if found {
		p.rest = rest
		p.blank()
	}
	return found
}

// takeWords consumes an operator of two words. Calico lets them be written as one: in both `notin {…}` and `startswith "…"` the operator ends where
// what follows begins.
func (p *parser) takeWords(first, second string) bool {
	before := p.rest
	if p.take(first) && p.take(second) {
		return true
	}
	p.rest = before
	return false
}

func (p *parser) or(depth int) (expression, error) {
	return p.list("||", anyOf, func() (expression, error) {
		return p.list("&&", allOf, func() (expression, error) { return p.operand(depth) })
	})
}

// list reads operands with an operator between them.
func (p *parser) list(operator string, join func([]expression) expression, operand func() (expression, error)) (expression, error) {
	var operands []expression
	for {
		e, err := operand()
		if err != nil {
			return nil, err
		}
		operands = append(operands, e)
		if !p.take(operator) {
			return join(operands), nil
		}
	}
}

func (p *parser) operand(depth int) (expression, error) {
	negated := false
	for !strings.HasPrefix(p.rest, "!=") && p.take("!") {
		negated = !negated
	}
	e, err := p.primary(depth)
	if err == nil && negated {
		e = not(e)
	}
	return e, err
}

func (p *parser) primary(depth int) (expression, error) {
	switch {
	case p.take("("):
		if depth++; depth > maxDepth {
			return nil, fmt.Errorf("more than %d parentheses within each other", maxDepth)
		}
		e, err := p.or(depth)
		if err != nil {
			return nil, err
		}
		return e, p.expect(")")
	case p.take("all("), p.take("global("):
		return everything, p.expect(")")
	case p.take("has("):
		label, err := p.label()
		if err != nil {
			return nil, err
		}
		return has(label), p.expect(")")
	}
	label, err := p.label()
	if err != nil {
		return nil, err
	}
	return p.comparison(label)
}

func (p *parser) expect(symbol string) error {
	if !p.take(symbol) {
		return fmt.Errorf("expected %s", symbol)
	}
	return nil
}

// comparison reads what follows a label. Without the label the negative ones hold, the others do not.
func (p *parser) comparison(label string) (expression, error) {
	ofString := func(test func(string) func(string) bool) (expression, error) {
		value, err := p.string()
		return present(label, test(value)), err
	}
	ofSet := func() (expression, error) {
		set, err := p.set()
		return present(label, oneOf(set)), err
	}
	negative := func(e expression, err error) (expression, error) { return not(e), err }
	switch {
	case p.take("=="):
		return ofString(equals)
	case p.take("!="):
		return negative(ofString(equals))
	case p.take("contains"):
		return ofString(contains)
	case p.takeWords("starts", "with"):
		return ofString(startsWith)
	case p.takeWords("ends", "with"):
		return ofString(endsWith)
	case p.takeWords("not", "in"):
		return negative(ofSet())
	case p.take("in"):
		return ofSet()
	}
	return nil, errors.New("expected ==, !=, in, not in, contains, starts with or ends with")
}

func (p *parser) label() (string, error) {
	n := 0
	for n < len(p.rest) && isLabelByte(p.rest[n]) {
		n++
	}
	switch {
	case n == 0:
		return "", errors.New("expected a label")
	case n > maxLabel:
		return "", fmt.Errorf("label of more than %d bytes", maxLabel)
	}
	label := p.rest[:n]
	p.rest = p.rest[n:]
	p.blank()
	return label, nil
}

func isLabelByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("_./-", c) >= 0
}

// string reads a string in either kind of quotes. There is no escape, so it holds anything but its own quote.
func (p *parser) string() (string, error) {
	for _, quote := range []string{`"`, `'`} {
		if rest, found := strings.CutPrefix(p.rest, quote); found {
			value, rest, closed := strings.Cut(rest, quote)
			if !closed {
				return "", errors.New("string without its end")
			}
			p.rest = rest
			p.blank()
			return value, nil
		}
	}
	return "", errors.New("expected a string in quotes")
}

// set reads strings in braces. Calico accepts an empty set, and a comma behind the last string.
func (p *parser) set() (map[string]bool, error) {
	if err := p.expect("{"); err != nil {
		return nil, err
	}
	set := map[string]bool{}
	for !p.take("}") {
		value, err := p.string()
		if err != nil {
			return nil, err
		}
		set[value] = true
		if !p.take(",") {
			return set, p.expect("}")
		}
	}
	return set, nil
}
