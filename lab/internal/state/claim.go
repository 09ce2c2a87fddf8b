package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// markerName is the file that says that a directory is a lab's own, to be written to and deleted from. The lab that uses
	// the directory holds a lock on it, which the kernel releases however that lab ends.
	markerName = "lab.lock"

	// Running looks at the lock for a moment, which must not keep a new lab from it.
	claimTimeout = 500 * time.Millisecond
	claimRetry   = 20 * time.Millisecond
)

// Claim is a directory that this process alone uses.
type Claim struct{ marker *os.File }

// Take claims dir, which it makes if it does not exist. It takes only what is empty or was a lab's before, and nothing that
// another lab uses.
func Take(dir string) (*Claim, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, markerName)
	marker, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		// Two labs may find it empty: the lock decides.
		if len(entries) > 0 && entries[0].Name() != markerName {
			return nil, fmt.Errorf("%s is not empty and no lab's directory: name another or a new one", dir)
		}
		marker, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(claimTimeout); ; {
		err := lock(marker, unix.LOCK_EX)
		if err == nil {
			return &Claim{marker: marker}, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) || time.Now().After(deadline) {
			if errors.Is(err, unix.EWOULDBLOCK) {
				err = fmt.Errorf("a lab runs in %s already", dir)
			}
			return nil, errors.Join(err, marker.Close())
		}
		<-time.After(claimRetry)
	}
}

// Release lets another lab have the directory.
func (c *Claim) Release() error {
	if err := c.marker.Close(); err != nil {
		return fmt.Errorf("release the state directory: %w", err)
	}
	return nil
}

// Running says whether a lab uses dir.
func Running(dir string) (bool, error) {
	marker, err := os.Open(filepath.Join(dir, markerName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, fmt.Errorf("look whether a lab runs: %w", err)
	}
	defer marker.Close()
	switch err := lock(marker, unix.LOCK_SH); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return true, nil
	case err != nil:
		return false, fmt.Errorf("look whether a lab runs in %s: %w", dir, err)
	}
	return false, nil
}

func lock(file *os.File, how int) error {
	for {
		if err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
