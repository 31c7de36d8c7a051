package doctor

import (
	"time"
)

// byAttestation answers what no API shows by somebody's word in the environment file, unknown without one or past its date.
func byAttestation(snap *snapshot, id, question string) answer {
	attestation, ok := snap.Env.Attestations[id]
	if !ok && snap.Env.Demo {
		return unknown("no API shows %s", question).fix("in an environment of your own, somebody who knows attests it: attestations: {%s: …}", id)
	}
	if !ok {
		return unknown("no API shows %s", question).
			fix("find out, and record it in the environment file: attestations: {%s: {by: NAME, on: %s, until: %s}}",
				id, snap.Now.UTC().Format(time.DateOnly), snap.Now.UTC().AddDate(0, 6, 0).Format(time.DateOnly))
	}
	until, err := time.Parse(time.DateOnly, attestation.Until)
	if err != nil || attestation.By == "" {
		return unknown("the attestation has no by or no until").fix("add by, on and until to attestations: %s", id)
	}
	if snap.Now.UTC().After(until.AddDate(0, 0, 1)) {
		return unknown("%s attested it until %s, which has passed", attestation.By, attestation.Until).fix("find out again, and renew attestations: %s", id)
	}
	a := pass("attested by %s on %s until %s", attestation.By, attestation.On, attestation.Until)
	a.By, a.Until = attestation.By, attestation.Until
	return a
}
