package calicoapi

import "k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

// MigrationPhase is how far a migration from GroupV1 to GroupV3 is, as Calico spells it; empty is that there is none.
type MigrationPhase string

// The phases of a migration (kube-controllers/pkg/apis/migration/v1/types.go).
const (
	// MigrationPending is also that of a migration whose phase is not written yet.
	MigrationPending   MigrationPhase = "Pending"
	MigrationMigrating MigrationPhase = "Migrating"
	// MigrationWaiting is that of one that people have to resolve conflicts of.
	MigrationWaiting MigrationPhase = "WaitingForConflictResolution"
	// MigrationConverged is when GroupV3 has everything and Calico's components change over to it. There is no way back from it.
	MigrationConverged MigrationPhase = "Converged"
	MigrationComplete  MigrationPhase = "Complete"
	MigrationFailed    MigrationPhase = "Failed"
)

// converged says whether GroupV3 holds the data; a phase that Calico may add is taken for none that does, as its operator takes it
// (pkg/apis/version.go, checkDatastoreMigration).
func (p MigrationPhase) converged() bool {
	return p == MigrationConverged || p == MigrationComplete
}

// ParseDatastoreMigration reads the phase of a DatastoreMigration of either version.
func ParseDatastoreMigration(u *unstructured.Unstructured) (MigrationPhase, error) {
	f := fieldsOf(u)
	phase := MigrationPhase(f.string("status", "phase"))
	if err := f.failed("datastoremigration", u); err != nil {
		return "", err
	}
	if phase == "" {
		return MigrationPending, nil
	}
	return phase, nil
}
