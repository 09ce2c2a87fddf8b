package damage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
)

const page = 4096

// newFile is a file with so many entries that they take some hundred pages, as file_storage writes it.
func newFile(t *testing.T) (path string, content []byte) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "exporter_otlp_http__metrics")
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	require.NoError(t, err)
	db.AllocSize = page // else it takes 16 MiB at once
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		bucket, err := tx.CreateBucket([]byte("default"))
		require.NoError(t, err)
		for i := range 300 {
			require.NoError(t, bucket.Put(fmt.Append(nil, i), make([]byte, 10*i)))
		}
		return nil
	}))
	require.NoError(t, db.Close())
	content, err = os.ReadFile(path)
	require.NoError(t, err)
	return path, content
}

func check(t *testing.T, path string) string {
	t.Helper()
	damage, err := Check(t.Context(), path)
	require.NoError(t, err)
	return damage
}

func TestFileThatCanBeOpenedIsNotDamaged(t *testing.T) {
	path, before := newFile(t)
	require.Empty(t, check(t, path))
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after, "nothing is changed")

	require.NoError(t, os.Truncate(path, 0))
	require.Empty(t, check(t, path), "what is empty is new")

	_, err = Check(t.Context(), filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestFileThatIsOpenElsewhereIsLeftAlone(t *testing.T) {
	path, _ := newFile(t)
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	require.Empty(t, check(t, path))
}

func TestFileIsDamaged(t *testing.T) {
	for name, damage := range map[string]func([]byte) []byte{
		"cut in half":                        func(b []byte) []byte { return b[:len(b)/2] },
		"cut after its head":                 func(b []byte) []byte { return b[:2*page] },
		"cut within its head":                func(b []byte) []byte { return b[:page+100] },
		"not a storage":                      func([]byte) []byte { return []byte("service: {}\n") },
		"random":                             func(b []byte) []byte { scramble(b); return b },
		"with a random head":                 func(b []byte) []byte { scramble(b[:2*page]); return b },
		"random behind its head":             func(b []byte) []byte { scramble(b[2*page:]); return b },
		"whose second half is random":        func(b []byte) []byte { scramble(b[len(b)/2:]); return b },
		"whose second half was not written":  func(b []byte) []byte { clear(b[len(b)/2:]); return b },
		"of which the head alone is written": func(b []byte) []byte { clear(b[2*page:]); return b },
	} {
		t.Run(name, func(t *testing.T) {
			path, content := newFile(t)
			require.NoError(t, os.WriteFile(path, damage(content), 0o600))
			damage := check(t, path)
			require.NotEmpty(t, damage)
			t.Log(damage)
		})
	}
}

func scramble(b []byte) {
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
}

// TestWhatIsNotDamagedCanBeOpened damages files in places that are drawn by chance, where pages say what is in them. It would end here itself if a
// file passed that should not.
func TestWhatIsNotDamagedCanBeOpened(t *testing.T) {
	path, content := newFile(t)
	random := rand.New(rand.NewPCG(1, 2))
	const files = 50
	passed := 0
	for range files {
		damaged := slices.Clone(content)
		for range 1 + random.IntN(4) {
			at := random.IntN(len(damaged)/page)*page + random.IntN(256)
			for i := range 1 + random.IntN(16) {
				damaged[at+i] = byte(random.Uint32())
			}
		}
		require.NoError(t, os.WriteFile(path, damaged, 0o600))
		if check(t, path) == "" {
			passed++
			require.NoError(t, read(path))
		}
	}
	t.Logf("%d of %d pass: those that were damaged within values, or where nothing is", passed, files)
	require.Positive(t, passed)
	require.Less(t, passed, files)
}
