// Package damage tells whether a file of the file storage can be opened. The library that reads it trusts what is in there: a file that a lost power
// supply left half written can end the process, from a goroutine of the library where nobody catches it. So another process tries.
package damage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

// fileOfChild has, in the environment of a process that is this program once more, the file that it tries.
const fileOfChild = "OTELCOL_CALICO_STORAGE_FILE"

// patience is how long a file is tried. One of 1 GiB takes seconds.
const patience = time.Minute

// A process that was started to try a file does nothing else.
func init() {
	path, ok := os.LookupEnv(fileOfChild)
	if !ok {
		return
	}
	if err := read(path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Check starts this program once more to try a file. damage says what is wrong with the file, and is empty if nothing is; the error says why it
// could not be tried. Nothing is changed.
func Check(ctx context.Context, path string) (damage string, err error) {
	info, err := os.Stat(path)
	if err != nil || info.Size() == 0 { // an empty one is new
		return "", err
	}
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program) //nolint:gosec // this program itself
	cmd.Env = append(os.Environ(), fileOfChild+"="+path, "GOTRACEBACK=none")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("it was not read within %s", patience)
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return "", err
	}
	damage, _, _ = strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	if damage == "" {
		damage = exit.String()
	}
	return damage, nil
}

// read opens a file as file_storage does, and reads all that is in it. What another process has open is left alone.
func read(path string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout: time.Second, NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
	})
	if errors.Is(err, bbolterrors.ErrTimeout) {
		return nil
	}
	if err != nil {
		return err
	}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(_, value []byte) error {
				_ = bytes.Clone(value)
				return nil
			})
		})
	})
	return errors.Join(err, db.Close())
}
