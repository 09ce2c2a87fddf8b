package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryShare is how much of a container's memory Go may take before it collects garbage at any price. It is below the share from which on memory_limiter
// refuses in the published configurations, so that nothing is refused for garbage.
const memoryShare = 0.6

// Without a limit Go lets the heap grow to twice of what is in use, however small the container, until the kernel ends the process. GOMEMLIMIT, or another
// share in AUTOMEMLIMIT, is taken instead where it is set.
func init() {
	_, err := memlimit.Set(memlimit.WithRatio(memoryShare))
	if err != nil && !errors.Is(err, memlimit.ErrNoCgroup) && !errors.Is(err, memlimit.ErrCgroupsNotSupported) {
		fmt.Fprintln(os.Stderr, "the memory of the container is not taken into account:", err)
	}
}
