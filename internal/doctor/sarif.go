package doctor

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const checksPage = "https://github.com/verifyctl/verifyctl/blob/main/docs/reference/checks.md"

// What a SARIF 2.1.0 file has of ours (docs.oasis-open.org/sarif/sarif/v2.1.0); what stands at its default is left out.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Results []sarifResult `json:"results"` // an empty list says that nothing was found, none that nobody looked
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		Name             string    `json:"name"`
		ShortDescription sarifText `json:"shortDescription"`
		Help             sarifText `json:"help"`
		HelpURI          string    `json:"helpUri"`
		Default          struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID              string            `json:"ruleId"`
		Kind                string            `json:"kind"`
		Level               string            `json:"level"`
		Message             sarifText         `json:"message"`
		BaselineState       string            `json:"baselineState,omitempty"`
		PartialFingerprints map[string]string `json:"partialFingerprints"`
		Locations           []sarifLocation   `json:"locations"`
	}
	sarifLocation struct {
		PhysicalLocation sarifPlace  `json:"physicalLocation"`
		LogicalLocations []sarifName `json:"logicalLocations"`
	}
	sarifPlace struct {
		ArtifactLocation struct {
			URI string `json:"uri"`
		} `json:"artifactLocation"`
		Region struct {
			StartLine int `json:"startLine"`
		} `json:"region"`
	}
	sarifName struct {
		Name string `json:"name"`
		Kind string `json:"kind"`
	}
)

// elsewhere is where findings about an environment that no file declares point: GitHub refuses a result without a file
// (https://docs.github.com/en/code-security/reference/code-scanning/sarif-support-for-code-scanning#result-object).
const elsewhere = "verifyctl.yaml"

// WriteSARIF writes what is not in order as SARIF 2.1.0, which code hosts show as findings. Each finding points at the
// line of the environment file that declares the environment, or at the file that could.
func WriteSARIF(w io.Writer, r Report, version string) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: r.toolName(), Version: version, InformationURI: checksPage, Rules: r.rules()}
	for _, result := range r.Results {
		if level := sarifLevels[string(result.Status)]; level != "" {
			run.Results = append(run.Results, r.sarif(result, level))
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Version: "2.1.0", Runs: []sarifRun{run},
		Schema: "https://raw.githubusercontent.com/oasis-tcs/sarif-spec/main/sarif-2.1/schema/sarif-schema-2.1.0.json"})
}

// rules are the checks that a report can have results of.
func (r Report) rules() (rules []sarifRule) {
	if r.tool != "" {
		rule := sarifRule{ID: driftRule.id, Name: driftRule.id, ShortDescription: sarifText{driftRule.title}, Help: sarifText{driftRule.help}, HelpURI: driftRule.page}
		rule.Default.Level = sarifLevels[string(severityFail)]
		return []sarifRule{rule}
	}
	for _, c := range Catalogue() {
		rule := sarifRule{ID: c.ID, Name: c.ID, ShortDescription: sarifText{c.Title}, Help: sarifText{c.Remedy},
			HelpURI: checksPage + "#" + strings.ToLower(c.ID)}
		rule.Default.Level = sarifLevels[string(c.Severity)]
		rules = append(rules, rule)
	}
	return rules
}

// sarifLevels are the levels of our statuses and severities.
var sarifLevels = map[string]string{string(Fail): "error", string(Warn): "warning", string(Unknown): "note", string(severityInfo): "note"}

func (r Report) sarif(result Result, level string) sarifResult {
	place := verify.Place{File: elsewhere}
	if env := r.header(result); env.File != "" {
		place = verify.Place{File: env.File, Line: env.Line}
	}
	if result.at != (verify.Place{}) {
		place = result.at
	}
	location := sarifLocation{LogicalLocations: []sarifName{{Name: result.where(), Kind: "namespace"}}}
	location.PhysicalLocation.ArtifactLocation.URI = fileURI(place.File)
	location.PhysicalLocation.Region.StartLine = max(1, place.Line)
	out := sarifResult{RuleID: result.Check, Kind: "fail", Level: level, Locations: []sarifLocation{location},
		Message:             sarifText{strings.Join(append([]string{string(result.Status) + ": " + result.Reason}, result.advice()...), "\n")},
		PartialFingerprints: map[string]string{"verifyctlFinding/v1": result.Fingerprint}}
	if result.Known {
		out.BaselineState = "unchanged"
	}
	return out
}

// fileURI gives a path as a URI reference: a relative one stays relative, to the root of a checkout.
func fileURI(path string) string {
	slashed := filepath.ToSlash(filepath.Clean(path))
	if !filepath.IsAbs(path) {
		return (&url.URL{Path: slashed}).String()
	}
	return (&url.URL{Scheme: "file", Path: "/" + strings.TrimPrefix(slashed, "/")}).String()
}

// header gives the environment a result is about; for an account, one of its environments.
func (r Report) header(result Result) header {
	for _, env := range r.Environments {
		if env.Name == result.Environment || result.Environment == "" && env.AccountSID == result.AccountSID {
			return env
		}
	}
	return header{}
}
