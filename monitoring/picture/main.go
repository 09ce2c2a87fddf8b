// Command picture draws a dashboard of monitoring/dashboards, with what a Prometheus has, into a PNG for the documentation: about as Grafana shows it, without
// one.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// choices are the values of variables that are chosen, as in -var cluster=berlin.
type choices map[string]string

func (c choices) String() string { return fmt.Sprint(map[string]string(c)) }

func (c choices) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		return errors.New("it is not name=value")
	}
	c[name] = value
	return nil
}

func run(args []string) error {
	flags := flag.NewFlagSet("picture", flag.ContinueOnError)
	dashboard := flags.String("dashboard", "", "file of the dashboard")
	url := flags.String("prometheus", "http://localhost:9090", "URL of the Prometheus")
	span := flags.Duration("range", time.Hour, "how much time is shown, up to now")
	interval := flags.Duration("interval", 30*time.Second, "time between two scrapes")
	output := flags.String("output", "", "file of the PNG")
	chosen := choices{}
	flags.Var(chosen, "var", "value of a variable, as in cluster=berlin; all, or the first, otherwise")
	if err := flags.Parse(args); err != nil {
		return err
	}
	d, err := readDashboard(*dashboard)
	if err != nil {
		return err
	}
	end := time.Now()
	source := &prometheus{url: *url, start: end.Add(-*span), end: end, interval: *interval}
	ctx := context.Background()
	values, err := d.values(ctx, source, chosen)
	if err != nil {
		return err
	}
	picture, err := draw(ctx, d, source, values)
	if err != nil {
		return err
	}
	return os.WriteFile(*output, picture, 0o644) //nolint:gosec // all may read it, as what is beside it
}
