package cli

import (
	"fmt"
	"strings"

	"github.com/verifyctl/verifyctl/internal/doctor"
)

// Pages gives the pages of the documentation that are made from tables in the program, by their path in the project.
func Pages() map[string]string {
	return map[string]string{
		"docs/exit-codes.md":       exitCodesPage(),
		"docs/reference/checks.md": doctor.ChecksPage(),
		"docs/best-practices.md":   doctor.PracticesPage(),
	}
}

func exitCodesPage() string {
	var b strings.Builder
	b.WriteString(`# Exit status

A script can rely on these numbers. They are only ever added to, never changed. Treat a number that is not listed as a
failure; 2 is never chosen by verifyctl, because a crash of a Go program exits with it.

| status | meaning |
| --- | --- |
`)
	for _, m := range exitMeanings {
		fmt.Fprintf(&b, "| %d | %s |\n", m.status, m.meaning)
	}
	b.WriteString(`
When several things went wrong in one command, the first of these decides: 130, 4, 9, 7, 3, 1.

Twilio's own code decides before its HTTP status: 60318 (factor not verified), 60322 (already answered) and 60323
(expired) come with HTTP 403, but are not a matter of authorisation.

With ` + "`-o json`" + ` an error is one JSON object on standard error:

` + "```json" + `
{"error":{"kind":"not_found","message":"…","hint":"…","exit_status":5,"code":20404,"status":404,"request_id":"RQ…"}}
` + "```" + `
`)
	return b.String()
}
