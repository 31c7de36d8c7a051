package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantFile holds a file against its text, with AC, VA and SK for the SIDs of zeros.
func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got := strings.NewReplacer(account, "AC", service, "VA", keySID, "SK").Replace(read(t, path))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func staging() verify.Environment {
	return verify.Environment{Name: "Staging-EU", AccountSID: account, ServiceSID: service, Kind: verify.Staging,
		IOSBuild: verify.IOSDebug, Platforms: []verify.Platform{"apn", "fcm"}, AppIDs: []string{"com.example.app"}, MaxFactors: 3}
}

func TestTheFirstEnvironmentBecomesCurrent(t *testing.T) {
	path := filepath.Join(home(t), "config.yaml")
	c := open(t)
	change, err := c.Add(t.Context(), Addition{Environment: staging(), Identity: "sha256",
		Credentials: Credentials{APIKey: keySID, Source: Source{Variable: "STAGING_SECRET"}}})
	if err != nil || cmp.Diff([]string{path}, change.Files) != "" || change.Secret != "" {
		t.Fatalf("%+v, %v", change, err)
	}
	wantFile(t, path, `current: Staging-EU
environments:
  Staging-EU:
    account_sid: AC
    service_sid: VA
    api_key: SK
    secret_env: STAGING_SECRET
    kind: staging
    ios_build: debug
    platforms: [apn, fcm]
    app_ids: [com.example.app]
    max_factors: 3
    identity: {from: sha256}
`)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	got, err := c.Choose()
	if err != nil || got.Environment.Name != "Staging-EU" {
		t.Errorf("the same configuration does not see it: %v", err)
	}
	_, err = c.Add(t.Context(), Addition{Environment: verify.Environment{Name: "staging-eu", AccountSID: account, ServiceSID: service}})
	wantError(t, err, verify.KindUsage, "stands in "+path+":3 already")
}

const commented = `# Our environments.
# Ask the platform team.

current: staging # for most of us

environments:

  # Where QA works.
  staging:
    account_sid: AC # the main account
    service_sid: VA

    # keys
    api_key: SK
    secret_env: X
    platforms:
      - apn
      - fcm

    app_ids: [com.example.a, 'com.example.b'] # both
    # the last of staging

  # The real one.
  Prod-EU:
    service_sid: VA
    account_sid: AC
    readonly: true

# the end
`

func commentedFile(t *testing.T) string {
	t.Helper()
	return ownFile(t, strings.NewReplacer("AC", account, "VA", service, "SK", keySID).Replace(commented))
}

func TestEditsKeepWhatPeopleWrote(t *testing.T) {
	ctx := t.Context()
	for _, tc := range []struct {
		name string
		edit func(c *Config) (Change, error)
		want []string // old and new parts of the text in turn
	}{
		{"use", func(c *Config) (Change, error) { return c.Use("Prod-EU") },
			[]string{"current: staging", "current: Prod-EU"}},
		{"use a built-in one", func(c *Config) (Change, error) { return c.Use("demo") },
			[]string{"current: staging", "current: demo"}},
		{"use none", func(c *Config) (Change, error) { return c.Use("") },
			[]string{"current: staging", `current: ""`}},
		{"use the same", func(c *Config) (Change, error) { return c.Use("staging") }, nil},
		{"add", func(c *Config) (Change, error) {
			return c.Add(ctx, Addition{Environment: verify.Environment{Name: "dev", AccountSID: account, ServiceSID: service, Kind: verify.Development}})
		}, []string{"    readonly: true\n\n# the end\n", "    readonly: true\n\n  dev:\n    account_sid: AC\n    service_sid: VA\n    auth_token: keychain\n    kind: development\n\n# the end\n"}},
		{"credentials", func(c *Config) (Change, error) {
			return c.SetCredentials(ctx, "staging", Credentials{Source: Source{Command: []string{"pass", "show", "a b"}}})
		}, []string{"\n    # keys\n    api_key: SK\n    secret_env: X\n", "    auth_token_command: [pass, show, a b]\n"}},
		{"remove the current one", func(c *Config) (Change, error) { return c.Remove(ctx, "staging") },
			[]string{commented[strings.Index(commented, "\n  # Where QA"):strings.Index(commented, "\n  # The real")], "", "current: staging", `current: ""`}},
		{"note", func(c *Config) (Change, error) {
			return c.NoteCredential("Prod-EU", verify.PlatformAPN, verify.CredentialNote{Expires: "2027-01-31", Topics: []string{"com.example.a"}, Recorded: "2026-11-23"})
		}, []string{"    readonly: true\n", "    readonly: true\n    credential_notes:\n      apn: {expires: 2027-01-31, topics: [com.example.a], recorded: 2026-11-23}\n"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := commentedFile(t)
			if _, err := tc.edit(open(t)); err != nil {
				t.Fatal(err)
			}
			want := commented
			for i := 0; i < len(tc.want); i += 2 {
				if !strings.Contains(want, tc.want[i]) {
					t.Fatalf("the text has no %q", tc.want[i])
				}
				want = strings.Replace(want, tc.want[i], tc.want[i+1], 1)
			}
			wantFile(t, path, want)
		})
	}
}

func TestCommentsAloneStay(t *testing.T) {
	path := ownFile(t, "# Ask Noor before adding one.\n\n# Really.\n")
	if _, err := open(t).Add(t.Context(), Addition{Environment: verify.Environment{Name: "a", AccountSID: account, ServiceSID: service}}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "# Ask Noor before adding one.\n\n# Really.\n\ncurrent: a\nenvironments:\n  a:\n    account_sid: AC\n    service_sid: VA\n    auth_token: keychain\n")
}

func TestATextOfSeveralLinesSurvivesAnEdit(t *testing.T) {
	path := ownFile(t, environment("attestations:", "  EVT-01:", "    by: Noor", "    on: 2026-11-01", "    until: 2027-11-01", "    value: |", "      first", "", "      third"))
	before := read(t, path)
	if _, err := open(t).Use("s"); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll("current: s\n"+before, "\n    \n", "\n\n")
	if diff := cmp.Diff(want, read(t, path)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestATeamsFileGetsFactsAndThePersonalOneKeys(t *testing.T) {
	home(t)
	dir := t.TempDir()
	team, mine := filepath.Join(dir, "team.yaml"), filepath.Join(dir, "team.local.yaml")
	c := open(t, "--config", team)
	env := verify.Environment{Name: "staging", AccountSID: account, ServiceSID: service, Kind: verify.Staging}
	change, err := c.Add(t.Context(), Addition{Environment: env, Credentials: Credentials{APIKey: keySID, Source: Source{Variable: "S"}},
		BaseURL: "https://proxy.bank.example", AllowBaseURL: true})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{team, mine}, change.Files); diff != "" {
		t.Error(diff)
	}
	wantFile(t, team, "environments:\n  staging:\n    account_sid: AC\n    service_sid: VA\n    kind: staging\n    base_url: https://proxy.bank.example\n")
	wantFile(t, mine, "environments:\n  staging:\n    api_key: SK\n    secret_env: S\n    allow_base_url: true\n")

	if _, err := c.Use("staging"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, mine, "current: staging\nenvironments:\n  staging:\n    api_key: SK\n    secret_env: S\n    allow_base_url: true\n")
	if _, err := c.SetCredentials(t.Context(), "staging", Credentials{Source: Source{Variable: "T"}}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, mine, "current: staging\nenvironments:\n  staging:\n    auth_token_env: T\n    allow_base_url: true\n")
	got, err := c.Choose()
	if err != nil || got.Username != account || got.Chosen != ByCurrent {
		t.Errorf("%+v, %v", got, err)
	}
	change, err = c.Remove(t.Context(), "staging")
	if err != nil || len(change.Files) != 2 {
		t.Errorf("%+v, %v", change, err)
	}
	wantFile(t, team, "environments: {}\n")
	wantFile(t, mine, "current: \"\"\nenvironments: {}\n")
}

func TestRemovingForgetsTheKeysNobodyElseUses(t *testing.T) {
	text := "environments:\n  a:\n" + minimal + "    api_key: " + keySID + "\n  b:\n" + minimal + "    api_key: " + keySID + "\n"
	ownFile(t, text)
	r := &fakeRing{entries: map[string]string{keySID: "abc", "SK" + ones: "other"}}
	c := openWith(t, r)
	if _, err := c.Remove(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if r.entries[keySID] == "" {
		t.Error("the keys of b are gone")
	}
	if _, err := c.Remove(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]string{"SK" + ones: "other"}, r.entries); diff != "" {
		t.Error(diff)
	}
}

func TestRemovingKeepsASecretThatAnotherNames(t *testing.T) {
	for name, use := range map[string]string{
		"webhooks": "    webhook_secrets: [{keychain: " + keySID + "}]\n",
		"identity": "    identity: {from: hmac-sha256, key: {keychain: " + keySID + "}}\n",
	} {
		ownFile(t, "environments:\n  a:\n"+minimal+"    api_key: "+keySID+"\n  b:\n"+minimal+use)
		r := &fakeRing{entries: map[string]string{keySID: "abc"}}
		change, err := openWith(t, r).Remove(t.Context(), "a")
		if err != nil || change.Secret != "" || r.entries[keySID] == "" {
			t.Errorf("%s: %+v, %v; left %d", name, change, err, len(r.entries))
		}
	}
}

func TestAnEditThatCannotBeReadIsNotMade(t *testing.T) {
	path := ownFile(t, "environments:\n  a: &a\n"+minimal+"  b: *a\n")
	before := read(t, path)
	c := open(t)
	for name, edit := range map[string]func() (Change, error){
		"removing what another stands for": func() (Change, error) { return c.Remove(t.Context(), "a") },
		"editing an alias":                 func() (Change, error) { return c.SetCredentials(t.Context(), "b", Credentials{}) },
		"bad name": func() (Change, error) {
			return c.Add(t.Context(), Addition{Environment: verify.Environment{Name: "a b"}})
		},
		"built in": func() (Change, error) {
			return c.Add(t.Context(), Addition{Environment: verify.Environment{Name: "demo"}})
		},
		"no SIDs": func() (Change, error) {
			return c.Add(t.Context(), Addition{Environment: verify.Environment{Name: "c"}})
		},
		"unknown":               func() (Change, error) { return c.Use("c") },
		"remove a built-in one": func() (Change, error) { return c.Remove(t.Context(), "demo") },
	} {
		change, err := edit()
		wantError(t, err, verify.KindUsage)
		if len(change.Files) > 0 || read(t, path) != before {
			t.Errorf("%s: the file was written", name)
		}
	}
	_, err := c.Add(t.Context(), Addition{Environment: staging(), BaseURL: "https://evil.example"})
	wantError(t, err, verify.KindRefused, "account keys")
	_, err = c.SetCredentials(t.Context(), "a", Credentials{Source: Source{Secret: "has space"}})
	wantError(t, err, verify.KindAuth, "space")
	if read(t, path) != before {
		t.Error("the file was written")
	}
}

func TestAnEditDoesNotOverwriteAnothers(t *testing.T) {
	path := commentedFile(t)
	d, err := readDocument(path, own)
	if err != nil {
		t.Fatal(err)
	}
	d.before, d.raw = d.raw, []byte("mine")
	write(t, path, "theirs")
	wantError(t, d.save(), verify.KindFailed, "changed by somebody else")
	if read(t, path) != "theirs" {
		t.Error("overwritten")
	}
}

func TestALinkedFileStaysALink(t *testing.T) {
	dir := home(t)
	kept := write(t, filepath.Join(t.TempDir(), "kept.yaml"), environment("kind: staging"))
	path := filepath.Join(dir, "config.yaml")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(kept, path); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t).Use("s"); err != nil {
		t.Fatal(err)
	}
	if target, err := os.Readlink(path); err != nil || target != kept {
		t.Errorf("%s, %v", target, err)
	}
	if !strings.HasPrefix(read(t, kept), "current: s\n") {
		t.Error("the file it links to was not edited")
	}
}

// Short texts are enough, as they are for FuzzReadFile.
func FuzzEdit(f *testing.F) {
	const longest = 200
	for _, seed := range []string{"current: a # c\nenvironments: {a: {kind: staging, platforms: [apn]}}\n", "# only\n", "environments: {a: {}} # x\n", "current: a\n\n\nenvironments:\n\n  a: {}\n\n", "environments: # why\n  # how\n  a: # what\n    kind: staging\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > longest {
			return
		}
		c := &Config{}
		before := &document{path: "c", raw: data, secret: true}
		if before.parse() != nil {
			return
		}
		was, err := c.read(before)
		if err != nil {
			return // an edit starts from a configuration that can be read
		}
		after := &document{path: "c", raw: data, secret: true}
		err = after.apply(func(root *yaml.Node) error {
			setCurrent(root, "x")
			return nil
		})
		if err != nil {
			if verify.KindOf(err) != verify.KindUsage {
				t.Fatal(err)
			}
			return
		}
		is, err := c.read(after)
		if err != nil {
			t.Fatalf("%v, edited to\n%s", err, after.raw)
		}
		if is.current.value != "x" || len(is.declared) != len(was.declared) {
			t.Fatalf("edited to\n%s", after.raw)
		}
		for i, decl := range is.declared {
			if diff := cmp.Diff(was.declared[i].env, decl.env); diff != "" {
				t.Fatalf("another environment (-was +is):\n%s", diff)
			}
		}
	})
}
