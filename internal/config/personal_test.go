package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// teamFile writes a team's file, and a personal one beside it unless that is "", and gives both paths.
func teamFile(t *testing.T, team, mine string) (string, string) {
	t.Helper()
	home(t)
	dir := t.TempDir()
	path := write(t, filepath.Join(dir, "verifyctl.yaml"), team)
	beside := filepath.Join(dir, "verifyctl.local.yaml")
	if mine != "" {
		write(t, beside, mine)
	}
	return path, beside
}

func TestAPersonalFileAddsCredentialsByName(t *testing.T) {
	for _, tc := range []struct {
		name, team, mine string
		username, source string
	}{
		{"keychain of the team's key", environment("api_key: " + keySID), "", keySID, "the keychain entry " + keySID},
		{"auth token by default", environment("kind: staging"), "", account, "the keychain entry " + account},
		{"secret of the team's key", environment("api_key: " + keySID), "environments:\n  s: {secret_env: MINE}\n", keySID,
			"the environment variable MINE (LOCAL:2)"},
		{"own key", environment("api_key: "+keySID, "secret_env: THEIRS"), "environments:\n  s: {api_key: SK" + ones + "}\n", "SK" + ones,
			"the keychain entry SK" + ones},
		{"own token instead of the team's key", environment("api_key: "+keySID, "secret_env: THEIRS"), "environments:\n  s: {auth_token_env: MINE}\n",
			account, "the environment variable MINE (LOCAL:2)"},
		{"a program", environment("kind: staging"), "environments:\n  s:\n    auth_token_command: [pass, show]\n", account, "the command pass (LOCAL:3)"},
		{"written down", environment("kind: staging"), "environments:\n  s:\n    auth_token: abc\n", account, "LOCAL:3"},
		{"nothing for it", environment("auth_token_env: THEIRS"), "current: s\n", account, "the environment variable THEIRS (TEAM:5)"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			team, mine := teamFile(t, tc.team, tc.mine)
			got, err := open(t, "--config", team, "-e", "s").Choose()
			if err != nil {
				t.Fatal(err)
			}
			source := got.secret.String()
			source = strings.NewReplacer(team, "TEAM", mine, "LOCAL").Replace(source)
			if got.Username != tc.username || source != tc.source {
				t.Errorf("%s with %s, want %s with %s", got.Username, source, tc.username, tc.source)
			}
		})
	}
}

func TestWhatATeamsFileMustNotHold(t *testing.T) {
	for _, lines := range [][]string{
		{"api_key: " + keySID, "secret_command: [pass]"},
		{"auth_token_command: [pass]"},
		{"allow_base_url: true"},
		{"identity: {from: command, command: [id]}"},
		{"webhook_secret: [{command: [pass]}]"},
		{"store_password_command: [pass]"},
		{"store_key_command: [pass]"},
	} {
		team, mine := teamFile(t, environment(lines...), "")
		_, err := open(t, "--config", team, "-e", "s").Choose()
		wantError(t, err, verify.KindUsage, team+":", "is allowed only in a personal file", mine)
	}
	team, _ := teamFile(t, environment("auth_token: abc"), "")
	_, err := open(t, "--config", team, "-e", "s").Choose()
	wantError(t, err, verify.KindUsage, team+":5", "which a team's file must not", "auth_token_env")
}

func TestWhatAPersonalFileMustNotSay(t *testing.T) {
	for _, line := range []string{"kind: development", "service_sid: " + service, "account_sid: " + account, "ios_build: debug", "region: ie1"} {
		team, mine := teamFile(t, environment("kind: production"), "environments:\n  s: {"+line+"}\n")
		_, err := open(t, "--config", team, "-e", "s").Choose()
		wantError(t, err, verify.KindUsage, mine+":2", "belongs in the team's file")
	}
	team, mine := teamFile(t, "environments:\n  staging:\n"+minimal, "environments:\n  stagin: {api_key: "+keySID+"}\n")
	_, err := open(t, "--config", team, "-e", "staging").Choose()
	wantError(t, err, verify.KindUsage, mine+":2", "has no environment stagin", "did you mean staging?")
}

func TestAPersonalFileOthersCanReadMustHoldNoSecret(t *testing.T) {
	team, mine := teamFile(t, environment("kind: staging"), "environments:\n  s: {auth_token: abc}\n")
	if err := os.Chmod(mine, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := open(t, "--config", team, "-e", "s").Choose()
	wantError(t, err, verify.KindRefused, mine, "others can read it", "chmod 600")
}

func TestTheUsersOwnFileIsPersonalHoweverItIsNamed(t *testing.T) {
	path := ownFile(t, environment("auth_token_command: [pass]"))
	if _, err := open(t, "--config", path, "-e", "s").Choose(); err != nil {
		t.Error(err)
	}
	link := filepath.Join(t.TempDir(), "link.yaml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, "--config", link, "-e", "s").Choose(); err != nil {
		t.Error(err)
	}
}

func TestWhereKeysMayGo(t *testing.T) {
	const ok, usage, refused = 0, 1, 2
	for _, tc := range []struct {
		url           string
		staging       int
		allowed, prod int
	}{
		{"https://verify.twilio.com", ok, ok, ok},
		{"https://VERIFY.twilio.com:443/", ok, ok, ok},
		{"https://verify.dublin.ie1.twilio.com", ok, ok, ok},
		{"http://127.0.0.1:8080", ok, ok, ok},
		{"http://localhost:8080", ok, ok, ok},
		{"https://[::1]:8443", ok, ok, ok},
		{"http://127.9.9.9", ok, ok, ok},
		{"http://verify.twilio.com", refused, refused, refused},
		{"https://proxy.bank.example", refused, ok, refused},
		{"http://simulator:8080", refused, refused, refused},
		{"https://twilio.com.evil.example", refused, ok, refused},
		{"https://eviltwilio.com", refused, ok, refused},
		{"https://verify.twilio.com.", refused, ok, refused},
		{"https://localhost.evil.example", refused, ok, refused},
		{"https://127.0.0.1.evil.example", refused, ok, refused},
		{"https://verify.twilio.com@evil.example", usage, usage, usage},
		{"https://user:pass@verify.twilio.com", usage, usage, usage},
		{"https://verify.twilio.com/v2", usage, usage, usage},
		{"https://verify.twilio.com?x=1", usage, usage, usage},
		{"ftp://verify.twilio.com", usage, usage, usage},
		{"verify.twilio.com", usage, usage, usage},
		{"https://", usage, usage, usage},
		{"://", usage, usage, usage},
		{"https://verify.twilio.com\\@evil.example", usage, usage, usage},
	} {
		for _, c := range []struct {
			lines []string
			want  int
		}{
			{[]string{"kind: staging"}, tc.staging},
			{[]string{"kind: staging", "allow_base_url: true"}, tc.allowed},
			{[]string{"kind: production", "allow_base_url: true"}, tc.prod},
			{[]string{"allow_base_url: true"}, tc.prod}, // no kind is production
		} {
			ownFile(t, environment(append(c.lines, "base_url: '"+tc.url+"'")...))
			_, err := open(t, "-e", "s").Choose()
			switch c.want {
			case ok:
				if err != nil {
					t.Errorf("%s with %v: %v", tc.url, c.lines, err)
				}
			case usage:
				wantError(t, err, verify.KindUsage, "base_url")
			case refused:
				wantError(t, err, verify.KindRefused, "account keys")
			}
		}
	}
}

func TestAVariableCannotSendKeysElsewhere(t *testing.T) {
	path := ownFile(t, environment("kind: staging"))
	t.Setenv("VERIFYCTL_BASE_URL", "https://evil.example")
	_, err := open(t, "-e", "s").Choose()
	wantError(t, err, verify.KindRefused, "VERIFYCTL_BASE_URL: account keys go to")
	t.Setenv("VERIFYCTL_BASE_URL", "")
	t.Setenv("VERIFYCTL_REGION", "x.evil.example/")
	_, err = open(t, "-e", "s").Choose()
	wantError(t, err, verify.KindUsage, "VERIFYCTL_REGION: the region")
	t.Setenv("VERIFYCTL_REGION", "")

	write(t, path, "")
	t.Setenv("TWILIO_ACCOUNT_SID", account)
	t.Setenv("TWILIO_AUTH_TOKEN", "t")
	t.Setenv("TWILIO_EDGE", "a/b")
	_, err = open(t).Choose()
	wantError(t, err, verify.KindUsage, "TWILIO_EDGE: the edge")
	t.Setenv("TWILIO_EDGE", "")
	t.Setenv("VERIFYCTL_BASE_URL", "https://evil.example")
	_, err = open(t).Choose()
	wantError(t, err, verify.KindRefused, "VERIFYCTL_BASE_URL", "account keys")
}
