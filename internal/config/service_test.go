package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const account1 = "AC00000000000000000000000000000001"

// declaring is an environment file that declares a Service, each on the lines that it is given.
func declaring(lines string) string {
	text := "environments:\n  live:\n    account_sid: " + account1 + "\n    api_key: " + keySID + "\n    secret_env: S\n    service:\n"
	for line := range strings.Lines(lines) {
		text += "      " + line
	}
	return text
}

const wholeService = `friendly_name: Example Bank
push:
  apn: {name: iOS live, certificate_file: secrets/apns.p12, passphrase_env: APNS_PASS, sandbox: false}
  fcm: {name: Android live, service_account_file: /secrets/fcm.json}
webhooks:
  - {name: answers, url: "https://ops.example/verify", events: [challenge.approved, challenge.denied], version: v2}
  - {name: old, sid: YW00000000000000000000000000000001, ensure: absent}
code_length: 6
lookup_enabled: true
totp: {issuer: Bank, time_step: 30, code_length: 6, skew: 0}
passkeys:
  authenticator_attachment: any
  relying_party: {id: bank.example, origins: [a.bank.example, b.bank.example]}
verify_event_subscription_enabled: false
`

func TestAServiceIsDeclared(t *testing.T) {
	path := ownFile(t, declaring(wholeService))
	target, err := open(t).Lookup("live")
	if err != nil {
		t.Fatal(err)
	}
	if target.Environment.ServiceSID != "" {
		t.Errorf("the Service is %s, and none was made yet", target.Environment.ServiceSID)
	}
	s := target.Service
	want := verify.ServiceSettings{
		"friendly_name": "Example Bank", "code_length": "6", "lookup_enabled": "true", "totp.issuer": "Bank", "totp.time_step": "30",
		"totp.code_length": "6", "totp.skew": "0", "passkeys.authenticator_attachment": "any", "passkeys.relying_party.id": "bank.example",
		"passkeys.relying_party.origins": "a.bank.example,b.bank.example", "verify_event_subscription_enabled": "false",
	}
	if diff := cmp.Diff(want, s.Settings); diff != "" {
		t.Error(diff)
	}
	for name := range want {
		if s.Places[name].Line == 0 {
			t.Errorf("where %s stands is not known", name)
		}
	}
	if at := s.Places["code_length"]; at.Line != 14 || at.File != path {
		t.Errorf("code_length stands at %s", at)
	}
	apn := s.Push[verify.PlatformAPN]
	if apn.Name != "iOS live" || apn.Sandbox != verify.SandboxFalse || apn.Contents != verify.ContentsDeclared || apn.Description != "certificate_file secrets/apns.p12" {
		t.Errorf("%+v", apn)
	}
	if len(s.Webhooks) != 2 || s.Webhooks[0].Webhook.EventTypes[1] != "challenge.denied" || s.Webhooks[0].Absent || !s.Webhooks[1].Absent || s.Webhooks[1].At.Line != 13 {
		t.Errorf("%+v", s.Webhooks)
	}
}

func TestWrongDeclarationsNameTheLine(t *testing.T) {
	for name, c := range map[string]struct{ lines, want string }{
		"unknown key":            {"friendly_nme: x\n", `:7: "friendly_nme" is not a key of service; did you mean friendly_name?`},
		"unknown key of push":    {"friendly_name: x\npush:\n  apn: {nam: a}\n", `:9: "nam" is not a key of push.apn; did you mean name?`},
		"no name at all":         {"code_length: 6\n", "has no friendly_name"},
		"no name of credential":  {"friendly_name: x\npush: {fcm: {service_account_file: a}}\n", ":8: push.fcm needs a name"},
		"out of range":           {"friendly_name: x\ntotp: {skew: 3}\n", ":8: totp.skew takes a number from 0 to 2, not 3"},
		"no value":               {"friendly_name: x\ncode_length:\n", ":8: code_length has no value"},
		"two accounts":           {"friendly_name: x\npush: {fcm: {name: a, service_account_file: a, service_account_env: B}}\n", "two sources"},
		"two pass phrases":       {"friendly_name: x\npush: {apn: {name: a, certificate_file: a, passphrase_env: B, passphrase_file: c}}\n", "two sources"},
		"a key alone":            {"friendly_name: x\npush: {apn: {name: a, private_key_file: a}}\n", "without a certificate_file"},
		"absent with a file":     {"friendly_name: x\npush: {apn: {name: a, ensure: absent, certificate_file: a}}\n", "remove one of them"},
		"a pass phrase itself":   {"friendly_name: x\npush: {apn: {name: a, certificate_file: a, passphrase: hunter2}}\n", "passphrase takes {env: NAME}"},
		"sandbox of Google":      {"friendly_name: x\npush: {fcm: {name: a, sandbox: true}}\n", `"sandbox" is not a key of push.fcm`},
		"unknown event":          {"friendly_name: x\nwebhooks: [{name: a, url: 'https://a.example', events: [challenge.aproved]}]\n", "did you mean challenge.approved?"},
		"no url":                 {"friendly_name: x\nwebhooks: [{name: a, events: ['*']}]\n", "needs a url and events"},
		"webhook twice":          {"friendly_name: x\nwebhooks: [{name: a, ensure: absent}, {name: a, ensure: absent}]\n", "stands twice"},
		"not an address":         {"friendly_name: x\nwebhooks: [{name: a, url: a.example, events: ['*']}]\n", "takes an https:// address"},
		"placeholder for a name": {"friendly_name: !placeholder x\n", "friendly_name takes text"},
	} {
		ownFile(t, declaring(c.lines))
		_, err := open(t).All()
		text := fmt.Sprint(err)
		if known, ok := err.(*verify.Error); ok {
			text += known.Hint
		}
		if verify.KindOf(err) != verify.KindUsage || !strings.Contains(text, c.want) || !strings.Contains(text, "config.yaml:") {
			t.Errorf("%s: %v", name, text)
		}
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s shows the secret: %s", name, text)
		}
	}
}

func TestFilesOfACredentialAreReadThroughTheirReferences(t *testing.T) {
	path := ownFile(t, declaring(`friendly_name: Bank
push:
  apn: {name: a, certificate_file: secrets/cert.pem, private_key_file: secrets/key.pem, passphrase_file: secrets/pass}
  fcm: {name: b, service_account_command: [printf, "%s", "{}"]}
`))
	for name, text := range map[string]string{"cert.pem": "CERT", "key.pem": "KEY", "pass": "hunter2\n"} {
		write(t, filepath.Join(filepath.Dir(path), "secrets", name), text)
	}
	target, err := open(t).Lookup("live")
	if err != nil {
		t.Fatal(err)
	}
	apn, err := target.PushFile(t.Context(), verify.PlatformAPN)
	if err != nil || len(apn.Files) != 2 || apn.Files[0].Content.Reveal() != "CERT" || apn.Files[1].Content.Reveal() != "KEY" || apn.Passphrase.Reveal() != "hunter2" || !apn.HasPass {
		t.Errorf("%v, %v", apn.Files, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", apn, apn, apn); strings.Contains(text, "KEY") || strings.Contains(text, "hunter2") {
		t.Errorf("printing it shows a secret: %s", text)
	}
	if fcm, err := target.PushFile(t.Context(), verify.PlatformFCM); err != nil || fcm.Files[0].Content.Reveal() != "{}" || fcm.HasPass {
		t.Errorf("%v, %v", fcm, err)
	}
	if err := os.Remove(filepath.Join(filepath.Dir(path), "secrets", "key.pem")); err != nil {
		t.Fatal(err)
	}
	_, err = target.PushFile(t.Context(), verify.PlatformAPN)
	if verify.KindOf(err) != verify.KindUsage || !strings.Contains(err.Error(), path+":9: the credential file") {
		t.Errorf("%v", err)
	}

	ownFile(t, declaring("friendly_name: Bank\npush: {apn: {name: a, certificate_file: !placeholder a.p12, passphrase_env: NOT_SET}}\n"))
	if target, err = open(t).Lookup("live"); err != nil {
		t.Fatal(err)
	}
	if _, err = target.PushFile(t.Context(), verify.PlatformAPN); verify.KindOf(err) != verify.KindRefused || !strings.Contains(err.Error(), "placeholder") {
		t.Errorf("a placeholder: %v", err)
	}
}

// TestAPersonalFileAddsOnlyWhereSecretsAre: what is declared belongs in the team's file, and a program that runs in nobody else's.
func TestAPersonalFileAddsOnlyWhereSecretsAre(t *testing.T) {
	theirs := strings.Replace(declaring("friendly_name: Bank\npush: {apn: {name: a, certificate_file: team.p12}}\n"), "    api_key: "+keySID+"\n    secret_env: S\n", "", 1)
	mine := func(apn string) string {
		return "environments:\n  live:\n    api_key: " + keySID + "\n    secret_env: S\n    service: {push: {" + apn + "}}\n"
	}
	team, _ := teamFile(t, theirs, mine("apn: {certificate_file: mine.p12, passphrase_command: [printf, hunter2]}"))
	write(t, filepath.Join(filepath.Dir(team), "mine.p12"), "MINE")
	target, err := open(t, "--config", team).Lookup("live")
	if err != nil {
		t.Fatal(err)
	}
	if file, err := target.PushFile(t.Context(), verify.PlatformAPN); err != nil || file.Files[0].Content.Reveal() != "MINE" || file.Passphrase.Reveal() != "hunter2" {
		t.Errorf("%v, %v", file, err)
	}
	for text, want := range map[string]string{
		mine("apn: {name: other}"):                                "belongs in the team's file",
		mine("fcm: {service_account_file: mine.json}"):            "declares no push.fcm",
		strings.Replace(mine(""), "push: {", "totp: {skew: 1", 1): "belongs in the team's file",
	} {
		team, _ := teamFile(t, theirs, text)
		if _, err := open(t, "--config", team).All(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\n%s", err, text)
		}
	}
	team, _ = teamFile(t, strings.Replace(theirs, "certificate_file: team.p12", "certificate_file: team.p12, passphrase_command: [a]", 1), "")
	if _, err := open(t, "--config", team).All(); err == nil || !strings.Contains(err.Error(), "allowed only in a personal file") {
		t.Errorf("a command in a team's file: %v", err)
	}
}

func TestSIDsOfWhatWasMadeGoIntoTheFile(t *testing.T) {
	path := ownFile(t, `environments:
  # the bank
  live:
    account_sid: `+account1+` # ours
    api_key: `+keySID+`
    secret_env: S

    service:
      friendly_name: Bank # as people know it
      push:
        apn: {name: iOS, certificate_file: a.p12}
        fcm:
          name: Android
          service_account_file: b.json
      webhooks:
        - name: answers
          url: https://a.example
          events: ["*"]
`)
	c := open(t)
	target, err := c.Lookup("live")
	if err != nil {
		t.Fatal(err)
	}
	const va, cr1, cr2, yw = "VA00000000000000000000000000000007", "CR00000000000000000000000000000001", "CR00000000000000000000000000000002", "YW00000000000000000000000000000003"
	for _, sids := range []NotedSIDs{
		{Credentials: map[verify.Platform]verify.CredentialSID{verify.PlatformAPN: cr1}},
		{Service: va, Credentials: map[verify.Platform]verify.CredentialSID{verify.PlatformFCM: cr2}},
		{Webhooks: map[string]verify.WebhookSID{"answers": yw}},
	} {
		if _, err := c.NoteSIDs(target, sids); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := `environments:
  # the bank
  live:
    account_sid: ` + account1 + ` # ours
    service_sid: ` + va + `
    api_key: ` + keySID + `
    secret_env: S

    service:
      friendly_name: Bank # as people know it
      push:
        apn: {name: iOS, credential_sid: ` + cr1 + `, certificate_file: a.p12}
        fcm:
          name: Android
          credential_sid: ` + cr2 + `
          service_account_file: b.json
      webhooks:
        - name: answers
          sid: ` + yw + `
          url: https://a.example
          events: ["*"]
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}

	if err := os.WriteFile(path, append(got, "# by somebody else\n  broken"...), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = c.NoteSIDs(target, NotedSIDs{Service: va})
	if known, ok := err.(*verify.Error); !ok || known.Hint != "add to live: service_sid: "+va {
		t.Errorf("a file that cannot be written: %v", err)
	}
}

// TestWhereWebhooksGoIsDeclaredOnce: the address of the only webhook that is declared need not be said again as webhook_url.
func TestWhereWebhooksGoIsDeclaredOnce(t *testing.T) {
	const hook = "{name: answers, url: 'https://a.example/verify', events: ['*']}"
	for lines, want := range map[string]string{
		"webhooks: [" + hook + "]": "https://a.example/verify",
		"webhooks: [" + hook + ", {name: more, url: 'https://a.example/verify', events: ['*']}, {name: old, ensure: absent}]": "https://a.example/verify",
		"webhooks: [" + hook + ", {name: more, url: 'https://b.example', events: ['*']}]":                                     "",
		"webhooks: [{name: old, ensure: absent}]":                                                                             "",
	} {
		ownFile(t, declaring("friendly_name: Bank\n"+lines))
		target, err := open(t).Lookup("live")
		if err != nil || target.Environment.WebhookURL != want {
			t.Errorf("%s: %q, %v", lines, target.Environment.WebhookURL, err)
		}
	}
	ownFile(t, strings.Replace(declaring("friendly_name: Bank\nwebhooks: ["+hook+"]"), "    service:", "    webhook_url: https://c.example\n    service:", 1))
	if target, err := open(t).Lookup("live"); err != nil || target.Environment.WebhookURL != "https://c.example" {
		t.Errorf("one that is said stays: %v, %v", target, err)
	}
}

func TestDeclarationsFromAnotherFile(t *testing.T) {
	ownFile(t, declaring(wholeService))
	c := open(t)
	targets, err := c.ReadDeclarations("the file", "", []byte("environments:\n  demo:\n    account_sid: "+account1+"\n    kind: production\n    service: {friendly_name: Demo}\n"+
		"  live: {ios_build: debug, service: {friendly_name: Other}}\n"))
	if err != nil || len(targets) != 2 {
		t.Fatal(targets, err)
	}
	if live := targets[1]; live.Service.Settings["friendly_name"] != "Other" || live.Environment.IOSBuild != verify.IOSDebug || live.SecretFrom == "" || live.Environment.AccountSID != account1 {
		t.Errorf("%+v", live)
	}
	if _, err := c.NoteSIDs(targets[1], NotedSIDs{Service: "VA00000000000000000000000000000007"}); err == nil || !strings.Contains(err.(*verify.Error).Hint, "service_sid: VA") {
		t.Errorf("there is no file to write into: %v", err)
	}
	for text, want := range map[string]string{
		"": "it is empty",
		"environments: {live: {account_sid: AC00000000000000000000000000000002, service: {friendly_name: a}}}": "has account_sid",
		"environments: {lve: {service: {friendly_name: a}}}":                                                   "there is no environment",
		"environments: {live: {kind: staging}}":                                                                "has no service block",
		"environments: {live: {secret_command: [a], service: {friendly_name: a}}}":                             "allowed only in a personal file",
		"environments: {live: {service: {code_length: 6}}}":                                                    "has no friendly_name",
	} {
		if _, err := c.ReadDeclarations("the file", "", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
