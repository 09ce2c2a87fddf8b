package netns

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
)

// roleVariable makes the test binary one of the processes that the tests start.
const roleVariable = "LAB_TEST_ROLE"

const (
	waitFor = 20 * time.Second
	tick    = 20 * time.Millisecond
)

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == ProbeCommand {
		exit(printed(Probe(context.Background(), os.Args[2], os.Args[3])))
	}
	switch role, argument, _ := strings.Cut(os.Getenv(roleVariable), ":"); role {
	case "":
		goleak.VerifyTestMain(m)
	case "idle":
		fmt.Println("ready")
		<-time.After(time.Hour)
	case "lab":
		exit(connectAndWait())
	case "hide":
		exit(hideAndWrite(argument))
	case "support":
		exit(printed(Support(context.Background())))
	case "support-behind-firewall":
		if out, err := exec.Command("iptables", "-P", "INPUT", "DROP").CombinedOutput(); err != nil {
			exit(fmt.Errorf("%w: %s", err, out))
		}
		exit(printed(Support(context.Background())))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func printed(text string, err error) error {
	if err == nil {
		fmt.Println(text)
	}
	return err
}

func role(role string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{roleVariable + "=" + role, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// connectAndWait is a lab that connects the namespace of a child, tells both and waits to be killed.
func connectAndWait() error {
	supervisor, err := process.NewSupervisor(os.TempDir(), nil)
	if err != nil {
		return err
	}
	child, err := supervisor.Start(process.Spec{
		Name: "netns-test-idle", Path: os.Args[0], Env: []string{roleVariable + "=idle"}, Cloneflags: Cloneflags,
	})
	if err != nil {
		return err
	}
	link, err := NewLink()
	if err != nil {
		return err
	}
	if err := link.Connect(child.Pid()); err != nil {
		return err
	}
	fmt.Println(link.Host)
	<-time.After(time.Hour)
	return nil
}

// hideAndWrite is Felix: it finds its files, and writes where it always writes.
func hideAndWrite(dir string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	kept := filepath.Join(dir, "lab", "state")
	if err := hide(dir, []string{kept, filepath.Join(dir, "link"), os.TempDir()}); err != nil {
		return err
	}
	for _, path := range []string{filepath.Join(kept, "felix.kubeconfig"), filepath.Join(dir, "link", "felix"), filepath.Join(dir, "bin", "felix")} {
		if _, err := os.ReadFile(path); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "other")); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("other is not hidden: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "calico"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "calico", "mtu"), []byte("1500"), 0o600)
}

func needRoot(t *testing.T, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
}

func hostHas(t *testing.T, address string) bool {
	t.Helper()
	return hostCount(t, address) > 0
}

// hostCount is how many interfaces have the address.
func hostCount(t *testing.T, address string) int {
	t.Helper()
	addresses, err := net.InterfaceAddrs()
	require.NoError(t, err)
	return len(slices.DeleteFunc(addresses, func(a net.Addr) bool { return a.String() != address+"/30" }))
}

func TestALinkEndsWithTheNamespace(t *testing.T) {
	needRoot(t)
	link, err := NewLink()
	require.NoError(t, err)
	require.False(t, hostHas(t, link.Host), "nothing is made before there is a namespace")
	child := role("idle")
	child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: Cloneflags}
	require.NoError(t, child.Start())
	require.NoError(t, link.Connect(child.Process.Pid))
	require.True(t, hostHas(t, link.Host))
	require.NoError(t, child.Process.Kill())
	require.Error(t, child.Wait())
	require.Eventually(t, func() bool { return !hostHas(t, link.Host) }, waitFor, tick)
	require.Error(t, link.Connect(child.Process.Pid))
	require.False(t, hostHas(t, link.Host), "nothing is made for a process that has ended")
}

func TestALinkLeadsToTheNewestProcessOnly(t *testing.T) {
	needRoot(t)
	link, err := NewLink()
	require.NoError(t, err)
	for range 3 {
		child := role("idle")
		child.SysProcAttr = &syscall.SysProcAttr{Cloneflags: Cloneflags}
		require.NoError(t, child.Start())
		t.Cleanup(func() {
			require.NoError(t, child.Process.Kill())
			require.Error(t, child.Wait())
			require.Eventually(t, func() bool { return !hostHas(t, link.Host) }, waitFor, tick)
		})
		require.NoError(t, link.Connect(child.Process.Pid))
		require.Equal(t, 1, hostCount(t, link.Host))
	}
}

func TestAKilledLabLeavesNoLink(t *testing.T) {
	needRoot(t)
	lab := role("lab")
	lab.Env = append(lab.Env, "TMPDIR="+t.TempDir())
	output, err := lab.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, lab.Start())
	line, err := bufio.NewReader(output).ReadString('\n')
	require.NoError(t, err)
	host := strings.TrimSpace(line)
	require.True(t, hostHas(t, host), line)
	require.NoError(t, lab.Process.Kill())
	require.Error(t, lab.Wait())
	require.Eventually(t, func() bool { return !hostHas(t, host) }, waitFor, tick)
}

func TestHideKeepsWhatFelixNeedsAndNothingThatItWrites(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	for _, path := range []string{"lab/state/felix.kubeconfig", "bin/felix", "other/file"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), nil, 0o600))
	}
	require.NoError(t, os.Symlink("bin", filepath.Join(dir, "link")))
	felix := role("hide:" + dir)
	felix.SysProcAttr = &syscall.SysProcAttr{Cloneflags: Cloneflags}
	out, err := felix.CombinedOutput()
	require.NoError(t, err, string(out))
	require.NoDirExists(t, filepath.Join(dir, "calico"))
}

func TestSupportSaysThatAFirewallIsInTheWay(t *testing.T) {
	needRoot(t, "iptables", "ipset", "ip")
	open, err := inNamespace("support")
	if err != nil {
		t.Skip("Felix cannot run on this machine at all: " + open)
	}
	require.Contains(t, []string{BackendNFT, BackendLegacy}, open)
	answer, err := inNamespace("support-behind-firewall")
	require.Error(t, err)
	require.Contains(t, answer, "the host's firewall lets nothing in from its interface labh*")
}

// inNamespace runs a role on a machine of its own, so to say.
func inNamespace(name string) (string, error) {
	cmd := role(name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: Cloneflags}
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestAwaitGateEndsWithTheLab(t *testing.T) {
	gate, opener, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, opener.Close())
	require.ErrorContains(t, awaitGate(gate), "wait for the link")
}

func TestPairAt(t *testing.T) {
	for _, test := range []struct {
		index        int
		host, inside string
	}{
		{0, "198.18.0.1", "198.18.0.2"},
		{1, "198.18.0.5", "198.18.0.6"},
		{64, "198.18.1.1", "198.18.1.2"},
		{pairs - 1, "198.19.255.253", "198.19.255.254"},
	} {
		host, inside := pairAt(test.index)
		require.Equal(t, test.host, host.String())
		require.Equal(t, test.inside, inside.String())
	}
}

func TestFreeSkipsNetworksInUse(t *testing.T) {
	_, used, err := net.ParseCIDR("198.18.0.4/30")
	require.NoError(t, err)
	host, _ := pairAt(1)
	require.False(t, free([]net.Addr{used}, host))
	host, _ = pairAt(2)
	require.True(t, free([]net.Addr{used}, host))
}

func echoServer(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer connection.Close()
				_, _ = io.Copy(connection, connection)
			}()
		}
	}()
	return listener.Addr().String()
}

func TestForwarderCarriesBothDirectionsUntilItIsClosed(t *testing.T) {
	forwarder, err := NewForwarder("127.0.0.1", echoServer(t))
	require.NoError(t, err)
	connection, err := net.Dial("tcp", forwarder.Address())
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "ping")
	require.NoError(t, err)
	answer := make([]byte, 4)
	_, err = io.ReadFull(connection, answer)
	require.NoError(t, err)
	require.Equal(t, "ping", string(answer))

	require.NoError(t, forwarder.Close())
	_, err = connection.Read(answer)
	require.Error(t, err)
	_, err = net.Dial("tcp", forwarder.Address())
	require.Error(t, err)
}
