//go:build e2e

package faults

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-calico/otelcol-calico/test/labtest"
)

// network is a switch, in a network namespace of its own where no firewall of this machine is in the way, and the stations that are connected to it.
type network struct {
	// namespaces is the process that has those of the switch.
	namespaces string
	// host is this machine.
	host *station
	// next is the address of the next station.
	next netip.Addr
}

// station has an address in a network.
type station struct {
	network *network
	// enter is the command that runs another one there; empty for this machine.
	enter           []string
	device, address string
}

// connecting is held while addresses are chosen: they count as used once this machine has one of them.
var connecting sync.Mutex

// newNetwork makes one with this machine in it, which takes root. It ends with the test, also with one that is killed.
func newNetwork(t *testing.T) *network {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	if output, err := exec.Command("unshare", "--net", "--mount", "ip", "link", "add", "type", "bridge").CombinedOutput(); err != nil {
		t.Skipf("a network cannot be made here: %v: %s", err, output)
	}
	n := &network{namespaces: namespaces(t)}
	run(t, entering(t, n.namespaces), "ip", "link", "add", "switch", "up", "type", "bridge")
	connecting.Lock()
	defer connecting.Unlock()
	n.next = unused(t).Addr().Next()
	n.host = n.connect(t, nil, "flt"+strconv.FormatUint(uint64(rand.Uint32()), 36))
	return n
}

// namespaces starts a process that does nothing, with network and mount namespaces of its own. They end with it, and it with the test.
func namespaces(t *testing.T) (pid string) {
	t.Helper()
	own, err := os.Readlink("/proc/self/ns/net")
	require.NoError(t, err)
	cmd := exec.Command("unshare", "--net", "--mount", "sleep", "infinity")
	stop, _, err := labtest.Run(cmd)
	require.NoError(t, err)
	t.Cleanup(func() { _ = stop() }) // the signal ends it
	pid = strconv.Itoa(cmd.Process.Pid)
	require.Eventually(t, func() bool {
		name, err := os.Readlink("/proc/" + pid + "/exe")
		if err != nil || !strings.HasSuffix(name, "sleep") {
			return false
		}
		its, err := os.Readlink("/proc/" + pid + "/ns/net")
		return err == nil && its != own
	}, patience, poll)
	return pid
}

// entering is the command that runs another one in the namespaces of a process, in this directory.
func entering(t *testing.T, pid string) []string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	return []string{"nsenter", "--target", pid, "--net", "--mount", "--wd=" + dir}
}

// unused is a network of 198.18.0.0/15, which RFC 2544 sets aside for tests, that this machine has no address in.
func unused(t *testing.T) netip.Prefix {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for range 20 {
		candidate := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, byte(18 + rand.IntN(2)), byte(rand.IntN(256)), 0}), 24)
		if !slices.ContainsFunc(addresses, func(a net.Addr) bool {
			used, err := netip.ParsePrefix(a.String())
			return err == nil && used.Overlaps(candidate)
		}) {
			return candidate
		}
	}
	t.Fatal("no network of 198.18.0.0/15 is unused")
	return netip.Prefix{}
}

// add connects a namespace.
func (n *network) add(t *testing.T) *station {
	t.Helper()
	s := n.connect(t, entering(t, namespaces(t)), "eth0")
	s.run(t, "ip", "link", "set", "lo", "up")
	return s
}

// connect leads from a station to the switch. What leads there ends with either of them.
func (n *network) connect(t *testing.T, enter []string, device string) *station {
	t.Helper()
	s := &station{network: n, enter: enter, device: device, address: n.next.String()}
	n.next = n.next.Next()
	port := "to-" + s.address[strings.LastIndexByte(s.address, '.')+1:]
	s.run(t, "ip", "link", "add", device, "type", "veth", "peer", "name", port, "netns", n.namespaces)
	run(t, entering(t, n.namespaces), "ip", "link", "set", port, "up", "master", "switch")
	s.run(t, "ip", "addr", "add", s.address+"/24", "dev", device)
	s.run(t, "ip", "link", "set", device, "up")
	return s
}

// nobody has this hardware address.
const nobody = "02:00:00:00:00:01"

// silence has nothing that from sends to another station arrive, of which neither is told.
func silence(t *testing.T, from, to *station) {
	t.Helper()
	from.run(t, "ip", "neigh", "replace", to.address, "lladdr", nobody, "dev", from.device, "nud", "permanent")
}

// hear undoes it.
func hear(t *testing.T, from, to *station) {
	t.Helper()
	from.run(t, "ip", "neigh", "del", to.address, "dev", from.device)
}

// onLoopback is a server of this machine that no namespace reaches.
var onLoopback = regexp.MustCompile(`http://127\.[0-9.]+:[0-9]+`)

// hold has a collector run at a station. The servers that it is told of are forwarded to.
func (s *station) hold(t *testing.T, m *member) {
	t.Helper()
	m.under = s.enter
	for i, variable := range m.env {
		m.env[i] = onLoopback.ReplaceAllStringFunc(variable, func(url string) string {
			return "http://" + newForwarderAt(t, s.network.host.address, strings.TrimPrefix(url, "http://")).address
		})
	}
}

func (s *station) run(t *testing.T, command ...string) {
	t.Helper()
	run(t, s.enter, command...)
}

func run(t *testing.T, enter []string, command ...string) {
	t.Helper()
	args := slices.Concat(enter, command)
	output, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "%s: %s", strings.Join(args, " "), output)
}
