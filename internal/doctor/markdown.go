package doctor

import (
	"fmt"
	"io"
	"strings"
)

// Markdown says how text from elsewhere is written in Markdown, as itself and as code.
type Markdown struct{ Text, Code func(string) string }

// WriteMarkdown writes the report for a ticket: what is wrong, and what to do, without what passed.
func WriteMarkdown(w io.Writer, r Report, as Markdown) error {
	md := as.Text
	var b strings.Builder
	fmt.Fprintf(&b, "# verifyctl doctor, %s\n\n", r.At.UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "%s\n", r.Summary.sentence(len(r.Environments)))
	if !r.Evidence.LookedAt {
		fmt.Fprintf(&b, "Push errors were not looked at (%s).\n", r.Evidence.Why)
	}
	if len(r.Evidence.Causes) > 0 {
		b.WriteString("\n## Push errors\n\n")
		for _, c := range r.Evidence.Causes {
			fmt.Fprintf(&b, "- **%s**: %s\n", md(plain(strings.Join(c.Environments, ", "))), md(plain(c.Headline)))
		}
	}
	if len(r.Unreadable) > 0 {
		b.WriteString("\n## Could not be read\n\n")
		for _, u := range r.Unreadable {
			fmt.Fprintf(&b, "- %s: %s", md(u.what()), md(u.Error))
			if u.Permission != "" {
				fmt.Fprintf(&b, "; the key lacks: %s", md(u.Permission))
			}
			fmt.Fprintf(&b, ". Unknown for it: %s\n", u.checks())
		}
	}
	for _, place := range r.places() {
		var rows []string
		for _, result := range problems(place.results) {
			fix := md(result.Fix)
			for _, command := range result.Commands {
				fix = strings.TrimSpace(fix + " " + as.Code(command))
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s |", result.Status, result.Check, md(result.reason()), fix))
		}
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n| status | check | what | fix |\n| --- | --- | --- | --- |\n%s\n", md(place.title), strings.Join(rows, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
