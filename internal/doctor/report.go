package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// ReportVersion is the version of the report's JSON form. Keys are added within a version, never renamed or removed.
const ReportVersion = 1

// Report is everything a run found.
type Report struct {
	Version      int          `json:"version"`
	At           time.Time    `json:"at"`
	Environments []Header     `json:"environments"`
	Evidence     Evidence     `json:"evidence"`
	Unreadable   []Unreadable `json:"unreadable"`
	Results      []Result     `json:"results"`
	Summary      Summary      `json:"summary"`

	worlds []*World // what was read, for planning changes
}

// Header tells which environment was examined, and what it declares.
type Header struct {
	Name       string                 `json:"name"`
	AccountSID verify.AccountSID      `json:"account_sid"`
	ServiceSID verify.ServiceSID      `json:"service_sid"`
	Kind       verify.EnvironmentKind `json:"kind"`
	IOSBuild   verify.IOSBuild        `json:"ios_build"`
	Platforms  []verify.Platform      `json:"platforms"`
}

func headerOf(w *World) Header {
	env := w.Env
	return Header{Name: env.Name, AccountSID: env.AccountSID, ServiceSID: env.ServiceSID, Kind: env.Kind, IOSBuild: env.IOSBuild,
		Platforms: append([]verify.Platform{}, env.Platforms...)}
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
	Answer
	Known       bool   `json:"known,omitempty"` // in the baseline already
	Fingerprint string `json:"fingerprint"`     // stays the same from run to run while the finding is the same
}

// where names what the result is about.
func (r Result) where() string {
	if r.Environment != "" {
		return r.Environment
	}
	if r.AccountSID != "" {
		return string(r.AccountSID)
	}
	return "account"
}

// Unreadable is something that could not be read, and the checks that are unknown for it: one finding, however many
// checks wait for it.
type Unreadable struct {
	Environments []string   `json:"environments"`
	Resources    []Resource `json:"resources"`
	Error        string     `json:"error"`
	Permission   string     `json:"permission,omitempty"` // what the key lacks, when Twilio refused
	Checks       []string   `json:"checks"`
}

// Summary counts results by status.
type Summary struct {
	Fail    int `json:"fail"`
	Warn    int `json:"warn"`
	Unknown int `json:"unknown"`
	Pass    int `json:"pass"`
	Skipped int `json:"skipped"`
	Known   int `json:"known"` // of the failed, warned and unknown ones: those the baseline knows
}

func summarise(results []Result) Summary {
	var s Summary
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

// unreadable gives one finding for each cause that kept something from being read.
func unreadable(results []Result) []Unreadable {
	found := []Unreadable{}
	at := map[string]int{}
	for _, r := range results {
		if r.cause == nil {
			continue
		}
		key := string(r.AccountSID) + " " + r.cause.key()
		i, ok := at[key]
		if !ok {
			i, at[key] = len(found), len(found)
			found = append(found, Unreadable{Error: plain(describe(r.cause.err)), Environments: []string{}})
		}
		found[i].add(r)
	}
	return found
}

// add notes one more check that could not be made.
func (u *Unreadable) add(r Result) {
	what := r.cause.resource
	if !slices.Contains(u.Resources, what) {
		u.Resources = append(u.Resources, what)
		if permission := permissions[what]; isDenied(r.cause.err) && !strings.Contains(u.Permission, permission) {
			u.Permission = strings.TrimPrefix(u.Permission+"; "+permission, "; ")
		}
	}
	if !slices.Contains(u.Checks, r.Check) {
		u.Checks = append(u.Checks, r.Check)
	}
	if r.Environment != "" && !slices.Contains(u.Environments, r.Environment) {
		u.Environments = append(u.Environments, r.Environment)
	}
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
		if result.Known {
			continue
		}
		switch {
		case result.Status == Fail,
			result.Status == Unknown && (on == FailOnUnknown || on == FailOnWarn),
			result.Status == Warn && on == FailOnWarn:
			failed++
		case result.Status == Unknown && result.Severity == SeverityFail && result.ReadFailed:
			unread++
		}
	}
	switch {
	case failed > 0:
		return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("%s did not pass", count(failed, "check", "checks"))}
	case unread > 0:
		return &verify.Error{Kind: verify.KindPartial, Message: fmt.Sprintf("%s could not be made", count(unread, "check", "checks"))}
	}
	return nil
}
