//go:build e2e

package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/otelcol-calico/otelcol-calico/receiver/calicoreceiver/internal/cluster"
	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

const (
	root = "../../../.."

	// interval is how many operations there are between two comparisons.
	interval = 50
	// What runs where the environment does not say: see CONFORMANCE_OPERATIONS and CONFORMANCE_SEED.
	defaultOperations = 200
	defaultSeed       = 1

	// Event to metric within 5 s is what is asked of the account; the machine may be slow. kube-controllers has its queue.
	accountPatience         = 10 * time.Second
	kubeControllersPatience = 15 * time.Second
	startPatience           = time.Minute
	poll                    = 100 * time.Millisecond

	// minPools is how many pools there are at least.
	minPools = 6
	// shownObjects bounds how many a failure shows.
	shownObjects = 20
)

// lab is the cluster that the driver changes.
var lab *labtest.Lab

func TestMain(m *testing.M) {
	labtest.Main(m, func(l *labtest.Lab) { lab = l }, "--root", root, "--layout", "manifest", "--felix", "off")
}

func fromEnvironment(t *testing.T, name string, fallback uint64) uint64 {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		return fallback
	}
	n, err := strconv.ParseUint(value, 10, 64)
	require.NoError(t, err, name)
	return n
}

// conformance is one run of the driver, with the accounts that are compared.
type conformance struct {
	seed     uint64
	driver   *driver
	watcher  *cluster.Watcher
	native   *native
	states   states
	compared int
}

func TestAccountEqualsCalicoAfterRandomOperations(t *testing.T) {
	operations := int(fromEnvironment(t, "CONFORMANCE_OPERATIONS", defaultOperations))
	run := &conformance{seed: fromEnvironment(t, "CONFORMANCE_SEED", defaultSeed), states: states{}}
	fmt.Fprintf(os.Stdout, "conformance: %d operations, seed %d\n", operations, run.seed)
	// The driver writes affinities that are virtual, which this version of Calico does not know.
	lab.Keep(t, "blockaffinities.crd.projectcalico.org", "spec")
	run.native = startNative(t)
	run.watcher, _ = watch(t, lab.Collector(t))
	run.driver = startDriver(t, lab, run.seed)
	run.settle(t, "kube-controllers at the start", startPatience, run.againstKubeControllers)
	for done := 0; done < operations; done += interval {
		run.driver.run(t, min(interval, operations-done))
		run.checkpoint(t)
		if n := len(run.driver.done); n%(10*interval) == 0 && n < operations {
			fmt.Fprintf(os.Stdout, "conformance: %d operations, %d comparisons\n", n, run.compared)
		}
	}
	run.states.refusals(run.driver.done)
	t.Logf("%s\n%s", run.driver.summary(), run.states)
	if operations >= leastForAll {
		require.Empty(t, run.states.missing(), "states that this run did not meet")
	}
	fmt.Fprintf(os.Stdout, "conformance: %d operations, %d comparisons, 0 differences\n", len(run.driver.done), run.compared)
}

// checkpoint compares the account with everything that it should equal, while nothing changes.
func (run *conformance) checkpoint(t *testing.T) {
	t.Helper()
	run.settle(t, "calicoctl and the objects", accountPatience, run.againstCalicoctl)
	run.settle(t, "kube-controllers", kubeControllersPatience, run.againstKubeControllers)

	fresh, stop := watch(t, lab.Collector(t))
	defer stop()
	run.settle(t, "an account that starts now", accountPatience, func(_ *testing.T, c *check, _ *objects) {
		now := time.Now()
		compareAccounts(c, read(c, fresh, now), read(c, run.watcher, now))
	})
	now := list(t, lab)
	require.GreaterOrEqual(t, len(now.pools), minPools)
	run.states.at(read(&check{}, run.watcher, time.Now()), now)
	run.native.mirror(t, now)
	run.settle(t, "the account of v3 CRDs, which is the one that is named below", accountPatience, func(_ *testing.T, c *check, _ *objects) {
		now := time.Now()
		compareAccounts(c, read(c, run.watcher, now), read(c, run.native.watcher, now))
	})
}

func (run *conformance) againstCalicoctl(t *testing.T, c *check, o *objects) {
	t.Helper()
	a := read(c, run.watcher, time.Now())
	compareWithCalicoctl(t, c, a, o)
	compareWithObjects(t, c, a, o)
}

func (run *conformance) againstKubeControllers(t *testing.T, c *check, o *objects) {
	t.Helper()
	published, ok := scrapeKubeControllers(t)
	c.equal("", "whether kube-controllers answers", true, ok)
	if ok {
		compareWithKubeControllers(c, read(c, run.watcher, time.Now()), o, published)
	}
}

// settle compares with something until there is no difference. What differs still when the patience is over is the failure.
func (run *conformance) settle(t *testing.T, with string, patience time.Duration, compare func(*testing.T, *check, *objects)) {
	t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		o, c := list(t, lab), &check{}
		compare(t, c, o)
		if len(c.differences) == 0 {
			run.compared += c.compared
			return
		}
		select {
		case <-deadline.C:
			run.fail(t, with, c, o)
		case <-tick.C:
		}
	}
}

func (run *conformance) fail(t *testing.T, with string, c *check, o *objects) {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "seed %d, %d operations, compared with %s: %d differences\n", run.seed, len(run.driver.done), with, len(c.differences))
	fmt.Fprintln(&text, strings.Join(c.differences, "\n"))
	fmt.Fprintf(&text, "\nthe last operations\n%s", run.driver.last())
	fmt.Fprintf(&text, "\nwhat is concerned\n%s", o.describe(t, slices.Sorted(maps.Keys(c.concerned))))
	t.Fatal(text.String())
}

// describe shows the objects of pools and of their blocks, one a line.
func (o *objects) describe(t *testing.T, pools []string) string {
	t.Helper()
	var lines []string
	show := func(u unstructured.Unstructured) {
		content, err := json.Marshal(map[string]any{"name": u.GetName(), "resourceVersion": u.GetResourceVersion(), "spec": u.Object["spec"]})
		require.NoError(t, err)
		lines = append(lines, u.GetKind()+" "+string(content))
	}
	for _, u := range o.byResource["ippools"] {
		if slices.Contains(pools, u.GetName()) {
			show(u)
		}
	}
	for _, u := range o.byResource["ipamblocks"] {
		cidr := netip.MustParsePrefix(text(t, u, "cidr"))
		if slices.ContainsFunc(o.blocks, func(b block) bool { return b.cidr == cidr && slices.Contains(pools, b.pool) }) {
			show(u)
		}
	}
	return strings.Join(lines[:min(len(lines), shownObjects)], "\n")
}
