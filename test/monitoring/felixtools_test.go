//go:build e2e

package monitoring

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Kinds of tools that Felix programs the dataplane with.
const (
	restoring = "iptables-restore"
	ipsets    = "ipset"
)

// felixTools are in front of those that Felix calls. They call these, unless they are told to fail.
type felixTools struct{ dir string }

// A call that fails uses up one of the files that say so, of which others may want the same at once. One that does not says so. One that is slow does what it
// is to do.
const wrapper = `#!/bin/sh
for one in "%[1]s/fail-%[2]s"/*; do
  rm "$one" 2>/dev/null && echo "it fails, as it is told" >&2 && exit 1
done
touch "%[1]s/worked-%[2]s"
[ -e "%[1]s/slow" ] && sleep 1
exec "%[3]s" "$@"
`

// newFelixTools makes the tools, and has this process and its children find them first.
func newFelixTools() (*felixTools, error) {
	dir, err := os.MkdirTemp("", "felix-tools-")
	if err != nil {
		return nil, err
	}
	f := &felixTools{dir: dir}
	bin := filepath.Join(dir, "bin")
	err = os.Mkdir(bin, 0o700)
	kinds := map[string]string{"ipset": ipsets}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, backend := range []string{"", "-legacy", "-nft"} {
			kinds[family+backend+"-restore"] = restoring
		}
	}
	for name, kind := range kinds {
		tool, missing := exec.LookPath(name)
		if missing != nil {
			continue // Felix is left out then, or does without
		}
		content := fmt.Sprintf(wrapper, dir, kind, tool)
		err = errors.Join(err, os.MkdirAll(filepath.Join(dir, "fail-"+kind), 0o700), os.WriteFile(filepath.Join(bin, name), []byte(content), 0o700))
	}
	return f, errors.Join(err, os.Setenv("PATH", bin+":"+os.Getenv("PATH")))
}

// fail has the next two calls of a kind of tools fail, if one worked after those that it had fail before: Felix gives up, and starts anew, after ten in a row.
func (f *felixTools) fail(kind string) error {
	err := os.Remove(filepath.Join(f.dir, "worked-"+kind))
	if err != nil {
		return nil //nolint:nilerr // none worked so far
	}
	for _, call := range []string{"first", "second"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(f.dir, "fail-"+kind, call), nil, 0o600))
	}
	return err
}

// slow has all tools take a second, until it is called with false.
func (f *felixTools) slow(slow bool) error {
	file := filepath.Join(f.dir, "slow")
	if slow {
		return os.WriteFile(file, nil, 0o600)
	}
	return os.RemoveAll(file)
}
