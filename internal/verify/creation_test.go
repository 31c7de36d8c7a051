package verify_test

import (
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestCreationsOfTwoEnvironmentsAreToldApart: each counts its own, and the audit file is that of all.
func TestCreationsOfTwoEnvironmentsAreToldApart(t *testing.T) {
	noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	one, other := verify.Creation{ID: 1, Begun: noon}, verify.Creation{ID: 1, Begun: noon.Add(time.Millisecond)}
	if one.Intent() == other.Intent() {
		t.Errorf("both are %s", one.Intent())
	}
}
