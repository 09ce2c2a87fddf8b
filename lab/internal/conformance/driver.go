// Package conformance changes the IPAM of a running lab at random, as everything that uses Calico's IPAM in a real cluster would, and by Calico's
// own library wherever that knows how. The choices come from a seed, so that a run can be repeated.
package conformance

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/projectcalico/calico/libcalico-go/lib/backend/api"
	"github.com/projectcalico/calico/libcalico-go/lib/ipam"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/ipamops"
)

// Operation is one change, as it is told to who asked for it.
type Operation struct {
	// N counts the operations from 1.
	N  int    `json:"n"`
	Op string `json:"op"`
	// Pool and Node are those that were chosen, if any.
	Pool string `json:"pool,omitempty"`
	Node string `json:"node,omitempty"`
	// Object is what was changed: addresses, blocks, or the name of an object.
	Object string `json:"object,omitempty"`
	// Result is ok, or how Calico refused.
	Result string `json:"result"`
}

const resultOK = "ok"

// Addresses in use go to and fro between these two, so that pools fill up and empty again.
const (
	lowest  = 150
	highest = 500
)

// Driver changes the IPAM of one cluster. It is not safe for concurrent use.
type Driver struct {
	client  *ipamops.Client
	ipam    ipam.Interface
	backend api.Client
	random  *rand.Rand
	count   int
	// falling is that more addresses are released than allocated.
	falling bool
}

// New returns a Driver whose choices follow from the seed and from what it finds in the cluster.
func New(client *ipamops.Client, seed uint64) (*Driver, error) {
	calico, ok := client.Calico.(interface{ Backend() api.Client })
	if !ok {
		return nil, errors.New("the Calico client does not give access to its backend")
	}
	return &Driver{client: client, ipam: client.Calico.IPAM(), backend: calico.Backend(), random: rand.New(rand.NewPCG(seed, 0))}, nil
}

// action is a kind of operation. It fills in what it did; an error that is no answer of Calico's ends the run.
type action struct {
	name   string
	weight int
	// tide is 1 for what takes addresses and -1 for what gives them back.
	tide int
	run  func(*Driver, context.Context, *view, *Operation) error
}

var actions = []action{
	{"allocate", 24, 1, (*Driver).allocatePods},
	{"allocate-many", 6, 1, (*Driver).allocateMany},
	{"allocate-dual-stack", 4, 1, (*Driver).allocateDualStack},
	{"allocate-without-owner", 3, 1, (*Driver).allocateWithoutOwner},
	{"assign-without-handle", 5, 1, (*Driver).assignWithoutHandle},
	{"fill", 4, 1, (*Driver).fill},
	{"windows", 3, 1, (*Driver).allocateWindows},
	{"release-handle", 12, -1, (*Driver).releaseHandle},
	{"release-addresses", 7, -1, (*Driver).releaseAddresses},
	{"drain", 5, -1, (*Driver).drain},
	{"tunnel", 5, 0, (*Driver).tunnel},
	{"load-balancer", 6, 0, (*Driver).loadBalancer},
	{"release-block", 4, 0, (*Driver).releaseBlock},
	{"release-host", 1, 0, (*Driver).releaseHost},
	{"claim-block", 3, 0, (*Driver).claimBlock},
	{"configure", 3, 0, (*Driver).configure},
	{"create-reservation", 2, 0, (*Driver).createReservation},
	{"delete-reservation", 2, 0, (*Driver).deleteReservation},
	{"create-pool", 5, 0, (*Driver).createPool},
	{"delete-pool", 3, 0, (*Driver).deletePool},
	{"switch-pool", 3, 0, (*Driver).switchPool},
	{"create-node", 2, 0, (*Driver).createNode},
	{"delete-node", 1, 0, (*Driver).deleteNode},
	{"relabel-node", 2, 0, (*Driver).relabelNode},
}

// errNothing is that the cluster had nothing for an action to do: another one is chosen.
var errNothing = errors.New("nothing to do")

// Next does one operation.
func (d *Driver) Next(ctx context.Context) (Operation, error) {
	for {
		v, err := d.look(ctx)
		if err != nil {
			return Operation{}, err
		}
		chosen := d.choose(len(v.held))
		operation := Operation{N: d.count + 1, Op: chosen.name, Result: resultOK}
		err = chosen.run(d, ctx, v, &operation)
		if errors.Is(err, errNothing) {
			continue
		}
		d.count++
		if err != nil && !refused(err) {
			return operation, fmt.Errorf("operation %d, %s of pool %q on node %q: %w", operation.N, operation.Op, operation.Pool, operation.Node, err)
		}
		if err != nil {
			operation.Result = "refused: " + strings.TrimSpace(err.Error())
		}
		return operation, nil
	}
}

// choose picks an action by its weight, where so many addresses are in use.
func (d *Driver) choose(held int) action {
	switch {
	case held >= highest:
		d.falling = true
	case held <= lowest:
		d.falling = false
	}
	weight := func(a action) int {
		if a.tide == 1 && d.falling || a.tide == -1 && !d.falling {
			return max(a.weight/3, 1)
		}
		return a.weight
	}
	sum := 0
	for _, a := range actions {
		sum += weight(a)
	}
	n := d.random.IntN(sum)
	for _, a := range actions {
		if n -= weight(a); n < 0 {
			return a
		}
	}
	panic("the weights of the actions have another sum")
}

// refusals are how Calico's library says that something cannot be done as the cluster is. Many of them have no type.
var refusals = []string{
	"per host block limit",
	"cannot find a qualified ippool",
	"does not exist, or is not enabled",
	"no configured Calico pools for node",
	"free ips which is less than",     // a new block that is reserved but for a few addresses
	"failed to find or claim a block", // AutoAllocateBlocks is off
	"affinity does not match",
	"with no affinity",
	"resource already exists", // the address is taken
	"already claimed by",
	"is not empty",
	"not within any configured pools",
	"not in a configured pool",
	"conflicts with existing allocations", // blocks of another size
	"resource does not exist",
}

// refused says whether err is an answer of Calico's, and no failure to ask.
func refused(err error) bool {
	for _, text := range refusals {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

func pick[T any](d *Driver, from []T) T { return from[d.random.IntN(len(from))] }

// chance is true so many times in a hundred.
func (d *Driver) chance(percent int) bool { return d.random.IntN(100) < percent }

// id returns n bytes as the ids of containers are written.
func (d *Driver) id(n int) string {
	id := make([]byte, n)
	for i := range id {
		id[i] = byte(d.random.UintN(256))
	}
	return hex.EncodeToString(id)
}
