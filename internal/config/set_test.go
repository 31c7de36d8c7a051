package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const settled = `# ours
current: staging

environments:
  # the one before live
  staging:
    account_sid: AC # the account
    service_sid: VA
    kind: staging # not live
    app_ids: [com.example.app]
`

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	text = strings.NewReplacer("AC #", account+" #", "VA\n", service+"\n").Replace(text)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSettingsKeepWhatPeopleWrote(t *testing.T) {
	path := filepath.Join(home(t), "config.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, settled)
	c := open(t)
	if _, err := c.Set("staging", []Setting{{"kind", "development"}, {"app_ids", "com.example.app, com.example.beta"}, {"readonly", "true"}, {"max_factors", "4"}}); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, strings.NewReplacer("kind: staging", "kind: development", "[com.example.app]\n",
		"[com.example.app, com.example.beta]\n    readonly: true\n    max_factors: 4\n").Replace(settled))

	before := read(t, path)
	for _, bad := range []Setting{{"kind", "live"}, {"readonly", "perhaps"}, {"max_factors", "-1"}, {"platforms", "apn,ios"}, {"service_sid", "VA1"}} {
		if _, err := c.Set("staging", []Setting{{"ios_build", "debug"}, bad}); err == nil || read(t, path) != before {
			t.Errorf("%v: %v", bad, err)
		}
	}
	for _, text := range []string{"kind", "kind=", "=x", "colour=red", "secret=abc", "api_key=SK1", "auth_token=x"} {
		if s, err := ParseSetting(text); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
}

func TestRenamingKeepsWhatPeopleWrote(t *testing.T) {
	path := filepath.Join(home(t), "config.yaml")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, settled)
	c := open(t)
	if _, err := c.Rename("staging", "uat"); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, strings.NewReplacer("current: staging", "current: uat", "  staging:", "  uat:").Replace(settled))
	if _, err := c.Lookup("uat"); err != nil {
		t.Error(err)
	}
	for _, to := range []string{"uat x", "", "demo", "UAT2/"} {
		if _, err := c.Rename("uat", to); err == nil {
			t.Errorf("renamed to %q", to)
		}
	}
	if _, err := c.Rename("nosuch", "other"); err == nil {
		t.Error("renamed what is not there")
	}
}
