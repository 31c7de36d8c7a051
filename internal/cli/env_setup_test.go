package cli

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// account is an account of the simulator's with what its operators have on their machine: an environment file, secrets.
type account struct {
	*testing.T
	sim    *simulator.Simulator
	server *httptest.Server
	dir    string
	stdin  string

	mu    sync.Mutex
	sent  []string                                           // the requests, such as "POST /v2/Services"
	fault func(http.ResponseWriter, *http.Request, int) bool // answers in the place of the simulator; the number is that of the request
}

const apnsPass = "correct0horse"

// pushKey is the one private key of all certificates and service accounts: making one takes long.
var pushKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// The extensions of Apple's push certificates (see pushfile).
var (
	servesSandbox    = pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 1}, Value: []byte{5, 0}}
	servesProduction = pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 2}, Value: []byte{5, 0}}
)

// apnsCertificate makes a push certificate of an app.
func apnsCertificate(t *testing.T, name, app string, until time.Time, serves ...pkix.Extension) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: until.AddDate(-2, 0, 0), NotAfter: until, ExtraExtensions: serves,
		Subject: pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}, Value: app}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: name}}}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pushKey().Public(), pushKey())
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func keyPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(pushKey())}))
}

func certificatePEM(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func accountOf(project, keyID string) string {
	der, _ := x509.MarshalPKCS8PrivateKey(pushKey())
	text, _ := json.Marshal(map[string]string{"type": "service_account", "project_id": project, "private_key_id": keyID, "token_uri": "https://oauth2.googleapis.com/token",
		"client_email": "push@" + project + ".iam.gserviceaccount.com", "private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))})
	return string(text)
}

// newAccount opens an account on a world, with an environment file in which $SERVER, $KEYS and $ACCOUNT stand for how it is
// reached, and the files that the declarations name.
func newAccount(t *testing.T, seed simulator.Seed, file string) *account {
	t.Helper()
	t.Setenv("CLINIC_SECRET", clinicPass)
	t.Setenv("APNS_PASS", apnsPass)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	sim, err := simulator.Open(t.Context(), simulator.Options{Seed: seed, Clock: simulator.Clock{Mode: simulator.ClockWall}})
	if err != nil {
		t.Fatal(err)
	}
	if err := sim.PutKey(t.Context(), simulator.Key{SID: mainKey, Kind: "main", Account: simulator.DefaultAccountSID, Secret: clinicPass}); err != nil {
		t.Fatal(err)
	}
	a := &account{T: t, sim: sim, dir: t.TempDir()}
	a.server = httptest.NewServer(http.HandlerFunc(a.serve))
	t.Cleanup(func() {
		a.server.Close()
		sim.Close()
	})
	a.write("config.yaml", strings.NewReplacer("$SERVER", a.server.URL, "$ACCOUNT", simulator.DefaultAccountSID,
		"$KEYS", fmt.Sprintf("account_sid: %s\n    api_key: %s\n    secret_env: CLINIC_SECRET\n    base_url: %s", simulator.DefaultAccountSID, mainKey, a.server.URL)).Replace(file))
	next := time.Now().AddDate(0, 11, 0)
	live := apnsCertificate(t, "Apple Push Services: com.example.app", "com.example.app", next, servesProduction, servesSandbox)
	p12, err := pkcs12.Modern.Encode(pushKey(), live, nil, apnsPass)
	if err != nil {
		t.Fatal(err)
	}
	a.write("apns-live.p12", string(p12))
	dev := apnsCertificate(t, "Apple Push Services: com.example.app.dev", "com.example.app.dev", next, servesSandbox, servesProduction)
	a.write("apns-dev.pem", certificatePEM(dev)+keyPEM())
	for _, env := range []string{"live", "staging", "dev"} {
		a.write("fcm-"+env+".json", accountOf("bank-"+env, "key-1"))
	}
	return a
}

func (a *account) write(name, text string) {
	a.Helper()
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600); err != nil {
		a.Fatal(err)
	}
}

func (a *account) read(name string) string {
	a.Helper()
	text, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		a.Fatal(err)
	}
	return string(text)
}

func (a *account) serve(w http.ResponseWriter, r *http.Request) {
	if !a.breaks(w, r) {
		a.sim.ServeHTTP(w, r)
	}
}

// breaks tells whether the fault has answered. A fault meets one request at a time.
func (a *account) breaks(w http.ResponseWriter, r *http.Request) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent = append(a.sent, r.Method+" "+r.URL.Path)
	return a.fault != nil && a.fault(w, r, len(a.sent))
}

// setFault sets what answers in the place of the simulator; nil for nothing.
func (a *account) setFault(fault func(http.ResponseWriter, *http.Request, int) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = fault
}

// requests gives what was sent since it was asked last.
func (a *account) requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	sent := a.sent
	a.sent = nil
	return sent
}

// run runs the program in this process.
func (a *account) run(args ...string) (status int, stdout, stderr string) {
	a.Helper()
	var out bytes.Buffer
	var err sharedBuffer
	s := &shell{terminal: terminal{in: strings.NewReader(a.stdin), out: &out, err: &err, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return filepath.Join(a.dir, "state")
		}
		if name == "APNS_PASS" {
			return apnsPass
		}
		return ""
	}}, sleep: withoutWaiting, clockOf: skipping}
	status = run(context.Background(), s, append([]string{"--config", filepath.Join(a.dir, "config.yaml")}, args...))
	return status, out.String(), err.String()
}

// sharedBuffer is a buffer for many goroutines, as standard error is: with --debug every request writes there.
type sharedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *sharedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// WriteString is here for what prefers it to Write.
func (b *sharedBuffer) WriteString(s string) (int, error) { return b.Write([]byte(s)) }

// ok runs a command that must end with status 0, and gives what it printed.
func (a *account) ok(args ...string) string {
	a.Helper()
	status, stdout, stderr := a.run(args...)
	if status != 0 {
		a.Fatalf("%s: status %d\n%s%s", args, status, stdout, stderr)
	}
	return stdout
}

// plan gives the report of env plan or drift.
func (a *account) plan(args ...string) (report setupReport) {
	a.Helper()
	_, stdout, stderr := a.run(append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		a.Fatalf("%s: %v\n%s%s", args, err, stdout, stderr)
	}
	return report
}

// post changes something by hand, as somebody in the Console does, and gives the SID.
func (a *account) post(path string, pairs ...string) string {
	a.Helper()
	return a.send(http.MethodPost, path, pairs...)
}

func (a *account) send(method, path string, pairs ...string) string {
	a.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(mainKey, clinicPass)
	w := httptest.NewRecorder()
	a.sim.ServeHTTP(w, r)
	var reply struct{ SID string }
	if w.Code >= 300 {
		a.Fatalf("%s %s %v: %d %s", method, path, pairs, w.Code, w.Body)
	}
	_ = json.Unmarshal(w.Body.Bytes(), &reply) // a deletion has no body
	return reply.SID
}

// fields gives the properties that differ: environment, kind, property.
func fields(report setupReport) (list []string) {
	for _, d := range report.Environments {
		for _, c := range d.Changes {
			for _, f := range c.Fields {
				list = append(list, fmt.Sprintf("%s %s %s.%s", d.Environment, c.Action, c.Kind, f.Name))
			}
		}
	}
	return list
}

// TestAnExportIsWhatIsThere: of every Service of the demo and of ones made at random, a plan of its export has no change.
func TestAnExportIsWhatIsThere(t *testing.T) {
	a := newAccount(t, simulator.SeedDemo, "environments: {}\n")
	a.ok("-e", "demo", "services", "list")
	for _, env := range []string{"demo", "demo-staging", "demo-dev"} {
		a.stdin = a.ok("env", "export", env)
		if report := a.plan("env", "plan", "--file", "-"); report.Changes != 0 || len(report.Environments) != 1 || report.Requests != 3 {
			t.Errorf("%s: %+v", env, report)
		}
	}
	a.stdin = a.ok("env", "export", "demo", "demo-staging", "demo-dev")
	if report := a.plan("env", "plan", "--file", "-"); report.Changes != 0 || len(report.Environments) != 3 || report.Requests != 5 {
		t.Errorf("all at once: %+v", report)
	}

	numbers := newNumbers(20261128)
	for round := range 40 {
		service := randomService(a, numbers)
		a.write("config.yaml", fmt.Sprintf("environments:\n  some:\n    account_sid: %s\n    service_sid: %s\n    api_key: %s\n    secret_env: CLINIC_SECRET\n    base_url: %s\n    ios_build: %s\n",
			simulator.DefaultAccountSID, service, mainKey, a.server.URL, numbers.among("debug", "distribution", "none")))
		a.stdin = a.ok("env", "export", "some")
		status, stdout, stderr := a.run("env", "drift", "--file", "-")
		if status != 0 {
			t.Fatalf("round %d: status %d\n%s%s\n%s", round, status, stdout, stderr, a.stdin)
		}
	}
}

// numbers are the same ones in every run.
type numbers struct{ state uint64 }

func newNumbers(seed uint64) *numbers { return &numbers{seed} }

func (n *numbers) below(limit int) int {
	n.state = n.state*6364136223846793005 + 1442695040888963407
	return int(n.state>>33) % limit
}

func (n *numbers) among(words ...string) string { return words[n.below(len(words))] }

// randomService makes a Service of any of the settings that there are, with names that YAML could misread.
func randomService(a *account, n *numbers) string {
	awkward := func() string {
		return n.among("true", "null", "12", "0x1F", "a: b", "# no", "- x", "é 💡", `"q"`, "'", "yes", "~", "2026-01-01", " lead", "{a}", "!tag", "multi\nline")
	}
	form := []string{"FriendlyName", n.among("Bank", "true", "null", "12", "no-way", "Bank one 2")}
	optional := func(name string, value string) {
		if n.below(2) == 0 {
			form = append(form, name, value)
		}
	}
	optional("CodeLength", fmt.Sprint(4+n.below(7)))
	optional("LookupEnabled", n.among("true", "false"))
	optional("Totp.Issuer", awkward())
	optional("Totp.TimeStep", fmt.Sprint(20+n.below(41)))
	optional("Totp.CodeLength", fmt.Sprint(3+n.below(6)))
	optional("Totp.Skew", fmt.Sprint(n.below(3)))
	optional("Passkeys.RelyingParty.Id", n.among("bank.example", "1"))
	optional("Passkeys.RelyingParty.Name", awkward())
	optional("Passkeys.RelyingParty.Origins", n.among("a.example", "a.example,b.example"))
	optional("Passkeys.AuthenticatorAttachment", n.among("platform", "cross-platform", "any"))
	optional("Passkeys.UserVerification", n.among("required", "preferred", "discouraged"))
	optional("VerifyEventSubscriptionEnabled", n.among("true", "false"))
	if n.below(2) == 0 {
		form = append(form, "Push.ApnCredentialSid", a.post("/v1/Credentials", "Type", "apn", "FriendlyName", awkward(), "Sandbox", n.among("true", "false"),
			"Certificate", certificatePEM(apnsCertificate(a.T, "x", "com.example", time.Now().AddDate(1, 0, 0))), "PrivateKey", keyPEM()))
	}
	if n.below(2) == 0 {
		form = append(form, "Push.FcmCredentialSid", a.post("/v1/Credentials", "Type", n.among("fcm", "fcm", "apn"), "FriendlyName", awkward(), "Secret", "{}", "PrivateKey", keyPEM(),
			"Certificate", certificatePEM(apnsCertificate(a.T, "x", "com.example", time.Now().AddDate(1, 0, 0)))))
	}
	service := a.post("/v2/Services", form...)
	for range n.below(3) {
		a.post("/v2/Services/"+service+"/Webhooks", "FriendlyName", n.among("hook", "true", "12"), "EventTypes", n.among("*", "factor.created"), "WebhookUrl", "https://a.example/x?y=1#z",
			"Status", n.among("enabled", "disabled"), "Version", n.among("v1", "v2"))
	}
	return service
}

// declared is an environment that states every property there is. Its Service and what belongs to it are made by hand.
const declaredAll = `environments:
  live:
    $KEYS
    service_sid: $SERVICE
    kind: staging
    ios_build: distribution
    service:
      friendly_name: Example Bank
      push:
        apn: {name: iOS live, credential_sid: $APN, certificate_file: apns-live.p12, passphrase_env: APNS_PASS}
        fcm: {name: Android live, credential_sid: $FCM, service_account_file: fcm-live.json}
      webhooks:
        - {name: answers, sid: $HOOK1, url: "https://ops.example/answers", events: [challenge.approved, challenge.denied], version: v2, status: enabled}
        - {name: factors, sid: $HOOK2, url: "https://ops.example/factors", events: [factor.created], version: v2, status: enabled}
      code_length: 6
      lookup_enabled: false
      totp: {issuer: Bank, time_step: 30, code_length: 6, skew: 1}
      passkeys:
        relying_party: {id: bank.example, name: Bank, origins: [login.bank.example]}
        authenticator_attachment: any
        discoverable_credentials: preferred
        user_verification: preferred
      verify_event_subscription_enabled: false
`

// made makes by hand what declaredAll declares, and remembers the uploads.
func made(t *testing.T) (a *account, sids map[string]string) {
	a = newAccount(t, "", declaredAll)
	certificate := apnsCertificate(t, "Apple Push Services: com.example.app", "com.example.app", time.Now().AddDate(0, 11, 0), servesProduction)
	p12, err := pkcs12.Modern.Encode(pushKey(), certificate, nil, apnsPass)
	if err != nil {
		t.Fatal(err)
	}
	a.write("apns-live.p12", string(p12))
	sids = map[string]string{
		"$APN": a.post("/v1/Credentials", "Type", "apn", "FriendlyName", "iOS live", "Sandbox", "false", "Certificate", certificatePEM(certificate), "PrivateKey", keyPEM()),
		"$FCM": a.post("/v1/Credentials", "Type", "fcm", "FriendlyName", "Android live", "Secret", accountOf("bank-live", "key-1")),
	}
	sids["$SERVICE"] = a.post("/v2/Services", "FriendlyName", "Example Bank", "Push.ApnCredentialSid", sids["$APN"], "Push.FcmCredentialSid", sids["$FCM"], "Totp.Issuer", "Bank",
		"Passkeys.RelyingParty.Id", "bank.example", "Passkeys.RelyingParty.Name", "Bank", "Passkeys.RelyingParty.Origins", "login.bank.example",
		"Passkeys.AuthenticatorAttachment", "any", "Passkeys.DiscoverableCredentials", "preferred", "Passkeys.UserVerification", "preferred")
	hooks := "/v2/Services/" + sids["$SERVICE"] + "/Webhooks"
	sids["$HOOK1"] = a.post(hooks, "FriendlyName", "answers", "EventTypes", "challenge.denied", "EventTypes", "challenge.approved", "WebhookUrl", "https://ops.example/answers")
	sids["$HOOK2"] = a.post(hooks, "FriendlyName", "factors", "EventTypes", "factor.created", "WebhookUrl", "https://ops.example/factors")
	text := a.read("config.yaml")
	for name, sid := range sids {
		text = strings.ReplaceAll(text, name, sid)
	}
	a.write("config.yaml", text)
	a.ok("credentials", "lint", filepath.Join(a.dir, "apns-live.p12"), "--passphrase-env", "APNS_PASS", "--record", "live", "--credential", sids["$APN"])
	a.ok("credentials", "lint", filepath.Join(a.dir, "fcm-live.json"), "--record", "live", "--credential", sids["$FCM"])
	return a, sids
}

// TestEveryChangeByHandIsFound: each property that is changed by hand is found, by itself and with all others, and nothing else.
func TestEveryChangeByHandIsFound(t *testing.T) {
	a, sids := made(t)
	if report := a.plan("env", "drift"); report.Changes != 0 {
		t.Fatalf("as declared, and yet %+v", report)
	}
	if err := a.sim.Advance(t.Context(), time.Minute); err != nil { // Twilio's times have no fractions of a second
		t.Fatal(err)
	}
	service, hook1, hook2 := "/v2/Services/"+sids["$SERVICE"], "/v2/Services/"+sids["$SERVICE"]+"/Webhooks/"+sids["$HOOK1"], "/v2/Services/"+sids["$SERVICE"]+"/Webhooks/"+sids["$HOOK2"]
	apn, fcm := "/v1/Credentials/"+sids["$APN"], "/v1/Credentials/"+sids["$FCM"]
	mutations := []struct{ path, param, was, is, want string }{
		{service, "FriendlyName", "Example Bank", "Other Bank", "update service.friendly_name"},
		{service, "CodeLength", "6", "8", "update service.code_length"},
		{service, "LookupEnabled", "false", "true", "update service.lookup_enabled"},
		{service, "Totp.Issuer", "Bank", "Other", "update service.totp.issuer"},
		{service, "Totp.TimeStep", "30", "60", "update service.totp.time_step"},
		{service, "Totp.CodeLength", "6", "8", "update service.totp.code_length"},
		{service, "Totp.Skew", "1", "2", "update service.totp.skew"},
		{service, "Passkeys.RelyingParty.Id", "bank.example", "other.example", "update service.passkeys.relying_party.id"},
		{service, "Passkeys.RelyingParty.Name", "Bank", "Other", "update service.passkeys.relying_party.name"},
		{service, "Passkeys.RelyingParty.Origins", "login.bank.example", "a.example,b.example", "update service.passkeys.relying_party.origins"},
		{service, "Passkeys.AuthenticatorAttachment", "any", "platform", "update service.passkeys.authenticator_attachment"},
		{service, "Passkeys.DiscoverableCredentials", "preferred", "required", "update service.passkeys.discoverable_credentials"},
		{service, "Passkeys.UserVerification", "preferred", "discouraged", "update service.passkeys.user_verification"},
		{service, "VerifyEventSubscriptionEnabled", "false", "true", "update service.verify_event_subscription_enabled"},
		{service, "Push.ApnCredentialSid", sids["$APN"], "CR00000000000000000000000000000009", "update service.push.apn_credential_sid"},
		{service, "Push.FcmCredentialSid", sids["$FCM"], "CR00000000000000000000000000000008", "update service.push.fcm_credential_sid"},
		{hook1, "FriendlyName", "answers", "renamed", "update webhook.friendly_name"},
		{hook1, "WebhookUrl", "https://ops.example/answers", "https://elsewhere.example", "update webhook.webhook_url"},
		{hook1, "EventTypes", "challenge.approved challenge.denied", "*", "update webhook.event_types"},
		{hook1, "Version", "v2", "v1", "update webhook.version"},
		{hook1, "Status", "enabled", "disabled", "update webhook.status"},
		{hook2, "FriendlyName", "factors", "renamed", "update webhook.friendly_name"},
		{hook2, "WebhookUrl", "https://ops.example/factors", "https://elsewhere.example", "update webhook.webhook_url"},
		{hook2, "EventTypes", "factor.created", "factor.created factor.deleted", "update webhook.event_types"},
		{hook2, "Version", "v2", "v1", "update webhook.version"},
		{hook2, "Status", "enabled", "disabled", "update webhook.status"},
		{apn, "FriendlyName", "iOS live", "iOS old", "replace credential.friendly_name"},
		{apn, "Sandbox", "false", "true", "replace credential.sandbox"},
		{fcm, "FriendlyName", "Android live", "Android old", "replace credential.friendly_name"},
		{fcm, "Secret", accountOf("bank-live", "key-1"), accountOf("bank-live", "key-2"), "replace credential.contents"},
	}
	change := func(path, param, values string) {
		if param != "EventTypes" {
			a.post(path, param, values)
			return
		}
		var pairs []string
		for _, v := range strings.Fields(values) {
			pairs = append(pairs, param, v)
		}
		a.post(path, pairs...)
	}
	if len(mutations) != 30 {
		t.Fatalf("%d mutations", len(mutations))
	}
	var want []string
	for i, m := range mutations {
		change(m.path, m.param, m.is)
		want = append(want, "live "+m.want)
		if strings.HasPrefix(m.path, "/v1/Credentials") {
			if got := fields(a.plan("env", "drift")); !slices.Contains(got, "live "+m.want) {
				t.Errorf("%d, %s: found %q", i, m.param, got)
			}
			continue // what was changed by somebody else has contents that nobody knows: that stays so
		}
		if got := fields(a.plan("env", "drift")); !slices.Equal(got, []string{"live " + m.want}) {
			t.Errorf("%d, %s: found %q", i, m.param, got)
		}
		change(m.path, m.param, m.was)
	}
	for _, m := range mutations {
		change(m.path, m.param, m.is)
	}
	want = append(want, "live replace credential.contents") // of Apple's, which was changed in other properties
	got := fields(a.plan("env", "drift"))
	slices.Sort(want)
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("all together: found %q\nwant %q", got, want)
	}
}

// TestDriftInTheFormsOfCI: JUnit and SARIF tell of the resource and of the line that declares it.
func TestDriftInTheFormsOfCI(t *testing.T) {
	a, sids := made(t)
	a.post("/v2/Services/"+sids["$SERVICE"], "CodeLength", "8")
	if _, stdout, _ := a.run("env", "drift"); !strings.Contains(stdout, "by account "+simulator.DefaultAccountSID+", source api (verify-service.updated)") {
		t.Errorf("by whom is not said:\n%s", stdout)
	}
	status, stdout, _ := a.run("env", "drift", "-o", "junit")
	var suites struct {
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal([]byte(stdout), &suites); err != nil || status != 1 || suites.Failures != 1 || !strings.Contains(stdout, "code_length: 8 → 6") {
		t.Errorf("status %d, %v\n%s", status, err, stdout)
	}
	status, stdout, _ = a.run("env", "drift", "-o", "sarif")
	line := 1 + strings.Count(strings.Split(a.read("config.yaml"), "      code_length")[0], "\n")
	if status != 1 || !strings.Contains(stdout, fmt.Sprintf(`"startLine": %d`, line)) || !strings.Contains(stdout, "config.yaml") {
		t.Errorf("status %d, want line %d\n%s", status, line, stdout)
	}
	a.post("/v2/Services/"+sids["$SERVICE"], "CodeLength", "6")
	for _, form := range []string{"junit", "sarif", "csv", "markdown", "yaml", "table"} {
		if status, stdout, stderr := a.run("env", "drift", "-o", form); status != 0 {
			t.Errorf("%s: status %d\n%s%s", form, status, stdout, stderr)
		}
	}
}

// TestDriftNeedsNoSecret: on a machine without the credential files, as CI is, everything else is compared, and what was not is
// said. A file that is there is still checked, and a plan needs all of them.
func TestDriftNeedsNoSecret(t *testing.T) {
	a, sids := made(t)
	for _, name := range []string{"apns-live.p12", "fcm-live.json"} {
		if err := os.Remove(filepath.Join(a.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	status, stdout, stderr := a.run("env", "drift")
	if status != 0 || strings.Count(stderr, "is not compared") != 2 || !strings.Contains(stderr, "apns-live.p12") || !strings.Contains(stderr, "fcm-live.json") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	a.post("/v1/Credentials/"+sids["$APN"], "FriendlyName", "renamed")
	if status, stdout, _ := a.run("env", "drift"); status != 1 || !strings.Contains(stdout, "renamed") {
		t.Errorf("a change by hand: status %d\n%s", status, stdout)
	}
	for _, command := range []string{"plan", "apply"} {
		if status, _, stderr := a.run("env", command); status != 64 || !strings.Contains(stderr, "cannot be read") {
			t.Errorf("%s: status %d\n%s", command, status, stderr)
		}
	}
	a.write("fcm-live.json", "not a key")
	if status, _, stderr := a.run("env", "drift"); status != 64 && status != 6 || !strings.Contains(stderr, "fcm-live.json") {
		t.Errorf("a broken file: status %d\n%s", status, stderr)
	}
}

// TestDoctorReadsTheDeclaredCertificate where nothing else tells when the attached one expires, as on a CI system that has the file.
func TestDoctorReadsTheDeclaredCertificate(t *testing.T) {
	a, _ := made(t)
	looks := func(want string) {
		t.Helper()
		status, stdout, stderr := a.run("doctor", "-e", "live", "--only", "PUSH-APN-11", "-o", "json")
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, want %q\n%s%s", status, want, stdout, stderr)
		}
	}
	notes := regexp.MustCompile(`(?m)^    credential_notes:\n(      .*\n)+`)
	a.write("config.yaml", notes.ReplaceAllString(a.read("config.yaml"), ""))
	looks("as its file said on")
	if err := os.Rename(filepath.Join(a.dir, "state"), filepath.Join(a.dir, "state of another machine")); err != nil {
		t.Fatal(err)
	}
	looks("as the declared file says, if that is what was uploaded")
	a.write("apns-live.p12", "not a certificate")
	looks("apns-live.p12")
	if err := os.Remove(filepath.Join(a.dir, "apns-live.p12")); err != nil {
		t.Fatal(err)
	}
	looks(`"status": "unknown"`)
}

// TestWhatCannotBeReadIsNeverMissing: no refusal or failure of a read becomes a change.
func TestWhatCannotBeReadIsNeverMissing(t *testing.T) {
	a, _ := made(t)
	for _, path := range []string{"/v2/Services", "/v1/Credentials", "Webhooks"} {
		for code, want := range map[int]int{401: 4, 403: 4, 500: 9, 404: 5, 200: 9} {
			a.setFault(func(w http.ResponseWriter, r *http.Request, _ int) bool {
				if !strings.HasSuffix(r.URL.Path, path) {
					return false
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(code)
				io.WriteString(w, map[bool]string{true: "<html>", false: fmt.Sprintf(`{"code":20003,"message":"no","status":%d}`, code)}[code == 200])
				return true
			})
			status, stdout, stderr := a.run("env", "drift")
			if status != want && !(code == 404 && status == 4) || stdout != "" || !strings.Contains(stderr, "could not be read") {
				t.Errorf("%s answers %d: status %d\n%s%s", path, code, status, stdout, stderr)
			}
		}
	}
}

// TestWrongInputIsRefusedBeforeAnyRequest, naming the line and what to do.
func TestWrongInputIsRefusedBeforeAnyRequest(t *testing.T) {
	year := time.Now().AddDate(0, 11, 0)
	expired := apnsCertificate(t, "Apple Push Services: com.example.app", "com.example.app", time.Now().AddDate(0, 0, -1), servesProduction)
	sandboxOnly := apnsCertificate(t, "Apple Development IOS Push Services: com.example.app", "com.example.app", year, servesSandbox)
	voip := apnsCertificate(t, "VoIP Services: com.example.app", "com.example.app", year, servesProduction)
	otherApp := apnsCertificate(t, "Apple Push Services: com.other.app", "com.other.app", year, servesProduction)
	otherKey, _ := rsa.GenerateKey(rand.Reader, 2048)
	other := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(otherKey)}))
	const apn = "apn: {name: iOS, certificate_file: file.pem"
	for name, c := range map[string]struct {
		push, file, ios, want, hint string
	}{
		"no file":            {"fcm: {name: a, service_account_file: nowhere.json}", "", "debug", "nowhere.json cannot be read", ""},
		"wrong pass phrase":  {"apn: {name: a, certificate_file: apns-live.p12, passphrase_env: CLINIC_SECRET}", "", "distribution", "the pass phrase does not open it", ""},
		"no pass phrase":     {"apn: {name: a, certificate_file: apns-live.p12}", "", "distribution", "it needs its pass phrase", "declare where its pass phrase is"},
		"not set":            {"apn: {name: a, certificate_file: apns-live.p12, passphrase_env: NOT_SET}", "", "distribution", "NOT_SET", "set NOT_SET"},
		"another key":        {apn + "}", certificatePEM(otherApp) + other, "distribution", "does not belong to the certificate", "find the key"},
		"expired":            {apn + "}", certificatePEM(expired) + keyPEM(), "distribution", "it expired on", "renew it"},
		"VoIP":               {apn + "}", certificatePEM(voip) + keyPEM(), "distribution", "for VoIP only", "make an Apple Push Services certificate"},
		"another app":        {apn + "}", certificatePEM(otherApp) + keyPEM(), "distribution", "is for com.other.app", "take the certificate of the app"},
		"sandbox only":       {apn + "}", certificatePEM(sandboxOnly) + keyPEM(), "distribution", "serves Apple's sandbox only", ""},
		"no key":             {apn + "}", certificatePEM(otherApp), "distribution", "there is no private key", ""},
		"a service account":  {apn + "}", accountOf("p", "k"), "distribution", "it is for fcm, not for apn", ""},
		"a certificate":      {"fcm: {name: a, service_account_file: file.pem}", certificatePEM(otherApp) + keyPEM(), "none", "it is for apn, not for fcm", "service account"},
		"a p8 key":           {apn + "}", p8Key(t), "distribution", "(.p8)", "make an Apple Push Services certificate"},
		"build not declared": {apn + "}", certificatePEM(otherApp) + keyPEM(), "", "does not declare how its iOS app is signed", "env set live ios_build="},
		"no iOS app":         {apn + "}", "", "none", "has no iOS app", ""},
		"wrong sandbox":      {apn + ", sandbox: true}", certificatePEM(otherApp) + keyPEM(), "distribution", "Apple would refuse every push", "it follows ios_build"},
		"a placeholder":      {"apn: {name: a, certificate_file: !placeholder a.p12, nme: b}", "", "distribution", "did you mean name?", ""},
	} {
		a := newAccount(t, "", strings.NewReplacer("$PUSH", c.push, "$BUILD", c.ios).Replace("environments:\n  live:\n    $KEYS\n    kind: staging\n    ios_build: $BUILD\n    app_ids: [com.example.app]\n"+
			"    service:\n      friendly_name: Bank\n      push:\n        $PUSH\n"))
		a.write("file.pem", c.file)
		status, stdout, stderr := a.run("env", "plan")
		if status != 64 && status != 6 || !strings.Contains(stderr, c.want) || !strings.Contains(stderr, c.hint) || !strings.Contains(stderr, "config.yaml:13") {
			t.Errorf("%s: status %d\n%s%s", name, status, stdout, stderr)
		}
		if sent := a.requests(); len(sent) > 0 {
			t.Errorf("%s: %q was sent", name, sent)
		}
	}
}

// p8Key is a key as Apple gives them out for provider tokens.
func p8Key(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// TestNothingIsGuessed: what two resources could be is refused, and so is another environment's Service.
func TestNothingIsGuessed(t *testing.T) {
	one := "environments:\n  live:\n    $KEYS\n    kind: staging\n    service: {friendly_name: Bank, push: {fcm: {name: Android, service_account_file: fcm-live.json}}}\n"
	for name, c := range map[string]struct {
		file string
		hand func(*account)
		want string
	}{
		"two Services": {one, func(a *account) {
			a.post("/v2/Services", "FriendlyName", "Bank")
			a.post("/v2/Services", "FriendlyName", "Bank")
		}, `has 2 Services named "Bank"`},
		"two credentials": {one, func(a *account) {
			a.post("/v1/Credentials", "Type", "fcm", "FriendlyName", "Android", "Secret", "{}")
			a.post("/v1/Credentials", "Type", "fcm", "FriendlyName", "Android", "Secret", "{}")
		}, `has 2 push credentials for fcm named "Android"`},
		"one name for two": {one + strings.Replace(strings.TrimPrefix(one, "environments:\n"), "live:", "other:", 1), func(*account) {}, "so does another environment"},
		"a Service that is not there": {strings.Replace(one, "kind: staging", "kind: staging\n    service_sid: VA00000000000000000000000000000009", 1), func(*account) {},
			"the Service VA00000000000000000000000000000009 of live is not in account"},
	} {
		a := newAccount(t, "", c.file)
		c.hand(a)
		if status, stdout, stderr := a.run("env", "plan"); status != 6 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d\n%s%s", name, status, stdout, stderr)
		}
	}
	a := newAccount(t, "", one)
	service := a.post("/v2/Services", "FriendlyName", "Bank")
	a.write("config.yaml", a.read("config.yaml")+"  theirs:\n    account_sid: "+simulator.DefaultAccountSID+"\n    service_sid: "+service+"\n    kind: staging\n    secret_env: CLINIC_SECRET\n    api_key: "+mainKey+"\n")
	if status, _, stderr := a.run("env", "plan"); status != 6 || !strings.Contains(stderr, "which is that of theirs") {
		t.Errorf("another environment's Service: status %d\n%s", status, stderr)
	}
}
