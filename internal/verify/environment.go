package verify

import "slices"

// EnvironmentKind says how much care an environment needs. Absent counts as production.
type EnvironmentKind string

// The kinds of environment.
const (
	Development EnvironmentKind = "development"
	Staging     EnvironmentKind = "staging"
	Production  EnvironmentKind = "production"
)

// IOSBuild says how an environment's iOS app is signed, which decides what its push credential's sandbox must be.
type IOSBuild string

// The ways of signing. TestFlight and Ad Hoc builds are distribution builds.
const (
	IOSDebug        IOSBuild = "debug"
	IOSDistribution IOSBuild = "distribution"
	IOSNone         IOSBuild = "none"
	IOSUndeclared   IOSBuild = ""
)

// Environment is ours: a name for one Service, and the intent that no API can tell. It never holds a secret.
type Environment struct {
	Name       string          `json:"name"`
	AccountSID AccountSID      `json:"account_sid"`
	ServiceSID ServiceSID      `json:"service_sid"`
	Kind       EnvironmentKind `json:"kind"`
	ReadOnly   bool            `json:"readonly"` // every write is refused

	IOSBuild     IOSBuild   `json:"ios_build"`
	Platforms    []Platform `json:"platforms"`
	AppIDs       []string   `json:"app_ids"`
	MaxFactors   int        `json:"max_factors"`   // per identity; 0 when not declared
	MetadataKeys []string   `json:"metadata_keys"` // that the app writes at enrolment
	WebhookURL   string     `json:"webhook_url"`

	TemplatesOnly bool `json:"templates_only"` // challenges take their text from a template, never from a flag

	// Attestations are answers to what no API can tell, by check id.
	Attestations map[string]Attestation `json:"attestations,omitempty"`

	// CredentialNotes are what was read of push credentials before they were uploaded, by platform.
	CredentialNotes map[Platform]CredentialNote `json:"credential_notes,omitempty"`

	Demo bool `json:"demo"` // one of the built-in environments on the embedded simulator

	Config ConfigFile `json:"-"` // that this run goes by
}

// Attestation is somebody's word on something no API can tell.
type Attestation struct {
	By    string `json:"by"`
	On    string `json:"on"`              // date, YYYY-MM-DD
	Until string `json:"until"`           // date, YYYY-MM-DD; past it the answer counts no more
	Value string `json:"value,omitempty"` // what was attested, where a word is needed
}

// CredentialNote is what a push credential's own file told before it was uploaded; no API gives it back.
type CredentialNote struct {
	CredentialSID CredentialSID `json:"credential,omitempty"` // "" when it was not known yet
	Expires       string        `json:"expires,omitempty"`    // date, YYYY-MM-DD; "" for one that does not expire
	Topics        []string      `json:"topics,omitempty"`     // bundle ids an APNs certificate is for
	Recorded      string        `json:"recorded"`             // date, YYYY-MM-DD
}

// IsProduction tells whether people depend on what is there: everything that is neither development nor staging. The demo
// environments are not production, whatever part they play.
func (e Environment) IsProduction() bool { return !e.Demo && e.GuardsAsProduction() }

// GuardsAsProduction tells whether writes need the care of production: the environment's name as confirmation, limits on who
// may be locked out, plans stage by stage. The demo's live environment asks for it too, where that is rehearsed.
func (e Environment) GuardsAsProduction() bool { return e.Kind != Development && e.Kind != Staging }

// Command gives a verifyctl command on the environment, to paste as [ConfigFile.Command] does. It names the environment, or with
// the TWILIO_* variables its Service.
func (e Environment) Command(words ...string) string {
	switch {
	case e.Name != "":
		words = append([]string{"-e", e.Name}, words...)
	case e.ServiceSID != "":
		words = append([]string{"--service", string(e.ServiceSID)}, words...)
	}
	return e.Config.Command(words...)
}

// Uses tells whether the environment declares a platform.
func (e Environment) Uses(p Platform) bool { return slices.Contains(e.Platforms, p) }
