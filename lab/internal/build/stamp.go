package build

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// stamp is a hash of everything that decides what a module's programs are.
func stamp(labDir string, m module, goVersion string) (string, error) {
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\n%q\n%s\n%+v\n", goVersion, flags(m), m.name, m.programs)
	if m.name == modules[0].name {
		fmt.Fprintf(hash, "%v\n", crdSources)
	}
	for _, name := range append([]string{"go.mod", "go.sum"}, m.sources...) {
		file, err := os.Open(filepath.Join(labDir, m.dir, name))
		if err != nil {
			return "", fmt.Errorf("stamp of module %s: %w", m.name, err)
		}
		fmt.Fprintf(hash, "%s\n", name)
		_, err = io.Copy(hash, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return "", fmt.Errorf("stamp of module %s: %w", m.name, err)
		}
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

func stampPath(bin string, m module) string { return filepath.Join(bin, ".stamps", m.name) }

// current says whether the module's programs in bin were built at that stamp.
func current(bin string, m module, want string) (bool, error) {
	have, err := os.ReadFile(stampPath(bin, m))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("read stamp: %w", err)
	}
	if !bytes.Equal(bytes.TrimSpace(have), []byte(want)) {
		return false, nil
	}
	for _, p := range m.programs {
		if _, err := os.Stat(filepath.Join(bin, p.name)); errors.Is(err, fs.ErrNotExist) {
			return false, nil
		} else if err != nil {
			return false, fmt.Errorf("look for program: %w", err)
		}
	}
	if m.name == modules[0].name {
		for _, dir := range CRDDirs(bin, CRDGroups()...) {
			if found, err := filepath.Glob(filepath.Join(dir, "*.yaml")); err != nil || len(found) == 0 {
				return false, err
			}
		}
	}
	return true, nil
}

func writeStamp(bin string, m module, value string) error {
	path := stampPath(bin, m)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write stamp: %w", err)
	}
	if err := os.WriteFile(path, []byte(value+"\n"), 0o644); err != nil {
		return fmt.Errorf("write stamp: %w", err)
	}
	return nil
}

// removeStamp makes an interrupted build visible as such.
func removeStamp(bin string, m module) error {
	if err := os.Remove(stampPath(bin, m)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stamp: %w", err)
	}
	return nil
}
