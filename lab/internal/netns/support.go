package netns

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
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
	probe := exec.CommandContext(ctx, self, ProbeCommand)
	probe.SysProcAttr = &syscall.SysProcAttr{Cloneflags: Cloneflags}
	var stderr strings.Builder
	probe.Stderr = &stderr
	out, err := probe.Output()
	if err != nil {
		return "", fmt.Errorf("a network namespace for it does not work: %s", oneLine([]byte(stderr.String()), err))
	}
	return strings.TrimSpace(string(out)), nil
}
