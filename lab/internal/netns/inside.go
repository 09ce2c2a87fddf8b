package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Felix ends with this code when its configuration changed, and what supervises it in its pod starts it again.
const (
	restartCode = 129
	maxRestarts = 100
)

// Run runs in the new namespaces: it waits for the link, configures it and runs the program, as the supervisor in the
// calico-node container does. It returns the program's exit code. Its arguments are what Command made, less the command's
// name.
func Run(args []string) (int, error) {
	if len(args) < 5 {
		return 0, errors.New("too few arguments: this command is for the lab itself")
	}
	parent, peer, inside, host := args[0], args[1], args[2], args[3]
	if strconv.Itoa(os.Getppid()) != parent {
		return 0, errors.New("the lab has ended")
	}
	if err := awaitGate(); err != nil {
		return 0, err
	}
	if err := privateMounts(); err != nil {
		return 0, err
	}
	if err := configureInside(peer, inside, host); err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	for range maxRestarts {
		code, err := runOnce(signals, args[4:])
		if err != nil || code != restartCode {
			return code, err
		}
	}
	return restartCode, nil
}

func runOnce(signals <-chan os.Signal, command []string) (int, error) {
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

func awaitGate() error {
	gate := os.NewFile(3, "gate")
	defer gate.Close()
	if err := gate.SetReadDeadline(time.Now().Add(gateTimeout)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return fmt.Errorf("bound the wait for the link: %w", err)
	}
	if _, err := gate.Read(make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for the link: %w", err)
	}
	return nil
}

// felixFiles is where Felix leaves files (the MTU that it found), at a path that nothing can change.
const felixFiles = "/var/lib"

// privateMounts keeps what Felix mounts (a BPF file system, for one) and writes from this machine, and shows it the
// interfaces of its own namespace in /sys.
func privateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return fmt.Errorf("mount /sys: %w", err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return fmt.Errorf("find the working directory: %w", err)
	}
	if strings.HasPrefix(dir, felixFiles+"/") {
		// The lab's own directory is there, with the kubeconfig that Felix reads.
		return nil
	}
	if err := unix.Mount("tmpfs", felixFiles, "tmpfs", 0, "size=1m"); err != nil {
		return fmt.Errorf("mount %s: %w", felixFiles, err)
	}
	return nil
}

func configureInside(peer, inside, host string) error {
	loopback, err := netlink.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find interface lo: %w", err)
	}
	if err := netlink.LinkSetUp(loopback); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	link, err := netlink.LinkByName(peer)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", peer, err)
	}
	if err := netlink.LinkSetName(link, insideName); err != nil {
		return fmt.Errorf("rename interface %s: %w", peer, err)
	}
	if err := configure(insideName, inside); err != nil {
		return err
	}
	if err := netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(host)}); err != nil {
		return fmt.Errorf("add the default route: %w", err)
	}
	return nil
}

// Backends of iptables, as FELIX_IPTABLESBACKEND names them.
const (
	BackendNFT    = "NFT"
	BackendLegacy = "Legacy"
)

const probeTimeout = 10 * time.Second

// Probe runs in new namespaces and returns the iptables backend that works there, or what is missing.
func Probe(ctx context.Context) (string, error) {
	if err := privateMounts(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
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
