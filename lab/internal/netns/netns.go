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
	"strings"

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
	hostPrefix = "labh"
	// pairs is how many /30 networks fit into 198.18.0.0/15, which RFC 2544 sets aside for tests.
	pairs        = 1 << 15
	pairAttempts = 20
	prefixBits   = 30
)

var testNet = netip.MustParseAddr("198.18.0.0")

// Link is a /30 network for a pair of interfaces between this machine and a namespace.
type Link struct {
	// Host and Inside are the addresses of the two ends.
	Host, Inside string
}

// NewLink chooses a network that nothing on this machine uses. It creates nothing.
func NewLink() (Link, error) {
	host, inside, err := freePair()
	if err != nil {
		return Link{}, err
	}
	return Link{Host: host.String(), Inside: inside.String()}, nil
}

// Connect creates the pair with its inner end in the network namespace of the process pid from the first moment. So the
// kernel removes the pair with that namespace, and nothing else has to, but for one case: the kernel takes its time, and a
// pair of this link that led to an earlier process must not be beside the new one.
func (l Link) Connect(pid int) error {
	err := l.disconnect()
	if err != nil {
		return err
	}
	for range pairAttempts {
		attributes := netlink.NewLinkAttrs()
		attributes.Name = hostPrefix + strconv.FormatUint(uint64(rand.Uint32()), 36)
		err = netlink.LinkAdd(&netlink.Veth{LinkAttrs: attributes, PeerName: insideName, PeerNamespace: netlink.NsPid(pid)})
		if err == nil {
			return configure(attributes.Name, l.Host)
		}
		if !errors.Is(err, unix.EEXIST) {
			break
		}
	}
	return fmt.Errorf("create a pair of virtual interfaces into the namespace of process %d: %w", pid, err)
}

// disconnect removes the pair of this link, if there is one.
func (l Link) disconnect() error {
	address, err := netlink.ParseAddr(l.Host + "/" + strconv.Itoa(prefixBits))
	if err != nil {
		return fmt.Errorf("parse address: %w", err)
	}
	addresses, err := netlink.AddrList(nil, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list this machine's addresses: %w", err)
	}
	for _, found := range addresses {
		if !found.Equal(*address) || !strings.HasPrefix(found.Label, hostPrefix) {
			continue
		}
		attributes := netlink.NewLinkAttrs()
		attributes.Name, attributes.Index = found.Label, found.LinkIndex
		// Meanwhile the kernel may have removed it, which is as good.
		if err := netlink.LinkDel(&netlink.Veth{LinkAttrs: attributes}); err != nil && !errors.Is(err, unix.ENODEV) {
			return fmt.Errorf("remove %s, which led to an earlier process: %w", found.Label, err)
		}
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

// Command returns the arguments with which the lab's own executable runs program in its namespace, once link is connected:
// descriptor 3 must be the reading end of a pipe, whose other end Release takes. What the program needs of hiddenDir must be
// in its own directory or in the working directory.
func Command(link Link, program string, args ...string) []string {
	return append([]string{RunCommand, strconv.Itoa(os.Getpid()), link.Inside, link.Host, program}, args...)
}
