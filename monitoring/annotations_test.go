package monitoring

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template/parse"
)

// parameters is what Prometheus puts before a template, so that it can be read.
const parameters = "{{ $labels := .Labels }}{{ $externalLabels := .ExternalLabels }}{{ $externalURL := .ExternalURL }}{{ $value := .Value }}"

// said is what a template asks for.
type said struct {
	// queries are PromQL, with some value for what is put into it.
	queries []string
	// labels are those of the alert that it names.
	labels []string
}

// readTemplate returns what a template of an annotation asks for.
func readTemplate(text string) (said, error) {
	var asks said
	tree := parse.New("annotation")
	tree.Mode = parse.SkipFuncCheck
	if _, err := tree.Parse(parameters+text, "", "", map[string]*parse.Tree{}); err != nil {
		return asks, err
	}
	var failed error
	walk(tree.Root, func(node parse.Node) {
		switch n := node.(type) {
		case *parse.VariableNode:
			if n.Ident[0] == "$labels" && len(n.Ident) > 1 {
				asks.labels = append(asks.labels, n.Ident[1])
			}
		case *parse.PipeNode:
			query, asked, err := queryOf(n)
			if err != nil {
				failed = err
			}
			if asked {
				asks.queries = append(asks.queries, query)
			}
		}
	})
	return asks, failed
}

// walk visits the nodes of a template that can hold an expression.
func walk(node parse.Node, visit func(parse.Node)) {
	visit(node)
	branch := func(b parse.BranchNode) {
		walk(b.Pipe, visit)
		walk(b.List, visit)
		if b.ElseList != nil {
			walk(b.ElseList, visit)
		}
	}
	switch n := node.(type) {
	case *parse.ListNode:
		for _, of := range n.Nodes {
			walk(of, visit)
		}
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.PipeNode:
		for _, of := range n.Cmds {
			walk(of, visit)
		}
	case *parse.CommandNode:
		for _, of := range n.Args {
			walk(of, visit)
		}
	case *parse.IfNode:
		branch(n.BranchNode)
	case *parse.WithNode:
		branch(n.BranchNode)
	case *parse.RangeNode:
		branch(n.BranchNode)
	}
}

// queryOf returns what a pipe queries: query "a", "a" | query, or printf "a{x=%q}" $x | query.
func queryOf(pipe *parse.PipeNode) (query string, asked bool, err error) {
	for i, command := range pipe.Cmds {
		if name(command) != "query" {
			continue
		}
		switch {
		case len(command.Args) == 2:
			query, err = format(command.Args[1:])
		case i > 0 && name(pipe.Cmds[i-1]) == "printf":
			query, err = format(pipe.Cmds[i-1].Args[1:])
		case i > 0:
			query, err = format(pipe.Cmds[i-1].Args)
		default:
			err = fmt.Errorf("nothing is queried by %s", pipe)
		}
		return query, true, err
	}
	return "", false, nil
}

func name(command *parse.CommandNode) string {
	if identifier, ok := command.Args[0].(*parse.IdentifierNode); ok {
		return identifier.Ident
	}
	return ""
}

var verb = regexp.MustCompile(`%[-+ #0]*[0-9.]*[a-zA-Z%]`)

// format returns a query with some value in the place of each verb.
func format(args []parse.Node) (string, error) {
	text, ok := args[0].(*parse.StringNode)
	if !ok {
		return "", fmt.Errorf("a query is not a string, but %s", args[0])
	}
	return verb.ReplaceAllStringFunc(text.Text, func(v string) string {
		switch v[len(v)-1] {
		case '%':
			return "%"
		case 'q':
			return `"$x"` // stands for any value
		case 's', 'v':
			return "x"
		default:
			return "1"
		}
	}), nil
}

// lintAnnotations finds queries of templates that have no answer, and labels in them that the alert does not have.
func lintAnnotations(r rule, all metrics) problems {
	var wrong problems
	has, err := all.labels().Labels(r.expr)
	if err != nil {
		return nil // is a problem of the expression
	}
	has = append(slices.Clone(has), "severity")
	for key, text := range r.Annotations {
		asks, err := readTemplate(text)
		if err != nil {
			r.add(&wrong, "%s: %v", key, err)
		}
		for _, label := range asks.labels {
			if !slices.Contains(has, label) {
				r.add(&wrong, "%s: the expression has no label %s", key, label)
			}
		}
		for _, query := range asks.queries {
			expr, err := promQL.ParseExpr(query)
			if err != nil {
				r.add(&wrong, "%s: %s is no PromQL: %v", key, strings.TrimSpace(query), err)
				continue
			}
			for _, problem := range slices.Concat(lintQuery(expr, all), lintCounters(expr, all)) {
				r.add(&wrong, "%s: %s", key, problem)
			}
		}
	}
	return wrong
}
