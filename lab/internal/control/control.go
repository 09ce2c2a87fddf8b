// Package control lets other programs stop and start the parts of a running lab: HTTP over a unix socket in the directory of
// its state, which only the lab's user can open.
package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
)

// socketName is the name of the socket in the state directory.
const socketName = "control.sock"

// Action is what can be done to a part.
type Action string

// Actions, as they are spelled in a request.
const (
	Stop    Action = "stop"
	Start   Action = "start"
	Restart Action = "restart"
)

// ErrNoPart says that a lab has no part of a name.
var ErrNoPart = errors.New("no such part")

// Parts is what is controlled: a lab. Its methods must be safe for concurrent use.
type Parts interface {
	// Parts tells how every part is.
	Parts() []process.Status
	// Control does action to a part and, if it was not one to stop it, waits until the part answers, for at most wait. It says
	// whether the part was not like that already. Its error is ErrNoPart if there is no part of that name.
	Control(ctx context.Context, name string, action Action, wait time.Duration) (changed bool, err error)
}

// outcome is the answer to a request that did what it was asked to.
type outcome struct {
	Changed bool `json:"changed"`
}

const (
	partsPath = "/parts"
	waitKey   = "wait"
)

// socket is where the socket of the lab in dir is: the address of a socket has about a hundred bytes, which the path of a
// directory may well exceed, but its descriptor does not. The caller must close the directory once the address was used.
func socket(dir string) (opened *os.File, address string, err error) {
	if opened, err = os.Open(dir); err != nil {
		return nil, "", fmt.Errorf("open the state directory: %w", err)
	}
	return opened, fmt.Sprintf("/proc/self/fd/%d/%s", opened.Fd(), socketName), nil
}
