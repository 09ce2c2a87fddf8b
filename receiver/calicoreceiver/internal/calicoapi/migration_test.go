package calicoapi

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseDatastoreMigration(t *testing.T) {
	phase, err := ParseDatastoreMigration(testdata(t, "datastoremigration"))
	require.NoError(t, err)
	require.Equal(t, MigrationWaiting, phase)

	for _, status := range []string{"", "status: {}", "status: {phase: ''}", "status: null"} {
		phase, err = ParseDatastoreMigration(object(t, "apiVersion: v1\nkind: DatastoreMigration\nmetadata: {name: v1-to-v3}\n"+status))
		require.NoError(t, err)
		require.Equal(t, MigrationPending, phase, "a migration without a phase has begun: %q", status)
	}

	requireNamed(t, "datastoremigration", ParseDatastoreMigration, []wrong{
		{"phase of another type", "status: {phase: 3}", "status.phase: an integer instead of a string"},
		{"status of another type", "status: [Complete]", "status: a list instead of an object"},
	})
}
