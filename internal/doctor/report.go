package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// reportVersion is the version of the report's JSON form. Keys are added within a version, never renamed or removed.
const reportVersion = 1

// Report is everything a run found.
type Report struct {
	Version      int          `json:"version"`
	At           time.Time    `json:"at"`
	Environments []header     `json:"environments"`
	Evidence     evidence     `json:"evidence"`
	Unreadable   []unreadable `json:"unreadable"`
	Results      []Result     `json:"results"`
	Summary      summary      `json:"summary"`

	snapshots []*snapshot // what was read, for planning changes
	tool      string      // what made the report; "" is doctor
}

// header tells which environment was examined, and what it declares.
type header struct {
	Name       string                 `json:"name"`
	AccountSID verify.AccountSID      `json:"account_sid"`
	ServiceSID verify.ServiceSID      `json:"service_sid"`
	Kind       verify.EnvironmentKind `json:"kind"`
	IOSBuild   verify.IOSBuild        `json:"ios_build"`
	Platforms  []verify.Platform      `json:"platforms"`
	File       string                 `json:"file,omitempty"` // that declares it
	Line       int                    `json:"line,omitempty"`
}

func headerOf(snap *snapshot) header {
	env := snap.Env
	return header{Name: env.Name, AccountSID: env.AccountSID, ServiceSID: env.ServiceSID, Kind: env.Kind, IOSBuild: env.IOSBuild,
		Platforms: append([]verify.Platform{}, env.Platforms...), File: snap.file, Line: snap.line}
}

// Result is what one check said of one environment, or of one account.
type Result struct {
	Environment string            `json:"environment"` // "" when the check is about the account
	AccountSID  verify.AccountSID `json:"account_sid"`
	Check       string            `json:"check"`
	Title       string            `json:"title"`
	Group       string            `json:"group"`
	Severity    Severity          `json:"severity"`
	Certainty   Certainty         `json:"certainty"`
	answer
	Known       bool   `json:"known,omitempty"` // in the baseline already
	Fingerprint string `json:"fingerprint"`     // stays the same from run to run while the finding is the same

	perAccount bool
	at         verify.Place // the line it is about; the zero value is that of its environment
}

// where names what the result is about. An environment of TWILIO_* variables has no name.
func (r Result) where() string {
	switch {
	case r.Environment != "":
		return plain(r.Environment)
	case r.perAccount && r.AccountSID != "":
		return plain(string(r.AccountSID))
	case r.perAccount:
		return "account"
	}
	return "environment"
}

// unreadable is something that could not be read: one finding, however many checks are unknown for it.
type unreadable struct {
	Environments []string `json:"environments"`
	Resources    []string `json:"resources"`
	Error        string   `json:"error"`
	Permission   string   `json:"permission,omitempty"` // what the key lacks, when Twilio refused
	Checks       []string `json:"checks"`
}

// summary counts results by status.
type summary struct {
	Fail    int `json:"fail"`
	Warn    int `json:"warn"`
	Unknown int `json:"unknown"`
	Pass    int `json:"pass"`
	Skipped int `json:"skipped"`
	Known   int `json:"known"` // of the failed, warned and unknown ones: those the baseline knows
}

func summarise(results []Result) summary {
	var s summary
	for _, r := range results {
		switch r.Status {
		case Fail:
			s.Fail++
		case Warn:
			s.Warn++
		case Unknown:
			s.Unknown++
		case Pass:
			s.Pass++
		case Skipped:
			s.Skipped++
		}
		if r.Known {
			s.Known++
		}
	}
	return s
}

// findUnreadable gives one finding for each cause that kept something from being read.
func findUnreadable(results []Result) []unreadable {
	found := []unreadable{}
	at := map[string]int{}
	for _, r := range results {
		if r.cause == nil {
			continue
		}
		key := string(r.AccountSID) + " " + r.cause.key()
		i, ok := at[key]
		if !ok {
			i, at[key] = len(found), len(found)
			found = append(found, unreadable{Error: plain(describe(r.cause.err)), Environments: []string{}})
		}
		found[i].add(r)
	}
	for i, u := range found {
		if slices.Contains(u.Resources, string(theService)) {
			found[i].Permission = "" // the key is refused altogether; AUTH-01 says why
		}
	}
	return found
}

func (u *unreadable) add(r Result) {
	what := r.cause.resource
	if !slices.Contains(u.Resources, string(what)) {
		u.Resources = append(u.Resources, string(what))
		if permission := permissions[what]; isDenied(r.cause.err) && !strings.Contains(u.Permission, permission) {
			u.Permission = strings.TrimPrefix(u.Permission+"; "+permission, "; ")
		}
	}
	u.Checks = including(u.Checks, r.Check)
	if r.Environment != "" {
		u.Environments = including(u.Environments, r.Environment)
	}
}

// including gives a list with an item in it, once.
func including(list []string, item string) []string {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// FailOn says which results make a run fail.
type FailOn string

// What a run can fail on, each including the one before.
const (
	FailOnFail    FailOn = "fail"
	FailOnUnknown FailOn = "unknown"
	FailOnWarn    FailOn = "warn"
)

// Outcome gives nil when nothing the caller cares about was found, an error of [verify.KindFailed] when a check failed,
// and one of [verify.KindPartial] when none did but a failed read left a check of severity fail unknown. What the
// baseline knows does not count.
func (r Report) Outcome(on FailOn) error {
	failed, unread := 0, 0
	for _, result := range r.Results {
		switch {
		case result.fails(on):
			failed++
		case result.unread():
			unread++
		}
	}
	switch {
	case failed > 0:
		return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("%s did not pass", verify.Count(failed, "check"))}
	case unread > 0:
		return &verify.Error{Kind: verify.KindPartial, Message: fmt.Sprintf("%s could not be run", verify.Count(unread, "check"))}
	}
	return nil
}

func (r Result) fails(on FailOn) bool {
	if r.Known {
		return false
	}
	switch r.Status {
	case Fail:
		return true
	case Unknown:
		return on == FailOnUnknown || on == FailOnWarn
	case Warn:
		return on == FailOnWarn
	}
	return false
}

// unread tells whether something that would be bad if it were so could not be found out.
func (r Result) unread() bool {
	return r.Status == Unknown && r.Severity == severityFail && r.ReadFailed && !r.Known
}

// reason is the reason with what it rests on.
func (r Result) reason() string {
	text := r.Reason
	if r.Sample != "" {
		text += " (" + r.Sample + ")"
	}
	if r.Known {
		text += " (known)"
	}
	return text
}

// advice is what to do, line by line.
func (r Result) advice() []string {
	lines := slices.Clone(r.Seen)
	if r.Fix != "" {
		lines = append(lines, "fix: "+r.Fix)
	}
	for _, command := range r.Commands {
		lines = append(lines, "$ "+command)
	}
	return lines
}

// place is an environment, or an account, with what was found of it.
type place struct {
	title   string
	results []Result
}

// places gives the environments in order, then the accounts.
func (r Report) places() []place {
	var all []place
	at := map[string]int{}
	for _, env := range r.Environments {
		at["environment "+env.Name] = len(all)
		all = append(all, place{title: env.title()})
	}
	for _, result := range r.Results {
		key := "environment " + result.Environment
		if result.perAccount {
			key = "account " + string(result.AccountSID)
		}
		i, ok := at[key]
		if !ok {
			i, at[key] = len(all), len(all)
			all = append(all, place{title: plain(key)})
		}
		all[i].results = append(all[i].results, result)
	}
	return all
}

func (h header) title() string {
	words := []string{h.Name, string(h.ServiceSID)}
	if h.Kind != "" {
		words = append(words, string(h.Kind))
	}
	if h.IOSBuild != "" {
		words = append(words, "ios_build "+string(h.IOSBuild))
	}
	return plain(strings.TrimSpace(strings.Join(words, "  ")))
}

// problems gives what is not in order and what is worth knowing, the worst first. What is unknown because something
// could not be read is told once, by unreadable.
func problems(results []Result) []Result {
	var list []Result
	for _, status := range []Status{Fail, Warn, Unknown, Pass} {
		for _, r := range results {
			if r.Status == status && (status != Pass || r.Note) && r.cause == nil {
				list = append(list, r)
			}
		}
	}
	return list
}

// Problems gives every result that is not in order: failed, warned or unknown.
func (r Report) Problems() []Result {
	var list []Result
	for _, result := range r.Results {
		if rank[result.Status] > 0 {
			list = append(list, result)
		}
	}
	return list
}

// manyNames is how many names a line lists before it only counts them.
const manyNames = 6

func (u unreadable) checks() string {
	if len(u.Checks) > 2*manyNames {
		return fmt.Sprintf("%d checks", len(u.Checks))
	}
	return strings.Join(u.Checks, ", ")
}

// what says what could not be read, and of which environments.
func (u unreadable) what() string {
	what := strings.Join(u.Resources, ", ")
	if len(u.Resources) > manyNames {
		what = "almost everything"
	}
	if len(u.Environments) == 0 {
		return what
	}
	return plain(strings.Join(u.Environments, ", ") + ": " + what)
}
