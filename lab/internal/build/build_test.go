package build

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
}

var testModule = module{name: "test", dir: "m", sources: []string{"main.go"}, programs: []program{{"tool", "./tool"}}}

func testLab(t *testing.T) string {
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum", "main.go"} {
		write(t, filepath.Join(dir, "m", name), name)
	}
	return dir
}

func TestStampChangesWithEverythingThatDecidesAProgram(t *testing.T) {
	tagged := testModule
	tagged.tags = "other"
	for _, test := range []struct {
		name    string
		file    string
		module  module
		version string
		same    bool
	}{
		{"nothing changed", "", testModule, "go1.26.8", true},
		{"go.mod", "go.mod", testModule, "go1.26.8", false},
		{"go.sum", "go.sum", testModule, "go1.26.8", false},
		{"a source", "main.go", testModule, "go1.26.8", false},
		{"another file", "README.md", testModule, "go1.26.8", true},
		{"the build tags", "", tagged, "go1.26.8", false},
		{"the version of Go", "", testModule, "go1.26.9", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := testLab(t)
			before, err := stamp(dir, testModule, "go1.26.8")
			require.NoError(t, err)
			if test.file != "" {
				write(t, filepath.Join(dir, "m", test.file), "changed")
			}
			after, err := stamp(dir, test.module, test.version)
			require.NoError(t, err)
			require.Equal(t, test.same, before == after)
		})
	}
}

func TestStampNeedsItsFiles(t *testing.T) {
	_, err := stamp(t.TempDir(), testModule, "go1.26.8")
	require.ErrorContains(t, err, "stamp of module test")
}

func TestCurrent(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(t *testing.T, bin string)
		want    bool
	}{
		{"nothing was built", func(*testing.T, string) {}, false},
		{"built at this stamp", func(t *testing.T, bin string) {
			write(t, filepath.Join(bin, "tool"), "")
			require.NoError(t, writeStamp(bin, testModule, "s"))
		}, true},
		{"built at another stamp", func(t *testing.T, bin string) {
			write(t, filepath.Join(bin, "tool"), "")
			require.NoError(t, writeStamp(bin, testModule, "old"))
		}, false},
		{"a program was deleted", func(t *testing.T, bin string) { require.NoError(t, writeStamp(bin, testModule, "s")) }, false},
		{"a build was interrupted", func(t *testing.T, bin string) {
			write(t, filepath.Join(bin, "tool"), "")
			require.NoError(t, writeStamp(bin, testModule, "s"))
			require.NoError(t, removeStamp(bin, testModule))
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			bin := t.TempDir()
			test.prepare(t, bin)
			got, err := current(bin, testModule, "s")
			require.NoError(t, err)
			require.Equal(t, test.want, got)
		})
	}
}

func TestFindRoot(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "lab", "go.mod"), labModule+"\n\ngo 1.24\n")
	inside := filepath.Join(root, "lab", "internal", "build")
	require.NoError(t, os.MkdirAll(inside, 0o755))
	for _, dir := range []string{root, filepath.Join(root, "lab"), inside} {
		got, err := FindRoot(dir)
		require.NoError(t, err)
		require.Equal(t, root, got)
	}
	_, err := FindRoot(t.TempDir())
	require.ErrorContains(t, err, "--root")
}

func TestProgramsAreNamedOnce(t *testing.T) {
	require.ElementsMatch(t, []string{
		"calico-felix", "calico-kube-controllers", "calico-typha", "calicoctl", "etcd", "kube-apiserver", "kubectl", "prometheus", "promtool",
	}, Programs())
}

func TestAFailedBuildShowsWhatTheCompilerSaid(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module broken\n\ngo 1.24\n")
	write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() { undefinedName() }\n")
	t.Setenv("GOFLAGS", "-mod=vendor -nonsense")
	_, err := run(t.Context(), dir, "build", "-o", filepath.Join(dir, "out"), ".")
	require.ErrorContains(t, err, "undefined: undefinedName")
}

func TestTheVersionOfGoIsTheModules(t *testing.T) {
	tools := t.TempDir()
	write(t, filepath.Join(tools, "go"), "#!/bin/sh\necho \"$* in ${PWD##*/}\"\n")
	require.NoError(t, os.Chmod(filepath.Join(tools, "go"), 0o755))
	t.Setenv("PATH", tools)
	version, err := moduleGoVersion(t.Context(), testLab(t), testModule)
	require.NoError(t, err)
	require.Equal(t, "env GOVERSION in m", version)
}

func TestAModuleWithoutCRDsIsNamed(t *testing.T) {
	err := copyCRDsOf(t.TempDir(), t.TempDir())
	require.ErrorContains(t, err, "in module "+calicoModule+": there are none")
	require.NotContains(t, err.Error(), "%!")
}

func TestTheCRDsOfEachGroupAreCopiedInPlaceOfOlderOnes(t *testing.T) {
	module, bin := t.TempDir(), t.TempDir()
	for _, path := range []string{
		"libcalico-go/config/crd/crd.projectcalico.org_ippools.yaml", "charts/tigera-operator/crds/operator.tigera.io_tigerastatuses_crd.yaml",
		"charts/tigera-operator/crds/README.md",
	} {
		write(t, filepath.Join(module, path), path)
	}
	write(t, filepath.Join(bin, "crds", OperatorCRDs, "old.yaml"), "")
	require.NoError(t, copyCRDsOf(module, bin))
	var names []string
	for _, dir := range CRDDirs(bin, CRDGroups()...) {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		for _, entry := range entries {
			names = append(names, filepath.Base(dir)+"/"+entry.Name())
		}
	}
	require.Equal(t, []string{"calico/crd.projectcalico.org_ippools.yaml", "operator/operator.tigera.io_tigerastatuses_crd.yaml"}, names)
}

func TestAnInterruptedBuildLeavesNoTemporaryFiles(t *testing.T) {
	dir, temporary := t.TempDir(), t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), "module slow\n\ngo 1.24\n")
	write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() {}\n")
	started := filepath.Join(dir, "started")
	write(t, filepath.Join(dir, "slow"), "#!/bin/sh\n: >"+started+"\nexec sleep 600\n")
	require.NoError(t, os.Chmod(filepath.Join(dir, "slow"), 0o755))
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() {
		_, err := run(ctx, dir, "build", "-toolexec", filepath.Join(dir, "slow"), "-o", os.DevNull, ".")
		ran <- err
	}()
	require.Eventually(t, func() bool {
		_, err := os.Stat(started)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	cancel()
	require.ErrorIs(t, <-ran, context.Canceled)
	entries, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, entries)
}
