package doctor

import (
	_ "embed" // for the report
	"html/template"
	"strings"
)

//go:embed report.html
var reportTemplate string

// htmlReport is a report as its template reads it.
type htmlReport struct {
	At, Sentence, NotLookedAt string
	Places                    []string
	Causes                    []htmlCause
	Timeline                  timeline
	Unreadable                []htmlUnreadable
	Sections                  []htmlSection
	Passed                    []htmlResult
}

type htmlCause struct {
	Where, Headline string
	Commands        []string
	Past            bool
}

type htmlUnreadable struct{ What, Error, Permission, Checks string }

type htmlSection struct {
	Title   string
	Results []htmlResult
}

type htmlResult struct {
	Result
	Where, Class, Reason string
}

// HTML gives the report as the body of a page for a ticket: the counts, push errors by hour, findings by severity with
// evidence, fix and command.
func (r Report) HTML() (template.HTML, error) {
	page, err := template.New("report").Parse(reportTemplate)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = page.Execute(&b, r.forHTML())
	return template.HTML(b.String()), err
}

func (r Report) forHTML() htmlReport {
	page := htmlReport{At: r.At.UTC().Format("2006-01-02 15:04 UTC"), Sentence: r.Summary.sentence(len(r.Environments)),
		Timeline: newTimeline(r), Sections: sectionsOf(r.Results)}
	if !r.Evidence.LookedAt {
		page.NotLookedAt = r.Evidence.Why
	}
	for _, env := range r.Environments {
		page.Places = append(page.Places, env.title())
	}
	for _, c := range r.Evidence.Causes {
		page.Causes = append(page.Causes, htmlCause{plain(strings.Join(c.Environments, ", ")), plain(c.Headline), c.Commands, c.Past != ""})
	}
	for _, u := range r.Unreadable {
		page.Unreadable = append(page.Unreadable, htmlUnreadable{u.what(), u.Error, u.Permission, u.checks()})
	}
	for _, result := range r.Results {
		if result.Status == Pass && !result.Note {
			page.Passed = append(page.Passed, htmlResult{Result: result, Where: result.where()})
		}
	}
	return page
}

// sectionsOf groups what is not in order by how bad it is.
func sectionsOf(results []Result) []htmlSection {
	var sections []htmlSection
	titles := map[string]string{"fail": "Failed", "warn": "Warnings", "unknown": "Unknown", "note": "Worth knowing"}
	for _, r := range problems(results) {
		class := string(r.Status)
		if r.Note {
			class = "note"
		}
		if len(sections) == 0 || sections[len(sections)-1].Title != titles[class] {
			sections = append(sections, htmlSection{Title: titles[class]})
		}
		last := &sections[len(sections)-1]
		last.Results = append(last.Results, htmlResult{r, r.where(), class, r.reason()})
	}
	return sections
}
