package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
)

// Support says whether Felix can run on this machine: the iptables backend to use, or an error that says what is missing.
func Support(ctx context.Context) (backend string, err error) {
	if os.Geteuid() != 0 {
		return "", errors.New("it needs root, for a network namespace of its own")
	}
	var missing []string
	for _, program := range []string{"iptables", "ipset", "ip"} {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if len(missing) > 0 {
		return "", fmt.Errorf("%s not found: install the Debian packages iptables, ipset and iproute2", strings.Join(missing, ", "))
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find the lab's own executable: %w", err)
	}
	link, err := NewLink()
	if err != nil {
		return "", err
	}
	// The port must be known before the address exists.
	listener, err := net.Listen("tcp4", ":0")
	if err != nil {
		return "", fmt.Errorf("listen for the probe of a network namespace: %w", err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	gate, opener, err := os.Pipe()
	if err != nil {
		return "", fmt.Errorf("create a pipe to the namespace: %w", err)
	}
	defer gate.Close()
	probe := exec.Command(self, ProbeCommand, link.Inside, net.JoinHostPort(link.Host, strconv.Itoa(port)))
	probe.ExtraFiles = []*os.File{gate}
	var stdout, stderr strings.Builder
	probe.Stdout, probe.Stderr = &stdout, &stderr
	err = process.Run(ctx, probe, process.RunOptions{Cloneflags: Cloneflags, Started: func(pid int) error {
		if err := link.Connect(pid); err != nil {
			return errors.Join(err, opener.Close())
		}
		return Release(opener)
	}})
	if err != nil {
		// Its errors begin as the lab's own do.
		reason := strings.TrimPrefix(oneLine([]byte(stderr.String()), err), "lab: ")
		return "", fmt.Errorf("a network namespace for it does not work: %s", reason)
	}
	return strings.TrimSpace(stdout.String()), nil
}
