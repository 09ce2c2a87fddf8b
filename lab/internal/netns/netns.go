// Package netns runs a program in network and mount namespaces of its own that need no clean-up: they belong to the
// process alone and vanish with it, and with them the pair of virtual interfaces that leads there.
package netns

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// Cloneflags are what the process must be started with.
	Cloneflags = unix.CLONE_NEWNET | unix.CLONE_NEWNS
	// RunCommand is the lab's hidden command that runs in the namespaces and supervises the program there.
	RunCommand = "namespace-run"
	// ProbeCommand is the lab's hidden command that says whether Felix could run in such a namespace.
	ProbeCommand = "namespace-probe"

	insideName = "eth0"
	// pairs is how many /30 networks fit into 198.18.0.0/15, which RFC 2544 sets aside for tests.
	pairs        = 1 << 15
	pairAttempts = 20
	prefixBits   = 30
)

var testNet = netip.MustParseAddr("198.18.0.0")

// Link is a pair of interfaces between this machine and a namespace that is yet to be attached.
type Link struct {
	// Host and Inside are the addresses of the two ends.
	Host, Inside string
	hostName     string
	peerName     string
}

// NewLink creates a pair with a /30 network that nothing on this machine uses.
func NewLink() (*Link, error) {
	var last error
	for range pairAttempts {
		host, inside, err := freePair()
		if err != nil {
			return nil, err
		}
		id := strconv.FormatUint(uint64(rand.Uint32()), 36)
		link := &Link{Host: host.String(), Inside: inside.String(), hostName: "labh" + id, peerName: "labp" + id}
		if last = link.create(); last == nil {
			return link, nil
		}
		if !errors.Is(last, unix.EEXIST) {
			break
		}
	}
	return nil, fmt.Errorf("create a pair of virtual interfaces: %w", last)
}

func (l *Link) create() error {
	attributes := netlink.NewLinkAttrs()
	attributes.Name = l.hostName
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: l.peerName}); err != nil {
		return err
	}
	if err := configure(l.hostName, l.Host); err != nil {
		return errors.Join(err, l.Remove())
	}
	return nil
}

// Attach moves the inner end into the network namespace of the process pid.
func (l *Link) Attach(pid int) error {
	peer, err := netlink.LinkByName(l.peerName)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", l.peerName, err)
	}
	if err := netlink.LinkSetNsPid(peer, pid); err != nil {
		return fmt.Errorf("move interface %s into the namespace of process %d: %w", l.peerName, pid, err)
	}
	return nil
}

// Remove deletes the pair, also where the namespace took it along already.
func (l *Link) Remove() error {
	host, err := netlink.LinkByName(l.hostName)
	if errors.As(err, &netlink.LinkNotFoundError{}) {
		return nil
	} else if err != nil {
		return fmt.Errorf("find interface %s: %w", l.hostName, err)
	}
	// The end of the namespace deletes the pair as well, perhaps at this moment.
	if err := netlink.LinkDel(host); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("delete interface %s: %w", l.hostName, err)
	}
	return nil
}

func configure(name, address string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	parsed, err := netlink.ParseAddr(address + "/" + strconv.Itoa(prefixBits))
	if err != nil {
		return fmt.Errorf("parse address: %w", err)
	}
	if err := netlink.AddrAdd(link, parsed); err != nil {
		return fmt.Errorf("add address %s to %s: %w", address, name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("bring up %s: %w", name, err)
	}
	return nil
}

func freePair() (host, inside netip.Addr, err error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return host, inside, fmt.Errorf("list this machine's addresses: %w", err)
	}
	for range pairAttempts {
		host, inside = pairAt(rand.IntN(pairs))
		if free(addresses, host) {
			return host, inside, nil
		}
	}
	return host, inside, errors.New("no free network of 198.18.0.0/15 found")
}

// pairAt returns the two host addresses of the i-th /30 network.
func pairAt(i int) (host, inside netip.Addr) {
	base := testNet.As4()
	value := uint32(base[0])<<24 | uint32(base[1])<<16 | uint32(i)<<2
	at := func(offset uint32) netip.Addr {
		v := value + offset
		return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)})
	}
	return at(1), at(2)
}

func free(addresses []net.Addr, candidate netip.Addr) bool {
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && network.Contains(candidate.AsSlice()) {
			return false
		}
	}
	return true
}

// Release tells the process that waits in its namespace that the link is there, and closes the gate.
func Release(gate io.WriteCloser) error {
	if _, err := gate.Write([]byte{1}); err != nil {
		return errors.Join(fmt.Errorf("release the namespace's process: %w", err), gate.Close())
	}
	return gate.Close()
}

// gateTimeout bounds the wait of the process in the namespace.
const gateTimeout = 30 * time.Second

// Command returns the arguments with which the lab's own executable runs program in its namespace, once link is there. Descriptor 3 must be the reading end of a pipe.
func Command(link *Link, program string, args ...string) []string {
	return append([]string{RunCommand, strconv.Itoa(os.Getpid()), link.peerName, link.Inside, link.Host, program}, args...)
}
