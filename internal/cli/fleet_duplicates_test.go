package cli

import (
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestDuplicatesSayWhatTheyMean: one token under two identities is told before which factor is older.
func TestDuplicatesSayWhatTheyMean(t *testing.T) {
	factor := func(identity verify.Identity, sid verify.FactorSID) verify.IndexedFactor {
		return verify.IndexedFactor{Factor: verify.Factor{Identity: identity, SID: sid}}
	}
	amara, newer, bilal := factor("user-1001-amara", "YF01"), factor("user-1001-amara", "YF02"), factor("user-1002-bilal", "YF03")
	for _, tc := range []struct {
		factors []verify.IndexedFactor
		want    []string
	}{
		{[]verify.IndexedFactor{amara, newer}, []string{"older than YF02", "newest"}},
		{[]verify.IndexedFactor{amara, bilal}, []string{"two identities: pushes of one reach the other's phone", "two identities: pushes of one reach the other's phone"}},
	} {
		for i, want := range tc.want {
			if got := sameTokenNote(tc.factors, i); got != want {
				t.Errorf("%v, %d: %q, want %q", tc.factors, i, got, want)
			}
		}
	}
}
