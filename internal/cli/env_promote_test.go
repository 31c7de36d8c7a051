package cli

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// promotes has two environments with a Service each; the file declares some of their settings.
const promotes = `environments:
  staging:
    $KEYS
    service_sid: $STAGING
    kind: staging
    service: {code_length: 8, lookup_enabled: false}
  live:
    $KEYS
    service_sid: $LIVE
    kind: production
    service:
      friendly_name: Bank live
      code_length: 6
`

// promoting makes the Services of two environments, which differ in more than may be promoted.
func promoting(t *testing.T) (a *account, live string) {
	a = newAccount(t, "", promotes)
	credential := a.post("/v1/Credentials", "Type", "fcm", "FriendlyName", "Android", "Secret", "{}")
	staging := a.post("/v2/Services", "FriendlyName", "Bank staging", "CodeLength", "8", "LookupEnabled", "true", "Totp.Skew", "2", "Totp.Issuer", "Staging", "Push.FcmCredentialSid", credential,
		"Passkeys.RelyingParty.Id", "staging.example", "Passkeys.UserVerification", "required", "Passkeys.DiscoverableCredentials", "preferred", "Passkeys.AuthenticatorAttachment", "any")
	a.post("/v2/Services/"+staging+"/Webhooks", "FriendlyName", "answers", "EventTypes", "*", "WebhookUrl", "https://staging.example")
	live = a.post("/v2/Services", "FriendlyName", "Bank live", "CodeLength", "6")
	a.write("config.yaml", strings.NewReplacer("$STAGING", staging, "$LIVE", live).Replace(a.read("config.yaml")))
	return a, live
}

// undeclare takes what the live environment declares of its code length out of the file.
func (a *account) undeclare() {
	a.write("config.yaml", strings.Replace(a.read("config.yaml"), "      code_length: 6\n", "", 1))
}

// TestASettingIsPromoted and nothing that is an environment's own, with the confirmations of a write to production.
func TestASettingIsPromoted(t *testing.T) {
	a, live := promoting(t)
	a.undeclare()
	rows := a.ok("env", "promote", "staging", "live", "--dry-run")
	for _, want := range []string{
		"setting\tstaging_now\tlive_now\tlive_then\tchanges\tnote\n", "code_length\t8\t6\t8\tyes\t\n", "totp.skew\t2\t1\t2\tyes\t\n", "totp.time_step\t30\t30\t30\t\t\n",
		"lookup_enabled\ttrue\tfalse\ttrue\tyes\tstaging declares false (" + a.dir, "passkeys.user_verification\trequired\t\t\t\tlive has no passkeys: no relying_party\n",
	} {
		if !strings.Contains(rows, want) {
			t.Errorf("%q is not in\n%s", want, rows)
		}
	}
	if strings.Contains(rows, "issuer") || strings.Contains(rows, "friendly_name") || strings.Contains(rows, "push") {
		t.Errorf("an environment's own is promoted:\n%s", rows)
	}
	for _, c := range []struct {
		status     int
		args, want string
	}{
		{6, "env promote staging live --yes", "confirm with --confirm live"},
		{6, "env promote staging live --confirm staging", "does not match"},
		{64, "-e staging env promote staging live --confirm live", "what is changed is live"},
		{64, "env promote live live --confirm live", "one Service"},
		{64, "env promote staging", "needs FROM TO"},
		{64, "env promote staging live --columns nothing", "unknown column"},
	} {
		if status, _, stderr := a.run(strings.Fields(c.args)...); status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d\n%s", c.args, status, stderr)
		}
	}
	for _, sent := range a.requests() {
		if !strings.HasPrefix(sent, "GET") {
			t.Errorf("%s was sent", sent)
		}
	}
	status, stdout, stderr := a.run("env", "promote", "staging", "live", "--confirm", "live", "--reason", "tried for a week")
	if status != 0 || !strings.Contains(stderr, `live: changed Service "Bank live"`) {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	var writes []string
	for _, sent := range a.requests() {
		if !strings.HasPrefix(sent, "GET") {
			writes = append(writes, sent)
		}
	}
	if want := "[POST /v2/Services/" + live + "]"; fmt.Sprint(writes) != want {
		t.Errorf("%s was sent, want %s", writes, want)
	}
	if audit := a.ok("audit", "show", "-o", "ndjson"); strings.Count(audit, `"command":"env promote"`) != 2 || strings.Count(audit, "tried for a week") != 2 {
		t.Errorf("the audit file:\n%s", audit)
	}
	if status, stdout, stderr := a.run("-e", "live", "env", "promote", "staging", "live", "--confirm", "live"); status != 0 || !strings.Contains(stderr, "nothing to change") {
		t.Errorf("a second time: status %d\n%s%s", status, stdout, stderr)
	}
}

// TestAPromotionThatTheFileContradictsIsRefused: the next drift would find it.
func TestAPromotionThatTheFileContradictsIsRefused(t *testing.T) {
	a, _ := promoting(t)
	line := 1 + strings.Count(strings.Split(a.read("config.yaml"), "      code_length: 6")[0], "\n")
	status, stdout, stderr := a.run("env", "promote", "staging", "live", "--confirm", "live")
	if status != 6 || stdout != "" || !strings.Contains(stderr, fmt.Sprintf("config.yaml:%d: live declares code_length: 6, and staging has 8", line)) || !strings.Contains(stderr, "to code_length: 8") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	a.write("config.yaml", strings.Replace(a.read("config.yaml"), "code_length: 6", "code_length: 8", 1))
	a.ok("env", "promote", "staging", "live", "--confirm", "live")
	a.ok("env", "drift", "live")
}

// TestALostReplyOfAPromotionSaysHowToGoOn, and going on finds what was done.
func TestALostReplyOfAPromotionSaysHowToGoOn(t *testing.T) {
	a, _ := promoting(t)
	a.undeclare()
	a.setFault(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodPost {
			a.sim.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		return false
	})
	status, stdout, stderr := a.run("env", "promote", "staging", "live", "--confirm", "live")
	if status != 3 || !strings.Contains(stderr, "go on: verifyctl --config "+a.dir+"/config.yaml env promote staging live") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	a.setFault(nil)
	if _, _, stderr := a.run("env", "promote", "staging", "live", "--confirm", "live"); !strings.Contains(stderr, "nothing to change") {
		t.Errorf("again:\n%s", stderr)
	}
}
