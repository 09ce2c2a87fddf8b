package lab

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/control"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

// errStopped is the PartStatus.Err of a part that was stopped on purpose.
var errStopped = errors.New("stopped")

// PartStatus is how one part of a lab is.
type PartStatus struct {
	process.Status
	// Address is the part's URL, empty if only the lab itself uses it.
	Address string
	// Err is nil if the part runs and answers.
	Err error
}

// Check asks the lab and then every part of it how it is, in the order of their names.
func Check(ctx context.Context, s state.State) ([]PartStatus, error) {
	known, err := control.NewClient(s.StateDir).Parts(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(known, func(a, b process.Status) int { return strings.Compare(a.Name, b.Name) })
	s = asConfigured(ctx, s)
	addresses := map[string]string{partAPIServer: s.APIServerURL, partPrometheus: s.PrometheusURL}
	for _, component := range s.Components {
		addresses[component.Job] = MetricsURL(component)
	}
	ask := probesOf(s)
	parts := make([]PartStatus, 0, len(known))
	for _, status := range known {
		part := PartStatus{Status: status, Address: addresses[status.Name]}
		probe := ask[status.Name]
		switch {
		case status.Phase == process.Stopped:
			part.Err = errStopped
		case status.Phase != process.Running:
			part.Err = fmt.Errorf("%s after %s", status.Phase, status.Exit)
		case probe != nil:
			part.Err = probe(ctx)
		}
		parts = append(parts, part)
	}
	return parts, nil
}

// asConfigured returns the state with the components at the ports that their configuration says now, which may have changed
// since lab.json was written. It leaves them where they were if the API server does not answer.
func asConfigured(ctx context.Context, s state.State) state.State {
	if len(s.Components) == 0 {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	client, err := cluster.NewClient(s.AdminKubeconfig)
	if err != nil {
		return s
	}
	ports, err := client.MetricsPorts(ctx, cluster.Layout(s.Layout))
	if err != nil {
		return s
	}
	s.Components = withPorts(s.Components, ports)
	return s
}

// withPorts returns the components with the ports given by their name, and their own where none is.
func withPorts(components []state.Component, ports map[string]int) []state.Component {
	moved := slices.Clone(components)
	for i, component := range moved {
		host, _, err := net.SplitHostPort(component.Address)
		if port, given := ports[component.Job]; given && err == nil {
			moved[i].Address = net.JoinHostPort(host, strconv.Itoa(port))
		}
	}
	return moved
}

// probesOf returns what asks, by the part's name, whether it answers where the state says that it does.
func probesOf(s state.State) map[string]func(context.Context) error {
	probes := map[string]func(context.Context) error{
		// Whether it answers is asked, not who it is: clients verify the certificate.
		partAPIServer:  process.HTTPProbe(probeClient(&tls.Config{InsecureSkipVerify: true}), s.APIServerURL+"/readyz", nil),
		partPrometheus: process.HTTPProbe(probeClient(nil), s.PrometheusURL+"/-/ready", nil),
	}
	for _, component := range s.Components {
		probes[component.Job] = process.HTTPProbe(probeClient(nil), MetricsURL(component), nil)
	}
	return probes
}

// ReadRunning returns the state of the lab in dir, unless that lab was killed before it could say that it ended.
func ReadRunning(dir string) (state.State, error) {
	s, err := state.Read(dir)
	if err != nil {
		return s, err
	}
	running, err := state.Running(dir)
	if err == nil && !running {
		err = fmt.Errorf("the lab in --state %s was killed: start another with `lab up --state %s`", dir, dir)
	}
	return s, err
}
