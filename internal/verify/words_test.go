package verify

import "testing"

func TestCount(t *testing.T) {
	for want, got := range map[string]string{"1 factor": Count(1, "factor"), "0 factors": Count(0, "factor"), "2 entities": Count(2, "entity"), "2 hashes": Count(2, "hash"), "3 matches": Count(3, "match"),
		"1 entity": Count(1, "entity"), "3 days": Count(3, "day"), "1 user was": Count(1, "user was", "users were"), "2 users were": Count(2, "user was", "users were")} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
