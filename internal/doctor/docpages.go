package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// ChecksPage gives docs/reference/checks.md: every check, made from the table that makes them.
func ChecksPage() string {
	var b strings.Builder
	b.WriteString(`# The checks of doctor

` + "`verifyctl doctor`" + ` makes these checks in every environment, or once for each account where it says so. ` + "`--only`" + ` and
` + "`--skip`" + ` take their ids and globs such as ` + "`'PUSH-*'`" + `.

A check ends as *pass*, *warn*, *fail*, *unknown* or *skipped*. Unknown is never healthy: the check could not be made.
Skipped means that the rule does not apply, or that what it needs was not to be read. A broken rule of severity *info*
passes with a note.

How far to trust an answer: *certain*, the API alone tells · *declared*, the API and what the environment file declares ·
*measured*, now, and perhaps not tomorrow · *heuristic*, likely, not proved · *attested*, no API shows, somebody's word in
the environment file does.

Some conclusions rest on what the environment file declares. Where that is missing, the check is judged under each value that
it may have: what is so under all of them is the answer; else it is unknown, says what it would be under each, and names the
` + "`verifyctl env set`" + ` that declares it. What a check only *heeds* is taken at its word where it is declared. A check sees no
other declaration.

Two things decide the exit status: a check that failed (1), and a check of severity fail that a failed read left unknown
(3). A key that may not read the account itself leaves AUTH-06 unknown without that: it is good practice.

Push errors are those of the last 24 hours, or of ` + "`--since`" + `. Those from before a credential was replaced or updated no longer
count against it. Factors and challenges are looked at with ` + "`--sample N`" + `: the first N users of each Service, because Twilio
gives no other way to choose. Latency is measured with ` + "`--latency`" + `, the app is read with ` + "`--ios-app`" + `.

`)
	group := ""
	for _, c := range Catalogue() {
		if c.Group() != group {
			group = c.Group()
			fmt.Fprintf(&b, "## %s\n\n", group)
		}
		fmt.Fprintf(&b, "### %s\n\n%s.\n\n", c.ID, verify.UpperFirst(c.Title))
		facts := []string{"severity " + string(c.Severity), string(c.Certainty)}
		if c.PerAccount {
			facts = append(facts, "once for each account")
		}
		fmt.Fprintf(&b, "- %s\n", strings.Join(facts, " · "))
		if reads := resourceList(c); reads != "" {
			fmt.Fprintf(&b, "- reads %s\n", reads)
		}
		for _, of := range []struct {
			word string
			list []*Declaration
		}{{"rests on", c.RestsOn}, {"heeds", c.Heeds}} {
			if len(of.list) > 0 {
				fmt.Fprintf(&b, "- %s `%s`\n", of.word, strings.Join(Keys(of.list), "`, `"))
			}
		}
		fmt.Fprintf(&b, "- when broken: %s\n\n", c.Remedy)
	}
	b.WriteString("## What no API shows\n\nThese wait for somebody's word, under `attestations` in the environment file (by, on, until):\n\n")
	for _, id := range slices.Sorted(maps.Keys(impossible())) {
		fmt.Fprintf(&b, "- %s: %s\n", id, impossible()[id])
	}
	b.WriteString(`
Nor does any tell whether a phone got a push, whether the app polls, whether a push token is good without sending to it,
which version the app is (unless it wrote that into the factor's metadata), or what became of deleted factors.
`)
	return b.String()
}

func resourceList(c Check) string {
	var names []string
	for _, r := range c.Needs {
		names = append(names, string(r))
	}
	for _, r := range c.Reads {
		names = append(names, string(r)+" where it may")
	}
	return strings.Join(names, ", ")
}

// PracticesPage gives docs/best-practices.md: every question of Twilio's page, and what deals with it here.
func PracticesPage() string {
	var b strings.Builder
	b.WriteString(`# Best practices, question by question

Twilio's page *Verify Push and Silent Device Approval Best Practices for Production use* asks these questions. For each:
the command that deals with it, the checks that answer it, and what only people know.

` + "`verifyctl doctor readiness --sample 50 --latency`" + ` answers them for your environments: pass, fail, unknown, or attested by
somebody until a date. What only people know is written into the environment file:

` + "```yaml" + `
    attestations:
      SEC-3: {by: Noor, on: 2026-11-23, until: 2027-11-23}
` + "```" + `

`)
	topic := ""
	for _, q := range Questions() {
		if q.Topic != topic {
			topic = q.Topic
			fmt.Fprintf(&b, "## %s\n\n", topic)
		}
		fmt.Fprintf(&b, "### %s: %s\n\n`verifyctl %s` %s.\n\n", q.ID, q.Text, q.Command, q.Why)
		if len(q.Checks) > 0 {
			fmt.Fprintf(&b, "- checks: %s\n", strings.Join(links(q.Checks), ", "))
		}
		if q.Attest != "" {
			fmt.Fprintf(&b, "- to attest: %s\n", q.Attest)
		}
		b.WriteString("\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func links(ids []string) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = fmt.Sprintf("[%s](reference/checks.md#%s)", id, strings.ToLower(id))
	}
	return list
}
