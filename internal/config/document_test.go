package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// environment writes a file with one environment s and more lines in it.
func environment(lines ...string) string {
	return "environments:\n  s:\n" + minimal + "    " + strings.Join(lines, "\n    ") + "\n"
}

func TestMistakesInTheFileNameTheirLine(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		line       string
		words      []string
	}{
		{"unknown key", environment("acount_sid: x"), ":5: ", []string{`"acount_sid" is not a key of an environment; did you mean account_sid?`}},
		{"unknown key, none near", environment("zzzzzzzz: x"), ":5: ", []string{`"zzzzzzzz" is not a key`, "account_sid, service_sid"}},
		{"letter case counts", environment("Kind: staging"), ":5: ", []string{`did you mean kind?`}},
		{"unknown at the top", "enviroments: {}\n", ":1: ", []string{`did you mean environments?`}},
		{"unknown below challenges", environment("challenges: {template_only: true}"), ":5: ", []string{"did you mean templates_only?"}},
		{"twice", environment("kind: staging", "kind: production"), ":6: ", []string{`"kind" appears twice`, "first on line 5"}},
		{"environment twice", "environments:\n  a:\n" + minimal + "  a:\n" + minimal, ":5: ", []string{`"a" appears twice`}},
		{"letter case alone", "environments:\n  a:\n" + minimal + "  A:\n" + minimal, ":5: ", []string{"only in letter case"}},
		{"built in", "environments:\n  Demo:\n" + minimal, ":2: ", []string{"built in"}},
		{"bad name", "environments:\n  ../a:\n" + minimal, ":2: ", []string{`"../a" does not start with`}},
		{"wrong kind", environment("kind: prod"), ":5: ", []string{"kind takes development, staging or production, not \"prod\""}},
		{"wrong build", environment("ios_build: release"), ":5: ", []string{"debug, distribution or none"}},
		{"wrong platform", environment("platforms: [apn, ios]"), ":5: ", []string{`apn, fcm or none, not "ios"`}},
		{"text for a list", environment("platforms: apn"), ":5: ", []string{"platforms takes a list, not text"}},
		{"number in a list", environment("app_ids: [1]"), ":5: ", []string{"an item of app_ids takes text, not a number"}},
		{"text for a flag", environment("readonly: yes"), ":5: ", []string{"readonly takes true or false, not text"}},
		{"text for a number", environment(`max_factors: "3"`), ":5: ", []string{"max_factors takes a whole number, not text"}},
		{"negative", environment("max_factors: -1"), ":5: ", []string{"from 0"}},
		{"list for a text", environment("region: [ie1]"), ":5: ", []string{"region takes text, not a list"}},
		{"region in a host", environment("region: evil.example/"), ":5: ", []string{"not one of Twilio's names"}},
		{"edge in a host", environment("edge: a.b"), ":5: ", []string{"not one of Twilio's names"}},
		{"SID of another kind", environment("api_key: AC" + zeros), ":5: ", []string{"api_key:", "is not a", "it starts with AC"}},
		{"no account", "environments:\n  s:\n    service_sid: " + service + "\n", ":2: ", []string{"s has no account_sid"}},
		{"no Service", "environments:\n  s:\n    account_sid: " + account + "\n", ":2: ", []string{"s has no service_sid"}},
		{"empty environment", "environments:\n  s:\n", ":2: ", []string{"no account_sid"}},
		{"environment as text", "environments:\n  s: prod\n", ":2: ", []string{`"s" takes a mapping, not text`}},
		{"list of environments", "environments:\n  - s\n", ":2: ", []string{"environments takes a mapping, not a list"}},
		{"not a mapping", "- a\n", ":1: ", []string{"a mapping with the keys"}},
		{"key and token", environment("api_key: "+keySID, "auth_token_env: T"), ":6: ", []string{"only one of them can be used"}},
		{"two places for a secret", environment("api_key: "+keySID, "secret_env: A", "secret: keychain"), ":7: ", []string{"second source for the same secret", ":6"}},
		{"secret without a key", environment("secret_env: A"), ":5: ", []string{"a secret but no api_key", "auth_token_env"}},
		{"command as text", environment("api_key: "+keySID, "secret_command: pass show x"), ":6: ", []string{"takes a list", "no shell"}},
		{"no command", environment("api_key: "+keySID, "secret_command: []"), ":6: ", []string{"names no program"}},
		{"attestation without a date", environment("attestations:", "  EVT-01: {by: Noor}"), ":6: ", []string{`"EVT-01" needs by, on and until`}},
		{"no such day", environment("attestations:", "  EVT-01: {by: N, on: 2026-02-30, until: 2027-01-01}"), ":6: ", []string{"a date such as"}},
		{"note of no platform", environment("credential_notes: {ios: {}}"), ":5: ", []string{`"ios" is not a key of credential_notes`}},
		{"no identity rule", environment("identity: {from: md5}"), ":5: ", []string{"raw, sha256, hmac-sha256 or command"}},
		{"identity without from", environment("identity: {key: {env: K}}"), ":5: ", []string{"needs from"}},
		{"hmac without a key", environment("identity: {from: hmac-sha256}"), ":5: ", []string{"needs a key"}},
		{"key for nothing", environment("identity: {from: sha256, key: {env: K}}"), ":5: ", []string{"only from hmac-sha256"}},
		{"reference to nothing", environment("webhook_secret: [{}]"), ":5: ", []string{"takes one of {env: NAME}"}},
		{"reference of no kind", environment("webhook_secret: [{file: x}]"), ":5: ", []string{`"file" is not a key`}},
		{"webhook secret as text", environment("webhook_secret: abc"), ":5: ", []string{"a list of references"}},
		{"merge key", "x: &x\n  kind: staging\nenvironments:\n  s:\n    <<: *x\n", ":1: ", []string{`"x" is not a key of the file`}},
		{"merge key in place", "environments:\n  a: &a\n" + minimal + "  s:\n    <<: *a\n", ":6: ", []string{"merge keys"}},
		{"syntax", "environments:\n  s: [\n", "", []string{"not YAML"}},
		{"tab", "environments:\n\ts: {}\n", ":2: ", []string{"not YAML"}},
		{"two documents", "current: a\n---\ncurrent: b\n", ":2: ", []string{"second YAML document"}},
		{"current as a list", "current: [a]\n", ":1: ", []string{"current takes text, not a list"}},
		{"key that is no word", "? [a]\n: b\n", ":1: ", []string{"not a string"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := ownFile(t, tc.text)
			_, err := open(t, "-e", "s").Choose()
			wantError(t, err, verify.KindUsage, append(tc.words, path+tc.line)...)
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestAnAliasStandsForAValue(t *testing.T) {
	ownFile(t, "environments:\n  a:\n"+minimal+"    app_ids: &apps [com.example.app]\n  b:\n"+minimal+"    app_ids: *apps\n")
	got, err := open(t, "-e", "b").Choose()
	if err != nil || len(got.Environment.AppIDs) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestAFileOfAliasesStaysSmall(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'l'; c++ {
		prev := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+prev+",", 9) + "*" + prev + "]\n"
	}
	path := ownFile(t, bomb+"environments: *k\n")
	_, err := open(t, "-e", "s").Choose()
	wantError(t, err, verify.KindUsage, path+":1", `"a" is not a key`)
}

func TestAHugeFileIsRefused(t *testing.T) {
	ownFile(t, strings.Repeat("# filler\n", maxFileSize/9+1))
	_, err := open(t, "-e", "s").Choose()
	wantError(t, err, verify.KindUsage, "larger than")
}

func TestAnEmptyFileIsNoConfiguration(t *testing.T) {
	for _, text := range []string{"", "\n", "# nothing yet\n", "environments:\n", "environments: {}\n", "---\n", "null\n", "current: \"\"\n", "current:\n"} {
		ownFile(t, text)
		_, err := open(t).Choose()
		wantError(t, err, verify.KindUsage, "no environment is set up")
	}
}

func TestAGivenFileMustExist(t *testing.T) {
	home(t)
	missing := filepath.Join(t.TempDir(), "team.yaml")
	_, err := open(t, "--config", missing).Choose()
	wantError(t, err, verify.KindUsage, "environment file "+missing+" does not exist", "env add NAME")
	t.Setenv(fileVariable, missing)
	_, err = open(t).Choose()
	wantError(t, err, verify.KindUsage, "environment file "+missing+" does not exist")
	_, err = open(t, "--config", t.TempDir()).Choose()
	wantError(t, err, verify.KindUsage, "is a directory")
}

func TestFilesThatOthersCanChange(t *testing.T) {
	path := ownFile(t, environment("kind: staging"))
	for _, mode := range []os.FileMode{0o620, 0o602, 0o666, 0o664} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := open(t, "-e", "s").Choose()
		wantError(t, err, verify.KindRefused, "others can write "+path, "chmod go-w "+path)
	}
	for _, mode := range []os.FileMode{0o600, 0o644, 0o400} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := open(t, "-e", "s").Choose(); err != nil {
			t.Errorf("mode %o, without a secret: %v", mode, err)
		}
	}
}

func TestASecretInAFileThatOthersCanRead(t *testing.T) {
	const secret = "s3cr3tvalue"
	path := ownFile(t, environment("auth_token: "+secret))
	got, err := open(t, "-e", "s").Choose()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := got.Keys(t.Context())
	if err != nil || keys.Secret.Reveal() != secret || keys.Source != path+":5" {
		t.Errorf("source %q, %v", keys.Source, err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", *got, *got, got); strings.Contains(shown, secret) {
		t.Errorf("printing a target shows its secret: %s", shown)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err = open(t, "-e", "s").Choose()
	wantError(t, err, verify.KindRefused, "others can read it", "chmod 600 "+path)
	if strings.Contains(err.Error(), secret) {
		t.Error("the secret was shown")
	}
}

func TestMistakesNeverShowASecret(t *testing.T) {
	const secret = "s3cr3tvalue"
	for _, line := range []string{
		"secret_env: " + secret + "!", "auth_token: [" + secret + "]", "auth_token_env: {x: " + secret + "}", "secret: {x: " + secret + "}",
		"secret_command: " + secret, "webhook_secret: " + secret, "webhook_secret: [{env: '" + secret + "!'}]",
		"identity: {from: hmac-sha256, key: " + secret + "}", "auth_token: " + secret + "\n    auth_token_env: A",
	} {
		ownFile(t, environment(line))
		_, err := open(t, "-e", "s").Choose()
		var e *verify.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if strings.Contains(e.Message+e.Hint, secret) {
			t.Errorf("%q: shown in %q (hint %q)", line, e.Message, e.Hint)
		}
	}
}

// Short texts are enough, and Go's fuzzing needs a minute to shorten each long one that it keeps.
func FuzzReadFile(f *testing.F) {
	const longest = 200
	for line := range strings.Lines(full) {
		if field, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "    "); ok {
			f.Add([]byte("environments: {s: {"+strings.TrimSpace(field)+"}}"), uint8(0))
		}
	}
	for _, seed := range []string{
		"current: s\nenvironments:\n  s:\n    kind: prod\n", "current: a\n---\n", "a: &a [*a]\n", "environments: {s: &s {identity: *s}}\n", "%YAML 1.1\n---\n", "? ? ?",
		"environments:\n  s:\n    webhook_secret: [{command: [a]}, {keychain: x}]\n", "!!binary |\n  aGk=\n", "\xff\xfe", strings.Repeat("[", longest),
	} {
		f.Add([]byte(seed), uint8(0))
		f.Add([]byte(seed), uint8(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, which uint8) {
		if len(data) > longest {
			return
		}
		c := &Config{opts: Options{BuiltIn: builtIn}}
		d := &document{path: "config.yaml", raw: data, role: role(which % 3), secret: true}
		all := &environments{}
		err := d.parse()
		if err == nil {
			all, err = c.read(d)
		}
		if err != nil {
			var e *verify.Error
			if !errors.As(err, &e) || e.Kind != verify.KindUsage || !strings.HasPrefix(e.Message, "config.yaml") || strings.ContainsAny(e.Message, "\n\x1b") {
				t.Fatalf("%#v", err)
			}
			return
		}
		for _, decl := range all.declared {
			if CheckName(decl.env.Name) != nil || decl.complete() == nil && decl.env.AccountSID == "" {
				t.Fatalf("took %+v", decl.env)
			}
		}
	})
}
