package netns

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// gateDescriptor is that of the first of exec.Cmd's ExtraFiles.
const gateDescriptor = 3

// Run runs in the new namespaces: it waits for the link, configures it and runs the program. It returns the program's exit
// code. Its arguments are what Command made, less the command's name.
func Run(args []string) (int, error) {
	if len(args) < 4 {
		return 0, errors.New("too few arguments: this command is for the lab itself")
	}
	parent, link, command := args[0], Link{Inside: args[1], Host: args[2]}, args[3:]
	if strconv.Itoa(os.Getppid()) != parent {
		return 0, errors.New("the lab has ended")
	}
	if err := awaitGate(os.NewFile(gateDescriptor, "gate")); err != nil {
		return 0, err
	}
	dir, err := os.Getwd()
	if err != nil {
		return 0, fmt.Errorf("find the working directory: %w", err)
	}
	if err := privateMounts(dir, filepath.Dir(command[0])); err != nil {
		return 0, err
	}
	if err := configureInside(link); err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	return runTied(signals, command)
}

// runTied runs the program, which ends with this process and gets its signals, and returns the program's exit code.
func runTied(signals <-chan os.Signal, command []string) (int, error) {
	// The parent-death signal is sent when the thread ends that forked.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("run %s: %w", command[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case received := <-signals:
			// An error means that it has ended already.
			_ = cmd.Process.Signal(received)
		case err := <-ended:
			var exit *exec.ExitError
			switch {
			case err == nil:
				return 0, nil
			case errors.As(err, &exit) && exit.Exited():
				return exit.ExitCode(), nil
			default:
				return 0, fmt.Errorf("run %s: %w", command[0], err)
			}
		}
	}
}

// awaitGate waits for Release, and fails when the lab's end of the pipe is closed without it.
func awaitGate(gate *os.File) error {
	defer gate.Close()
	if _, err := gate.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for the link: %w", err)
	}
	return nil
}

// hiddenDir is where Felix leaves files (calico/mtu, the MTU that it found), at a path that nothing can change. Its parent is
// hidden, not the directory itself, because that would have to be made on a machine that has none.
const hiddenDir = "/var/lib"

// privateMounts keeps what Felix mounts (a BPF file system, for one) and writes from this machine, and shows it the
// interfaces of its own namespace in /sys. The directories kept stay what they are, also below hiddenDir.
func privateMounts(kept ...string) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("mount /sys: %w", err)
	}
	return hide(hiddenDir, kept)
}

// hide puts an empty file system over dir, in which only the directories kept that are below dir are what they were.
func hide(dir string, kept []string) error {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return fmt.Errorf("hide %s: %w", dir, err)
	}
	below := map[string]*os.File{}
	for _, path := range kept {
		real, err := filepath.EvalSymlinks(path)
		if err != nil {
			return fmt.Errorf("keep %s: %w", path, err)
		}
		opened, err := os.Open(real)
		if err != nil {
			return fmt.Errorf("keep %s: %w", path, err)
		}
		defer opened.Close()
		// By either name it may be asked for.
		for _, name := range []string{path, real} {
			if strings.HasPrefix(name, dir+"/") {
				below[name] = opened
			}
		}
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m,mode=755"); err != nil {
		return fmt.Errorf("hide %s: %w", dir, err)
	}
	// Outer directories first: an inner one is there already with them.
	for _, name := range slices.Sorted(maps.Keys(below)) {
		if err := os.MkdirAll(name, 0o755); err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
		if err := unix.Mount(fmt.Sprintf("/proc/self/fd/%d", below[name].Fd()), name, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("keep %s: %w", name, err)
		}
	}
	return nil
}

func configureInside(link Link) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	if err := configure(insideName, link.Inside); err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(link.Host)}); err != nil {
		return fmt.Errorf("add the default route: %w", err)
	}
	return nil
}

// Backends of iptables, as FELIX_IPTABLESBACKEND names them.
const (
	BackendNFT    = "NFT"
	BackendLegacy = "Legacy"
)

const (
	probeTimeout   = 10 * time.Second
	connectTimeout = 3 * time.Second
)

// Probe runs in new namespaces and returns the iptables backend that works there, or what is missing. Its arguments are the
// inner address of a link and an address on which the lab listens at the other end.
func Probe(ctx context.Context, inside, target string) (string, error) {
	if err := awaitGate(os.NewFile(gateDescriptor, "gate")); err != nil {
		return "", err
	}
	if err := privateMounts(); err != nil {
		return "", err
	}
	host, _, err := net.SplitHostPort(target)
	if err != nil {
		return "", fmt.Errorf("parse the lab's address: %w", err)
	}
	if err := configureInside(Link{Host: host, Inside: inside}); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	dialer := net.Dialer{Timeout: connectTimeout}
	connection, err := dialer.DialContext(ctx, "tcp", target)
	if err != nil {
		return "", fmt.Errorf("the host's firewall lets nothing in from its interface %s*: %w", hostPrefix, err)
	}
	connection.Close()
	if out, err := exec.CommandContext(ctx, "ipset", "create", "probe", "hash:ip").CombinedOutput(); err != nil {
		return "", fmt.Errorf("ipset does not work in this kernel: %s", oneLine(out, err))
	}
	var reasons []string
	for _, candidate := range []struct{ backend, program string }{{BackendNFT, "iptables-nft"}, {BackendLegacy, "iptables-legacy"}} {
		out, err := exec.CommandContext(ctx, candidate.program, "-w", "-t", "filter", "-A", "INPUT",
			"-m", "set", "--match-set", "probe", "src", "-m", "comment", "--comment", "probe", "-j", "ACCEPT").CombinedOutput()
		if err == nil {
			return candidate.backend, nil
		}
		reasons = append(reasons, candidate.program+": "+oneLine(out, err))
	}
	return "", fmt.Errorf("iptables does not work in this kernel: %s", strings.Join(reasons, "; "))
}

func oneLine(out []byte, err error) string {
	if text := strings.Join(strings.Fields(string(out)), " "); text != "" {
		return text
	}
	return err.Error()
}
