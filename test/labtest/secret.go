package labtest

import (
	"os"
	"path/filepath"
	"testing"
)

// SecretFile writes a secret to a file of its own, which only its user can read, with a line end behind it as editors leave one.
func SecretFile(t *testing.T, secret string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
