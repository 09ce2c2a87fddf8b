package build

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/otelcol-calico/otelcol-calico/lab/internal/process"
	"github.com/otelcol-calico/otelcol-calico/lab/internal/progress"
)

// interruptGrace is how long the go command and what it runs may take to end.
const interruptGrace = 10 * time.Second

// labModule is the go.mod line by which the repository's root is recognised.
const labModule = "module github.com/otelcol-calico/otelcol-calico/lab"

// FindRoot returns the repository that holds the lab: dir or the nearest directory above it with the lab's go.mod.
func FindRoot(dir string) (string, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		content, err := os.ReadFile(filepath.Join(at, "lab", "go.mod"))
		if err == nil && strings.HasPrefix(string(content), labModule+"\n") {
			return at, nil
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return "", fmt.Errorf("find the repository: %w", err)
		}
		if at == filepath.Dir(at) {
			return "", fmt.Errorf("no repository with lab/go.mod at or above %s: name it with --root", start)
		}
	}
}

// Build makes every program in bin that is not current, and copies the CustomResourceDefinitions beside them.
func Build(ctx context.Context, root, bin string, out *progress.Printer) error {
	labDir := filepath.Join(root, "lab")
	bin, err := filepath.Abs(bin)
	if err != nil {
		return fmt.Errorf("--bin: %w", err)
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return fmt.Errorf("--bin: %w", err)
	}
	all, done := len(Programs()), 0
	for _, m := range modules {
		goVersion, err := moduleGoVersion(ctx, labDir, m)
		if err != nil {
			return err
		}
		want, err := stamp(labDir, m, goVersion)
		if err != nil {
			return err
		}
		if fresh, err := current(bin, m, want); err != nil {
			return err
		} else if fresh {
			done += len(m.programs)
			out.Printf("%s: nothing changed, %d programs kept (%d of %d)", m.name, len(m.programs), done, all)
			continue
		}
		if err := removeStamp(bin, m); err != nil {
			return err
		}
		for _, p := range m.programs {
			done++
			if err := out.Step(fmt.Sprintf("building %s (%d of %d)", p.name, done, all), func() error {
				args := append(append([]string{"build"}, flags(m)...), "-o", filepath.Join(bin, p.name), p.packages)
				_, err := run(ctx, filepath.Join(labDir, m.dir), args...)
				return err
			}); err != nil {
				return fmt.Errorf("build %s: %w", p.name, err)
			}
		}
		if m.name == modules[0].name {
			if err := copyCRDs(ctx, labDir, bin); err != nil {
				return err
			}
		}
		if err := writeStamp(bin, m, want); err != nil {
			return err
		}
	}
	out.Printf("all programs of the lab are in %s", bin)
	return nil
}

// moduleGoVersion is the version of Go that the module is built with, which its go.mod has a say in.
func moduleGoVersion(ctx context.Context, labDir string, m module) (string, error) {
	version, err := run(ctx, filepath.Join(labDir, m.dir), "env", "GOVERSION")
	return strings.TrimSpace(version), err
}

func flags(m module) []string {
	args := []string{"-trimpath", "-ldflags=-s -w"}
	if m.tags != "" {
		args = append(args, "-tags="+m.tags)
	}
	return args
}

// run runs the go command. The person's GOFLAGS, workspace and cross-compilation must not change what is built.
func run(ctx context.Context, dir string, args ...string) (string, error) {
	// go build removes its temporary files on no signal.
	temporary, err := os.MkdirTemp("", "lab-build-")
	if err != nil {
		return "", fmt.Errorf("make a temporary directory: %w", err)
	}
	defer os.RemoveAll(temporary)
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly -buildvcs=false", "GOWORK=off", "CGO_ENABLED=0", "GOOS=", "GOARCH=", "GOTMPDIR="+temporary)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// SIGINT is the only signal that the go command handles, and it starts compilers.
	err = process.Run(ctx, cmd, process.RunOptions{Interrupt: syscall.SIGINT, Grace: interruptGrace, Family: true})
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, strings.TrimSpace(stdout.String()+stderr.String()))
	}
	return stdout.String(), nil
}

func copyCRDs(ctx context.Context, labDir, bin string) error {
	moduleDir, err := run(ctx, labDir, "list", "-m", "-f", "{{.Dir}}", calicoModule)
	if err != nil {
		return err
	}
	return copyCRDsOf(strings.TrimSpace(moduleDir), bin)
}

func copyCRDsOf(moduleDir, bin string) error {
	for group, pattern := range crdSources {
		paths, err := filepath.Glob(filepath.Join(moduleDir, filepath.FromSlash(pattern)))
		if err == nil && len(paths) == 0 {
			err = errors.New("there are none")
		}
		if err != nil {
			return fmt.Errorf("find the CRDs %s in module %s: %w", pattern, calicoModule, err)
		}
		target := CRDDirs(bin, group)[0]
		if err := os.RemoveAll(target); err != nil {
			return fmt.Errorf("copy CRDs: %w", err)
		}
		if err := os.MkdirAll(target, 0o755); err != nil {
			return fmt.Errorf("copy CRDs: %w", err)
		}
		for _, path := range paths {
			content, err := os.ReadFile(path)
			if err != nil {
				return fmt.Errorf("copy CRDs: %w", err)
			}
			if err := os.WriteFile(filepath.Join(target, filepath.Base(path)), content, 0o644); err != nil {
				return fmt.Errorf("copy CRDs: %w", err)
			}
		}
	}
	return nil
}
