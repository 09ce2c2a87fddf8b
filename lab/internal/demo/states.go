package demo

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/olekukonko/tablewriter"
)

const (
	metricStates = "calico_component_endpoints"
	// queryStates leaves out what no endpoint is in any more.
	queryStates = `sum by (component, state, reason) (` + metricStates + `) > 0`

	// watchedComponent is in every cluster, and has been scraped or has been tried to be once the collector is at work.
	watchedComponent = "kube_controllers"
	stateScraped     = "scraped"
	stateUnreachable = "unreachable"

	noStates = "no component states yet"
)

// ComponentState is how many endpoints of a component are in a state, and why.
type ComponentState struct {
	Component, State, Reason string
	Endpoints                float64
}

// readStates asks for the states of all components, in the order in which they are shown.
func (p *Prometheus) readStates(ctx context.Context) ([]ComponentState, error) {
	vector, err := p.query(ctx, queryStates)
	if err != nil {
		return nil, err
	}
	var states []ComponentState
	for _, sample := range vector {
		states = append(states, ComponentState{
			Component: string(sample.Metric["component"]), State: string(sample.Metric["state"]), Reason: string(sample.Metric["reason"]),
			Endpoints: float64(sample.Value),
		})
	}
	slices.SortFunc(states, func(a, b ComponentState) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.State, b.State), cmp.Compare(a.Reason, b.Reason))
	})
	return states, nil
}

// checkStates is an error unless the collector has tried to scrape the component that is in every cluster.
func checkStates(states []ComponentState) error {
	for _, s := range states {
		if s.Component == watchedComponent && (s.State == stateScraped || s.State == stateUnreachable) {
			return nil
		}
	}
	return fmt.Errorf("prometheus has no %s of component %s in state %s or %s", metricStates, watchedComponent, stateScraped, stateUnreachable)
}

// WriteStates writes one row for every component and state.
func WriteStates(out io.Writer, states []ComponentState) {
	if len(states) == 0 {
		fmt.Fprintln(out, noStates)
		return
	}
	table := tablewriter.NewWriter(out)
	table.SetAutoFormatHeaders(false)
	table.SetAutoWrapText(false)
	table.SetHeader([]string{"COMPONENT", "STATE", "REASON", "ENDPOINTS"})
	right, left := tablewriter.ALIGN_RIGHT, tablewriter.ALIGN_LEFT
	table.SetColumnAlignment([]int{left, left, left, right})
	for _, s := range states {
		table.Append([]string{orDash(s.Component), orDash(s.State), orDash(s.Reason), addresses(s.Endpoints)})
	}
	table.Render()
}
