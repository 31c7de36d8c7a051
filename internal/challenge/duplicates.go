package challenge

import (
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Duplicates gives the challenges that ask one factor about one action more than once, together, in the order in which
// each action comes first. Challenges without an action id cannot be told apart and are left out.
func Duplicates(list []verify.Challenge) [][]verify.Challenge {
	type key struct {
		factor verify.FactorSID
		action string
	}
	groups := map[key][]verify.Challenge{}
	var order []key
	for _, c := range list {
		k := key{c.FactorSID, c.HiddenDetails[verify.ActionID]}
		if k.action == "" {
			continue
		}
		if len(groups[k]) == 0 {
			order = append(order, k)
		}
		groups[k] = append(groups[k], c)
	}
	var found [][]verify.Challenge
	for _, k := range order {
		if len(groups[k]) > 1 {
			found = append(found, groups[k])
		}
	}
	return found
}

// AnswerTime gives how long the user took to answer, and whether they did.
func AnswerTime(c verify.Challenge) (time.Duration, bool) {
	if !isAnswered(c) || c.DateResponded.IsZero() {
		return 0, false
	}
	return c.DateResponded.Sub(c.DateCreated), true
}
