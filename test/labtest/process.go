package labtest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tick is the unit of times in /proc/PID/stat, USER_HZ, which is the same on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// Memory is the resident memory of the collector now and at its most, in bytes.
func (c *Collector) Memory(t *testing.T) (now, peak int) {
	t.Helper()
	return c.status(t, "VmRSS"), c.status(t, "VmHWM")
}

// Anonymous is the resident memory of the collector that is not of files, in bytes: unlike the pages of its program it cannot be taken from it.
func (c *Collector) Anonymous(t *testing.T) int {
	t.Helper()
	return c.status(t, "RssAnon")
}

// status is a size in /proc/PID/status, in bytes.
func (c *Collector) status(t *testing.T, key string) int {
	t.Helper()
	_, rest, _ := strings.Cut(c.proc(t, "status"), key+":")
	kib, err := strconv.Atoi(strings.Fields(rest + " ?")[0])
	if err != nil {
		t.Fatalf("%s of a process: %v", key, err)
	}
	return kib << 10
}

// CPU is the time that the collector has computed for, on all cores.
func (c *Collector) CPU(t *testing.T) time.Duration {
	t.Helper()
	// The name of the program may have anything in it, and ends with the last parenthesis; utime and stime are fields 14 and 15, it is the second.
	stat := c.proc(t, "stat")
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	var total time.Duration
	for _, field := range fields[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			t.Fatalf("time of a process: %v", err)
		}
		total += time.Duration(ticks) * tick
	}
	return total
}

// Files is how many files and connections the collector has open.
func (c *Collector) Files(t *testing.T) int {
	t.Helper()
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", c.PID()))
	if err != nil {
		t.Fatal(err)
	}
	return len(open)
}

func (c *Collector) proc(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.PID(), file))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
