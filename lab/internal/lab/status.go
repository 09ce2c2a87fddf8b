package lab

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/state"
)

// PartStatus is how one part of a lab is.
type PartStatus struct {
	Name string
	Pid  int
	// Address is the part's URL, empty if only the lab itself uses it.
	Address string
	// Err is nil if the part runs and answers.
	Err error
}

// Check asks every part of a lab how it is, in the order of their names.
func Check(ctx context.Context, s state.State) []PartStatus {
	probes := map[string]func(context.Context) error{
		// Whether it answers is asked, not who it is: clients verify the certificate.
		partAPIServer:  process.HTTPProbe(probeClient(&tls.Config{InsecureSkipVerify: true}), s.APIServerURL+"/readyz", nil),
		partPrometheus: process.HTTPProbe(probeClient(nil), s.PrometheusURL+"/-/ready", nil),
	}
	addresses := map[string]string{partAPIServer: s.APIServerURL, partPrometheus: s.PrometheusURL}
	for _, component := range s.Components {
		addresses[component.Job] = MetricsURL(component)
		probes[component.Job] = process.HTTPProbe(probeClient(nil), MetricsURL(component), nil)
	}
	var parts []PartStatus
	for _, name := range slices.Sorted(maps.Keys(s.Pids)) {
		part := PartStatus{Name: name, Pid: s.Pids[name], Address: addresses[name]}
		if !alive(part.Pid) {
			part.Err = errors.New("has ended")
		} else if probe := probes[name]; probe != nil {
			part.Err = probe(ctx)
		}
		parts = append(parts, part)
	}
	return parts
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

// alive says whether a process of that id runs. One that has ended and that nobody has asked about yet does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	// The state follows the command, which may itself contain parentheses.
	_, state, found := strings.Cut(string(stat[max(0, bytes.LastIndexByte(stat, ')')):]), " ")
	return found && !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}
