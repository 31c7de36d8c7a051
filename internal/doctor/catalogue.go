package doctor

import (
	"slices"
	"strings"
)

// Catalogue gives every check there is, in the order of a report.
func Catalogue() []Check {
	return slices.Concat(authChecks(), declarationChecks(), serviceChecks(), apnChecks(), fcmChecks(), credentialChecks(), buildChecks(),
		webhookChecks(), captureChecks(), factorChecks(), dataChecks(), challengeChecks(), networkChecks())
}

// groups names the headings by the first part of an id.
var groups = map[string]string{
	"AUTH":  "Authentication and account",
	"INT":   "Declared intent",
	"SVC":   "Service",
	"PUSH":  "Push credentials",
	"BUILD": "The app itself",
	"HOOK":  "Webhooks",
	"EVT":   "Event capture",
	"FAC":   "Factors",
	"DATA":  "Data",
	"CHL":   "Challenges",
	"COST":  "Cost",
	"NET":   "Network",
}

func groupOf(id string) string {
	first, _, _ := strings.Cut(id, "-")
	return groups[first]
}

// impossible tells which checks can never be had from any API, and why: they wait for an attestation.
func impossible() map[string]string {
	return map[string]string{
		"EVT-01":      "no published API shows whether the debugger webhook is set",
		"PUSH-APN-11": "certificates are write-only: no API gives back their expiry or bundle id",
	}
}
