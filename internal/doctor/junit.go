package doctor

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
)

// The JUnit form that CI systems read: a suite for each environment or account, a case for each check.
type (
	junitSuites struct {
		XMLName xml.Name `xml:"testsuites"`
		Name    string   `xml:"name,attr"`
		junitCounts
		Suites []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name string `xml:"name,attr"`
		junitCounts
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCounts struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Failure *junitProblem `xml:"failure,omitempty"`
		Error   *junitProblem `xml:"error,omitempty"`
		Skipped *junitProblem `xml:"skipped,omitempty"`
		Out     string        `xml:"system-out,omitempty"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes the report as JUnit XML. What makes the run fail is a failure, a check of severity fail that a
// failed read left unknown is an error, and what else is unknown, skipped or known from the baseline is skipped.
func WriteJUnit(w io.Writer, r Report, on FailOn) error {
	all := junitSuites{Name: r.toolName()}
	at := map[string]int{}
	for _, result := range r.Results {
		i, ok := at[result.where()]
		if !ok {
			i, at[result.where()] = len(all.Suites), len(all.Suites)
			all.Suites = append(all.Suites, junitSuite{Name: result.where(), Timestamp: r.At.UTC().Format("2006-01-02T15:04:05")})
		}
		c := junitCaseOf(r.toolName()[strings.LastIndex(r.toolName(), " ")+1:], result, on)
		all.Suites[i].Cases = append(all.Suites[i].Cases, c)
		all.Suites[i].count(c)
		all.count(c)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func (n *junitCounts) count(c junitCase) {
	n.Tests++
	switch {
	case c.Failure != nil:
		n.Failures++
	case c.Error != nil:
		n.Errors++
	case c.Skipped != nil:
		n.Skipped++
	}
}

func junitCaseOf(tool string, r Result, on FailOn) junitCase {
	c := junitCase{Class: tool + "." + r.where(), Name: r.Check + " " + r.Title}
	problem := &junitProblem{Message: r.Reason, Type: string(r.Status), Text: strings.Join(r.advice(), "\n")}
	switch {
	case r.Known:
		c.Skipped = &junitProblem{Message: "known: " + r.Reason}
	case r.fails(on):
		c.Failure = problem
	case r.unread():
		c.Error = problem
	case r.Status == Unknown || r.Status == Skipped:
		c.Skipped = &junitProblem{Message: string(r.Status) + ": " + r.Reason}
	case r.Status == Warn || r.Note:
		c.Out = strings.Join(append([]string{string(r.Status) + ": " + r.Reason}, r.advice()...), "\n")
	}
	return c
}
