package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	zeros   = "00000000000000000000000000000000"
	ones    = "11111111111111111111111111111111"
	keySID  = "SK" + zeros
	account = "AC" + zeros
	service = "VA" + zeros
)

var builtIn = []verify.Environment{
	{Name: "demo", Kind: verify.Production, Demo: true},
	{Name: "demo-dev", Kind: verify.Development, Demo: true},
}

// home gives an empty configuration directory with no variable of ours set, and no keychain.
func home(t *testing.T) string {
	t.Helper()
	for _, kv := range os.Environ() {
		if name, _, _ := strings.Cut(kv, "="); strings.HasPrefix(name, "VERIFYCTL_") || strings.HasPrefix(name, "TWILIO_") {
			t.Setenv(name, "")
		}
	}
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv(keychainVariable, "off")
	return filepath.Join(dir, "verifyctl")
}

// write writes a file that only its owner can read and gives its path.
func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// ownFile writes the user's own environment file.
func ownFile(t *testing.T, text string) string {
	t.Helper()
	return write(t, filepath.Join(home(t), "config.yaml"), text)
}

// flagsOf parses the flags that choose and connect.
func flagsOf(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.StringP("env", "e", "", "")
	flags.String("service", "", "")
	flags.String("config", "", "")
	flags.String("base-url", "", "")
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return flags
}

func open(t *testing.T, args ...string) *Config {
	t.Helper()
	c, err := Open(Options{Flags: flagsOf(t, args...), BuiltIn: builtIn})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError holds an error against its kind and the words it must have, message and hint together.
func wantError(t *testing.T, err error, kind verify.Kind, words ...string) {
	t.Helper()
	var e *verify.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want a verify.Error", err, err)
	}
	if e.Kind != kind {
		t.Errorf("%v is of kind %v, want %v", err, e.Kind, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error()+"\n"+e.Hint, word) {
			t.Errorf("%q (hint %q) does not say %q", err, e.Hint, word)
		}
	}
}

const minimal = "    account_sid: " + account + "\n    service_sid: " + service + "\n"

const full = `current: staging
environments:
  staging:
    account_sid: ` + account + `
    service_sid: ` + service + `
    api_key: ` + keySID + `
    secret_env: STAGING_SECRET
    kind: staging
    readonly: true
    ios_build: distribution
    platforms: [apn, fcm]
    app_ids: [com.example.app]
    max_factors: 3
    metadata_keys: [app_version]
    identity: {from: sha256}
    base_url: http://127.0.0.1:8080
    ca_file: ca.pem
    region: ie1
    edge: dublin
    challenges: {templates_only: true, texts: texts.yaml}
    webhook_url: https://hooks.bank.example/verify
    webhook_secret: [{env: HOOK_ONE}, {shared_key: ours, secret_env: HOOK_TWO}]
    attestations:
      EVT-01: {by: Noor, on: 2026-11-01, until: 2027-11-01, value: webhook set}
    credential_notes:
      apn: {credential: CR` + zeros + `, expires: 2027-01-31, topics: [com.example.app], recorded: 2026-11-23}
`

func TestEveryFieldOfAnEnvironmentIsRead(t *testing.T) {
	path := ownFile(t, full)
	t.Setenv("STAGING_SECRET", "abc123")
	t.Setenv("HOOK_ONE", "one1")
	t.Setenv("HOOK_TWO", "two2")
	got, err := open(t).Choose()
	if err != nil {
		t.Fatal(err)
	}
	want := verify.Environment{
		Name: "staging", AccountSID: account, ServiceSID: service, Kind: verify.Staging, ReadOnly: true,
		IOSBuild: verify.IOSDistribution, Platforms: []verify.Platform{"apn", "fcm"}, AppIDs: []string{"com.example.app"},
		MaxFactors: 3, MetadataKeys: []string{"app_version"}, WebhookURL: "https://hooks.bank.example/verify", TemplatesOnly: true,
		Attestations: map[string]verify.Attestation{
			"EVT-01": {By: "Noor", On: "2026-11-01", Until: "2027-11-01", Value: "webhook set"}},
		CredentialNotes: map[verify.Platform]verify.CredentialNote{
			"apn": {CredentialSID: "CR" + zeros, Expires: "2027-01-31", Topics: []string{"com.example.app"}, Recorded: "2026-11-23"}},
	}
	if diff := cmp.Diff(want, got.Environment); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	dir := filepath.Dir(path)
	connection := []string{got.Username, got.BaseURL, got.CAFile, got.Region, got.Edge, got.Texts, got.Declared}
	if diff := cmp.Diff([]string{keySID, "http://127.0.0.1:8080", filepath.Join(dir, "ca.pem"), "ie1", "dublin",
		filepath.Join(dir, "texts.yaml"), path + ":3"}, connection); diff != "" {
		t.Errorf("connection (-want +got):\n%s", diff)
	}
	keys, err := got.Keys(context.Background())
	if err != nil || keys.Username != keySID || keys.Secret.Reveal() != "abc123" {
		t.Errorf("keys of %q, secret read: %v, %v", keys.Username, keys.Secret.Reveal() == "abc123", err)
	}
	if want := "the environment variable STAGING_SECRET (" + path + ":7)"; keys.Source != want {
		t.Errorf("source %q, want %q", keys.Source, want)
	}
	secrets, err := got.WebhookSecrets(context.Background())
	if err != nil || len(secrets) != 2 || secrets[1].Secret.Reveal() != "two2" || secrets[1].SharedKey != "ours" {
		t.Errorf("%d webhook secrets, %v", len(secrets), err)
	}
}

func TestWhatChoosesTheEnvironment(t *testing.T) {
	ownFile(t, "current: prod\nenvironments:\n  prod:\n"+minimal+"  Dev-EU:\n"+minimal+"    kind: development\n")
	for _, tc := range []struct {
		name, variable string
		args           []string
		want           string
		chosen         Choice
	}{
		{"current", "", nil, "prod", ByCurrent},
		{"variable", "Dev-EU", nil, "Dev-EU", ByVariable},
		{"flag over variable", "Dev-EU", []string{"-e", "prod"}, "prod", ByFlag},
		{"built in", "", []string{"-e", "demo"}, "demo", ByFlag},
		{"built in by variable", "demo-dev", nil, "demo-dev", ByVariable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Setenv("VERIFYCTL_ENV", tc.variable)
			got, err := open(t, tc.args...).Choose()
			if err != nil {
				t.Fatal(err)
			}
			if got.Environment.Name != tc.want || got.Chosen != tc.chosen {
				t.Errorf("chose %s by %d, want %s by %d", got.Environment.Name, got.Chosen, tc.want, tc.chosen)
			}
		})
	}
}

func TestABuiltInEnvironmentNeedsNoFile(t *testing.T) {
	ownFile(t, "environments: [broken")
	got, err := open(t, "-e", "demo").Choose()
	if err != nil || got.Environment.Name != "demo" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestNothingToChooseSaysWhatToDo(t *testing.T) {
	home(t)
	_, err := open(t).Choose()
	wantError(t, err, verify.KindUsage, "no environment is set up", "verifyctl env add NAME", "-e demo")

	ownFile(t, "environments:\n  prod:\n"+minimal)
	_, err = open(t).Choose()
	wantError(t, err, verify.KindUsage, "no environment is chosen", "verifyctl env use prod")

	_, err = open(t, "-e", "prd").Choose()
	wantError(t, err, verify.KindUsage, `no environment "prd"`, "did you mean prod?")

	_, err = open(t, "-e", "zzzzzz").Choose()
	wantError(t, err, verify.KindUsage, `no environment "zzzzzz"`, "prod, demo, demo-dev")
}

func TestCurrentThatDoesNotExistNamesItsLine(t *testing.T) {
	path := ownFile(t, "# mine\ncurrent: prd\nenvironments:\n  prod:\n"+minimal)
	_, err := open(t).Choose()
	wantError(t, err, verify.KindUsage, path+":2: current names", `"prd"`, "did you mean prod?")
}

func TestFlagThenVariableThenFile(t *testing.T) {
	ownFile(t, "current: a\nenvironments:\n  a:\n"+minimal+"    base_url: http://localhost:1\n    region: ie1\n")
	choose := func(args ...string) *Target {
		t.Helper()
		got, err := open(t, args...).Choose()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := choose(); got.BaseURL != "http://localhost:1" {
		t.Errorf("from the file: %s", got.BaseURL)
	}
	t.Setenv("VERIFYCTL_BASE_URL", "http://localhost:2")
	if got := choose(); got.BaseURL != "http://localhost:2" || got.Region != "ie1" {
		t.Errorf("from the variable: %s, region %s", got.BaseURL, got.Region)
	}
	if got := choose("--base-url", "http://localhost:3"); got.BaseURL != "http://localhost:3" {
		t.Errorf("from the flag: %s", got.BaseURL)
	}
	if got := choose("--base-url", ""); got.BaseURL != "" {
		t.Errorf("an empty flag does not win: %s", got.BaseURL)
	}
}

func TestReadonlyVariableOnlyAddsCare(t *testing.T) {
	ownFile(t, "environments:\n  open:\n"+minimal+"  closed:\n"+minimal+"    readonly: true\n")
	for _, tc := range []struct {
		variable, env string
		want          bool
	}{
		{"", "open", false}, {"", "closed", true}, {"true", "open", true}, {"false", "closed", true}, {"0", "open", false},
	} {
		t.Setenv("VERIFYCTL_READONLY", tc.variable)
		got, err := open(t, "-e", tc.env).Choose()
		if err != nil || got.Environment.ReadOnly != tc.want {
			t.Errorf("%s with %q: read-only %v, %v", tc.env, tc.variable, got.Environment.ReadOnly, err)
		}
	}
	t.Setenv("VERIFYCTL_READONLY", "perhaps")
	_, err := open(t, "-e", "open").Choose()
	wantError(t, err, verify.KindUsage, "VERIFYCTL_READONLY takes true or false")
}

func TestTwilioVariablesAreOneSet(t *testing.T) {
	const key, secret, token = "TWILIO_API_KEY", "TWILIO_API_SECRET", "TWILIO_AUTH_TOKEN"
	for _, tc := range []struct {
		name     string
		vars     map[string]string
		username string
		source   string
		problem  string
	}{
		{"auth token", map[string]string{"TWILIO_ACCOUNT_SID": account, token: "t1"}, account, token, ""},
		{"api key", map[string]string{key: keySID, secret: "s1"}, keySID, secret, ""},
		{"api key of an account", map[string]string{"TWILIO_ACCOUNT_SID": account, key: keySID, secret: "s1"}, keySID, secret, ""},
		{"both", map[string]string{"TWILIO_ACCOUNT_SID": account, token: "t1", key: keySID, secret: "s1"}, keySID, secret, ""},
		{"half a key", map[string]string{"TWILIO_ACCOUNT_SID": account, token: "t1", key: keySID}, "", "", "TWILIO_API_KEY is set without TWILIO_API_SECRET"},
		{"the other half", map[string]string{secret: "s1"}, "", "", "TWILIO_API_SECRET is set without TWILIO_API_KEY"},
		{"token alone", map[string]string{token: "t1"}, "", "", "TWILIO_AUTH_TOKEN is set without TWILIO_ACCOUNT_SID"},
		{"account alone", map[string]string{"TWILIO_ACCOUNT_SID": account}, "", "", "no environment is set up"},
		{"no SID", map[string]string{"TWILIO_ACCOUNT_SID": "jane", token: "t1"}, "", "", "TWILIO_ACCOUNT_SID: \"jane\" is not a"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			home(t)
			for name, value := range tc.vars {
				t.Setenv(name, value)
			}
			got, err := open(t, "--service", service).Choose()
			if tc.problem != "" {
				wantError(t, err, verify.KindUsage, tc.problem)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			keys, err := got.Keys(context.Background())
			if err != nil || keys.Username != tc.username || keys.Source != "the environment variable "+tc.source {
				t.Errorf("keys of %s from %s, %v", keys.Username, keys.Source, err)
			}
			if got.Chosen != ByTwilio || got.Environment.Name != "" || got.Environment.ServiceSID != service || !got.Environment.IsProduction() {
				t.Errorf("target %+v", got.Environment)
			}
		})
	}
}

func TestAnEnvironmentNeverUsesTwilioVariables(t *testing.T) {
	ownFile(t, "current: staging\nenvironments:\n  staging:\n"+minimal+"    auth_token_env: STAGING_TOKEN\n")
	t.Setenv("TWILIO_ACCOUNT_SID", "AC"+ones)
	t.Setenv("TWILIO_AUTH_TOKEN", "other")
	t.Setenv("TWILIO_REGION", "au1")
	got, err := open(t).Choose()
	if err != nil || got.Username != account || got.Region != "" {
		t.Fatalf("%+v, %v", got, err)
	}
	_, err = got.Keys(context.Background())
	wantError(t, err, verify.KindAuth, "STAGING_TOKEN", "not set")

	_, err = open(t, "--service", service).Choose()
	wantError(t, err, verify.KindUsage, "--service goes with TWILIO_* variables", "env use --none")

	got, err = open(t, "-e", "", "--service", service).Choose()
	if err != nil || got.Username != "AC"+ones || got.Region != "au1" {
		t.Errorf("no environment: %+v, %v", got, err)
	}
}
