package challenge

import (
	"fmt"
	"slices"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// presence tells what is not there, and whether it ever was.
func (d *diagnosis) presence() {
	switch {
	case d.alert.absent():
		d.neverHere("alert", string(d.alertID), "Twilio keeps alerts for 30 days, each in its own account")
	case d.challenge.absent():
		d.challengeAbsent()
	case d.factor.absent():
		d.factorAbsent()
	case d.factors.absent():
		d.neverHere("identity", string(d.identity), "letter case counts, and each environment has its own identities")
	case d.factors.ok() && len(d.factors.value) == 0:
		d.causes.add(Cause{Kind: FactorGone, Confidence: Likely, Owner: string(event.OwnerApp),
			Summary:  fmt.Sprintf("identity %s is here and has no factor: the device was removed or never finished its enrolment", d.identity),
			Evidence: []string{"the list of its factors is empty; Twilio removes unverified factors after 1 to 24 hours"},
			Next:     d.env.Command("factors", "deleted", string(d.identity))})
	case d.setup.absent():
		d.neverHere("Service", string(d.facts.service), "the account's keys do not see it")
	case d.asked != "" && d.credentials[d.asked].absent():
		d.neverHere("push credential", string(d.asked), "it was deleted, or belongs to another account")
	}
}

func (d *diagnosis) neverHere(what, name, why string) {
	cause := Cause{Kind: NeverExistedHere, Confidence: Likely, Owner: OwnerOperator,
		Summary:  fmt.Sprintf("%s %s is not in %s: look for it in another environment", what, name, d.place()),
		Evidence: []string{"Twilio answers that it is not there; " + why}, Next: d.env.Config.Command("env", "list")}
	if service := d.otherService(name); service != "" {
		cause.Confidence = Certain
		cause.Evidence = append(cause.Evidence, fmt.Sprintf("a debugger event names it with Service %s", service))
		if i := slices.IndexFunc(d.others, func(env verify.Environment) bool { return sameSID(env.ServiceSID, service) }); i >= 0 {
			cause.Summary = fmt.Sprintf("%s %s is not in %s but in %s", what, name, d.place(), d.others[i].Name)
			cause.Next = d.others[i].Command(d.again(name)...)
		}
	}
	d.causes.add(cause)
}

// again gives the words that ask the same of another environment.
func (d *diagnosis) again(name string) []string {
	words := []string{"why", name}
	if d.identity != "" && name != string(d.identity) {
		words = append(words, "--identity", string(d.identity))
	}
	return words
}

func (d *diagnosis) place() string {
	if d.env.Name == "" {
		return "Service " + string(d.facts.service)
	}
	return d.env.Name
}

// otherService gives the Service that an exact event names together with a SID or an identity, when it is not this one.
func (d *diagnosis) otherService(name string) string {
	for _, e := range d.facts.events {
		named := sameSID(e.ChallengeSID, name) || sameSID(e.FactorSID, name) || e.Identity == name
		if named && isExact(e) && e.ServiceSID != "" && !sameSID(e.ServiceSID, d.facts.service) {
			return e.ServiceSID
		}
	}
	return ""
}

func (d *diagnosis) challengeAbsent() {
	switch {
	case d.knownIdentity != "" && d.knownIdentity != d.identity:
		d.causes.add(Cause{Kind: NeverExistedHere, Confidence: Certain, Owner: OwnerOperator,
			Summary:  fmt.Sprintf("challenge %s belongs to %s, not to %s", d.challengeID, d.knownIdentity, d.identity),
			Evidence: []string{"this machine has seen it under that identity"},
			Next:     d.env.Command("why", string(d.challengeID), "--identity", string(d.knownIdentity))})
	case d.knownHere:
		d.causes.add(Cause{Kind: FactorGone, Confidence: Likely, Owner: OwnerOperator,
			Summary: fmt.Sprintf("challenge %s was here and is gone with its entity: %s was deleted since", d.challengeID, d.identity),
			Evidence: []string{"this machine has seen it in this environment",
				"Twilio answers that it is not there, and challenges cannot be deleted by themselves"},
			Next: d.env.Command("entities", "show", string(d.identity))})
	case d.factors.ok():
		d.neverHere("challenge", string(d.challengeID), fmt.Sprintf("identity %s is here, with %s", d.identity,
			verify.Count(len(d.factors.value), "factor")))
	default:
		d.neverHere("challenge", string(d.challengeID), "identity "+string(d.identity)+" is not here either")
	}
}

func (d *diagnosis) factorAbsent() {
	gone := Cause{Kind: FactorGone, Confidence: Certain, Owner: string(event.OwnerApp),
		Summary: fmt.Sprintf("factor %s was deleted: its phone gets no push and can answer nothing, it must enrol again", d.factorID),
		Next:    d.env.Command("factors", "list", string(d.identity))}
	deleted := d.deletedFromHere()
	switch {
	case deleted != "":
		gone.Evidence = []string{deleted}
	case d.challenge.ok():
		gone.Evidence = []string{fmt.Sprintf("challenge %s was created for it, and it no longer exists", d.challenge.value.SID)}
	case len(d.challenges.value) > 0:
		gone.Evidence = []string{fmt.Sprintf("challenge %s was created for it at %s, and it no longer exists",
			d.challenges.value[0].SID, verify.Stamp(d.challenges.value[0].DateCreated))}
	case d.knownHere || len(d.deleted) > 0 || d.isNamedHere(d.factorID):
		gone.Confidence = Likely
		gone.Evidence = []string{"it was seen in this environment, and it no longer exists; Twilio removes unverified factors by itself"}
	default:
		why := "identity " + string(d.identity) + " is not here either"
		if d.factors.ok() {
			why = fmt.Sprintf("identity %s is here, with %s; Twilio keeps no history of deleted ones", d.identity,
				verify.Count(len(d.factors.value), "other factor"))
		}
		d.neverHere("factor", string(d.factorID), why)
		return
	}
	d.causes.add(gone)
}

// deletedFromHere says how the last delete of the factor from this machine ended; "" when none may have reached Twilio.
func (d *diagnosis) deletedFromHere() string {
	for _, last := range d.deleted {
		sent := fmt.Sprintf("at %s by %s", verify.Stamp(last.At), last.By)
		switch last.Outcome {
		case "failed":
			continue
		case "deleted":
			return "it was deleted from this machine " + sent
		case "already gone":
			return "it was gone already when it was to be deleted from this machine " + sent
		}
		return "a delete from this machine " + sent + " may have reached Twilio: how it ended is not known here"
	}
	return ""
}

func (d *diagnosis) isNamedHere(factor verify.FactorSID) bool {
	return slices.ContainsFunc(d.facts.events, func(e event.Event) bool {
		return sameSID(e.FactorSID, factor) && isExact(e) && sameSID(e.ServiceSID, d.facts.service)
	})
}
