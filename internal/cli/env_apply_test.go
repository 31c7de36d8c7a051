package cli

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/verifyctl/verifyctl/internal/environments"
	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/statedir"
)

// threeEnvironments is a team's file before there is anything on Twilio.
const threeEnvironments = `# Who may push what, and where.
environments:
  dev:
    $KEYS # everybody's
    kind: development
    ios_build: debug
    platforms: [apn, fcm]
    app_ids: [com.example.app.dev]
    service:
      friendly_name: Example Bank dev
      push:
        apn: {name: iOS dev, certificate_file: apns-dev.pem}
        fcm: {name: Android dev, service_account_file: fcm-dev.json}
      webhooks:
        - {name: answers, url: "https://dev.ops.example/verify", events: ["*"], version: v2}
  staging:
    $KEYS
    kind: staging
    ios_build: none
    platforms: [fcm]
    service:
      friendly_name: Example Bank staging
      push:
        fcm: {name: Android staging, service_account_file: fcm-staging.json}
      webhooks:
        - {name: answers, url: "https://staging.ops.example/verify", events: ["*"], version: v2}
  live:
    $KEYS
    kind: production
    ios_build: distribution
    platforms: [apn, fcm]
    app_ids: [com.example.app]
    service:
      friendly_name: Example Bank live
      code_length: 6
      push:
        apn: {name: iOS live, certificate_file: apns-live.p12, passphrase_env: APNS_PASS}
        fcm: {name: Android live, service_account_file: fcm-live.json}
      webhooks:
        - {name: answers, url: "https://ops.example/verify", events: [challenge.approved, challenge.denied, factor.created, factor.verified, factor.deleted], version: v2}
`

// TestFromAnEmptyAccountToGreen is a new team's way: one file, one apply, and doctor has nothing to say.
func TestFromAnEmptyAccountToGreen(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	status, stdout, stderr := a.run("env", "apply", "dev", "staging", "live", "--yes", "--confirm", "live")
	if status != 0 {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	if file := a.read("config.yaml"); strings.Count(file, "service_sid: VA") != 3 || strings.Count(file, "credential_sid: CR") != 5 || strings.Count(file, " sid: YW") != 3 ||
		!strings.HasPrefix(file, "# Who may push what") || !strings.Contains(file, "# everybody's") {
		t.Errorf("the file:\n%s", file)
	}
	for _, about := range []string{"SVC-07", "HOOK-06"} { // it was changed by this very run, and the file says where webhooks go
		if strings.Contains(stdout, about) {
			t.Errorf("doctor speaks of %s:\n%s", about, stdout)
		}
	}
	before := a.requests()
	if first := slices.IndexFunc(before, func(sent string) bool { return strings.HasPrefix(sent, "POST") }); first > 4 {
		t.Errorf("%d requests before the first write: the two lists, and whose account it is, are 4: %q", first, before)
	}
	if report := a.plan("env", "plan"); report.Changes != 0 || report.Requests != 5 || len(a.requests()) != 5 {
		t.Errorf("a second plan: %+v", report)
	}
	a.ok("doctor", "--no-evidence")
	a.post("/v2/Services/"+strings.Fields(strings.SplitN(a.read("config.yaml"), "service_sid: ", 2)[1])[0], "CodeLength", "8", "FriendlyName", "By hand")
	if stdout := a.ok("env", "apply", "dev", "--yes"); strings.Contains(stdout, "SVC-03") {
		t.Errorf("the other two Services are in the file:\n%s", stdout)
	}
	a.ok("audit", "verify")
	if status, _, stderr := a.run("env", "apply", "dev"); status != 0 || !strings.Contains(stderr, "nothing to change") {
		t.Errorf("a second apply: status %d\n%s", status, stderr)
	}
}

// TestNoSecretGetsOut: of what is uploaded and what opens it, nothing is in any output, file or database.
func TestNoSecretGetsOut(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	uploaded := map[string]bool{}
	for _, file := range []string{"apns-dev.pem", "apns-live.p12", "fcm-dev.json", "fcm-staging.json", "fcm-live.json", "new.p12", "new.json"} {
		uploaded[filepath.Join(a.dir, file)] = true
	}
	renewed := apnsCertificate(t, "Apple Push Services: com.example.app", "com.example.app", time.Now().AddDate(1, 0, 0), servesProduction)
	p12, err := pkcs12.Modern.Encode(pushKey(), renewed, nil, apnsPass)
	if err != nil {
		t.Fatal(err)
	}
	a.write("new.p12", string(p12))
	a.write("new.json", accountOf("bank-live", "key-2"))
	rotate := []string{"-e", "live", "credentials", "rotate", "--watch", "0s", "--confirm", "live", "--debug", "--file"}
	var said strings.Builder
	for _, args := range [][]string{
		{"env", "plan", "--debug"}, {"env", "plan", "-o", "json"}, {"env", "plan", "live", "--out", filepath.Join(a.dir, "plan.ndjson")},
		{"env", "apply", "dev", "staging", "live", "--yes", "--confirm", "live", "--debug"}, {"env", "drift", "-o", "sarif"}, {"env", "export", "live"},
		slices.Concat(rotate, []string{filepath.Join(a.dir, "new.p12"), "apn", "--passphrase-env", "APNS_PASS", "--dry-run"}),
		slices.Concat(rotate, []string{filepath.Join(a.dir, "new.p12"), "apn", "--passphrase-env", "CLINIC_SECRET"}), // it does not open it
		slices.Concat(rotate, []string{filepath.Join(a.dir, "new.p12"), "apn", "--passphrase-env", "APNS_PASS", "--rollback-on-errors", "1"}),
		slices.Concat(rotate, []string{filepath.Join(a.dir, "new.json"), "fcm", "--in-place"}),
		{"-e", "live", "credentials", "rotate", "fcm", "--confirm", "live"}, // the declared file, which is the old one
		{"audit", "show", "-o", "json"}, {"state", "list"}, {"env", "show", "live", "-o", "json"},
	} {
		_, stdout, stderr := a.run(args...)
		said.WriteString(stdout + stderr)
	}
	a.write("fcm-live.json", strings.Replace(accountOf("bank-live", "key-1"), "PRIVATE KEY-----", "PRIVATE KEY-----broken", 1))
	_, stdout, stderr := a.run("env", "plan")
	said.WriteString(stdout + stderr)

	key := strings.Split(keyPEM(), "\n")
	secrets := []string{apnsPass, clinicPass, key[3], key[10], string(pushKey().D.Bytes()), string(pushKey().Primes[0].Bytes())}
	var account struct {
		Key string `json:"private_key"`
	}
	if err := json.Unmarshal([]byte(accountOf("p", "k")), &account); err != nil {
		t.Fatal(err)
	}
	secrets = append(secrets, strings.Split(account.Key, "\n")[3], strings.Split(account.Key, "\n")[10])
	check := func(where, text string) {
		for i, secret := range secrets {
			if strings.Contains(text, secret) {
				t.Errorf("secret %d stands in %s", i, where)
			}
		}
	}
	check("an output", said.String())
	if !strings.Contains(said.String(), "CreateCredential") && !strings.Contains(said.String(), "/v1/Credentials") {
		t.Errorf("--debug showed no request:\n%.2000s", said.String())
	}
	if !strings.Contains(said.String(), "attaching CR") || !strings.Contains(said.String(), "replacing the contents of push credential CR") {
		t.Errorf("nothing was rotated:\n%.2000s", said.String())
	}
	files := 0
	err = filepath.WalkDir(a.dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() || uploaded[path] {
			return err
		}
		text, err := os.ReadFile(path)
		check(path, string(text))
		files++
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("%d files: %v", files, err)
	}
}

// TestSIDsThatCannotBeWrittenAreTold, each as it is made, and why once for each environment. The same apply then finds everything
// by its name.
func TestSIDsThatCannotBeWrittenAreTold(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	declarations := a.read("config.yaml")
	breaks := func() {
		a.setFault(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
			if r.Method == http.MethodPost {
				a.write("config.yaml", "environments: {")
			}
			return false
		})
	}
	for name, c := range map[string]struct {
		args   []string
		before func()
		why    string
	}{
		"standard input": {[]string{"--file", "-"}, func() {
			a.stdin = strings.NewReplacer("certificate_file: ", "certificate_file: "+a.dir+"/", "account_file: ", "account_file: "+a.dir+"/").Replace(declarations)
		}, "stands in no file"},
		"a file that is broken": {nil, breaks, "config.yaml"},
	} {
		a = newAccount(t, "", threeEnvironments)
		declarations = a.read("config.yaml")
		c.before()
		status, stdout, stderr := a.run(append([]string{"env", "apply", "dev", "staging", "--yes"}, c.args...)...)
		if status != 0 || strings.Count(stderr, "were not written") != 2 || strings.Count(stderr, c.why) < 2 || strings.Count(stderr, "verifyctl: add to dev: ") != 4 || strings.Count(stderr, "verifyctl: add to staging: ") != 3 {
			t.Errorf("%s: status %d\n%s%s", name, status, stdout, stderr)
		}
		for _, line := range []string{"add to dev: service_sid: VA", "add to dev: service.push.apn.credential_sid: CR", "add to dev: service.webhooks: sid of answers: YW"} {
			if !strings.Contains(stderr, line) {
				t.Errorf("%s: there is no %q\n%s", name, line, stderr)
			}
		}
		a.setFault(nil)
		a.write("config.yaml", declarations)
		if report := a.plan("env", "plan", "dev", "staging"); report.Changes != 0 {
			t.Errorf("%s: a second plan: %+v", name, report)
		}
	}
}

// TestARunBesideAnotherSaysWhichOne has the account, since when, and what to do, and writes nothing.
func TestARunBesideAnotherSaysWhichOne(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	a.ok("env", "apply", "dev", "staging", "--yes")
	a.write("new.pem", anotherCertificate(t))
	lock := filepath.Join(a.dir, "state", "changes-"+strings.ToLower(simulator.DefaultAccountSID)+".lock")
	for _, c := range []struct {
		other statedir.Holder
		want  string
	}{
		{statedir.Holder{PID: 4711, Host: hostName(), Doing: "verifyctl -e live credentials rotate apn", Since: time.Date(2026, 11, 28, 9, 14, 3, 0, time.UTC)},
			"process 4711 (verifyctl -e live credentials rotate apn) is changing account " + simulator.DefaultAccountSID + " since 2026-11-28T09:14:03Z"},
		{statedir.Holder{PID: 4711, Host: "ci-7", Doing: "verifyctl env apply dev"}, "process 4711 on ci-7 (verifyctl env apply dev)"},
		{statedir.Holder{}, "another process is changing account"},
	} {
		unlock, _, err := statedir.Hold(lock, c.other)
		if err != nil || unlock == nil {
			t.Fatal(err)
		}
		a.requests()
		for _, args := range []string{"env apply dev --yes", "env promote dev staging --yes", "-e dev credentials rotate apn --yes --file " + filepath.Join(a.dir, "new.pem")} {
			status, _, stderr := a.run(strings.Fields(args)...)
			if status != 1 || strings.Count(stderr, c.want) != 2 || !strings.Contains(stderr, "waiting for it, for up to 1m0s") || !strings.Contains(stderr, "hint: wait until it has ended, or end it") {
				t.Errorf("%s: status %d\n%s", args, status, stderr)
			}
		}
		if sent := a.requests(); len(sent) > 0 { // a plan that was made before would not know what the other one did
			t.Errorf("was sent: %s", sent)
		}
		a.ok("env", "apply", "dev", "--dry-run") // sends nothing, and waits for nobody
		unlock()
	}
	a.ok("env", "apply", "dev", "--yes")
}

// TestALostReplyIsSettledByListing: each create whose reply is lost is found, and nothing is made twice.
func TestALostReplyIsSettledByListing(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	lost := map[string]bool{}
	a.setFault(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method != http.MethodPost || lost[r.URL.Path] {
			return false
		}
		lost[r.URL.Path] = true
		a.sim.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	status, stdout, stderr := a.run("env", "apply", "dev", "--yes")
	a.setFault(nil)
	if status != 0 || len(lost) != 3 {
		t.Fatalf("status %d, %d lost\n%s%s", status, len(lost), stdout, stderr)
	}
	oneOfEach(a)

	// When the listing fails, too, the outcome is unknown, and the same command goes on.
	a = newAccount(t, "", threeEnvironments)
	gone := false
	a.setFault(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Method == http.MethodPost && !gone {
			gone = true
			a.sim.ServeHTTP(httptest.NewRecorder(), r)
		}
		if gone {
			panic(http.ErrAbortHandler)
		}
		return false
	})
	if status, _, stderr := a.run("env", "apply", "dev", "--yes"); status != 3 || !strings.Contains(stderr, "go on: verifyctl") {
		t.Errorf("status %d\n%s", status, stderr)
	}
	a.setFault(nil)
	a.ok("env", "apply", "dev", "--yes")
	oneOfEach(a)
}

// oneOfEach makes sure that dev has one of everything, and that the audit file knows how every write ended.
func oneOfEach(a *account) {
	a.Helper()
	for list, want := range map[string]int{"services": 1, "credentials": 2} {
		var rows []json.RawMessage
		if err := json.Unmarshal([]byte(a.ok("-e", "dev", list, "list", "-o", "json")), &rows); err != nil || len(rows) != want {
			a.Errorf("%d %s, want %d", len(rows), list, want)
		}
	}
	if report := a.plan("env", "plan", "dev"); report.Changes != 0 {
		a.Errorf("a plan has %d changes", report.Changes)
	}
	open := map[string]bool{}
	for line := range strings.Lines(a.ok("audit", "show", "-o", "ndjson")) {
		var e struct{ ID, Phase string }
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			a.Fatal(err)
		}
		if e.Phase == "before" {
			open[e.ID] = true
		}
		if e.Phase == "after" {
			delete(open, e.ID)
		}
	}
	if len(open) > 0 {
		a.Errorf("%d lines of the audit file have none after them", len(open))
	}
}

// TestAnotherCertificateIsMadeBesideTheOld: the old credential stays as it is, and the file names the new one.
func TestAnotherCertificateIsMadeBesideTheOld(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	a.ok("env", "apply", "dev", "--yes")
	before := a.read("config.yaml")
	a.write("apns-dev.pem", certificatePEM(apnsCertificate(t, "Apple Push Services: new", "com.example.app.dev", time.Now().AddDate(1, 0, 0), servesSandbox))+keyPEM())
	report := a.plan("env", "plan", "dev")
	if len(report.Environments[0].Changes) != 2 || report.Environments[0].Changes[0].Action != environments.Replace || report.Add != 1 || report.Change != 1 {
		t.Errorf("%+v", report)
	}
	a.ok("env", "apply", "dev", "--yes")
	if before == a.read("config.yaml") || strings.Count(a.read("config.yaml"), "credential_sid") != 2 {
		t.Errorf("the file:\n%s", a.read("config.yaml"))
	}
	if list := a.ok("-e", "dev", "credentials", "list"); strings.Count(list, "iOS dev") != 2 {
		t.Errorf("the old one is gone:\n%s", list)
	}
	if report := a.plan("env", "plan", "dev"); report.Changes != 0 {
		t.Errorf("%+v", report)
	}
}

// TestOnlyWhatIsDeclaredAbsentIsDeleted, a credential only by its name, and never one that is in use.
func TestOnlyWhatIsDeclaredAbsentIsDeleted(t *testing.T) {
	file := "environments:\n  dev:\n    $KEYS\n    kind: development\n    service:\n      friendly_name: Bank\n      push: {apn: {name: Older, ensure: absent}, fcm: {name: Old, ensure: absent}}\n" +
		"      webhooks: [{name: old, ensure: absent}, {name: new, url: 'https://a.example', events: ['*']}]\n"
	a := newAccount(t, "", file)
	old := a.post("/v1/Credentials", "Type", "fcm", "FriendlyName", "Old", "Secret", "{}")
	a.post("/v1/Credentials", "Type", "fcm", "FriendlyName", "Other", "Secret", "{}")
	certificate := certificatePEM(apnsCertificate(t, "Apple Push Services: com.example.app", "com.example.app", time.Now().AddDate(0, 1, 0), servesProduction))
	older := a.post("/v1/Credentials", "Type", "apn", "FriendlyName", "Older", "Certificate", certificate, "PrivateKey", keyPEM())
	service := a.post("/v2/Services", "FriendlyName", "Bank", "Push.FcmCredentialSid", old)
	for _, name := range []string{"old", "other"} {
		a.post("/v2/Services/"+service+"/Webhooks", "FriendlyName", name, "EventTypes", "*", "WebhookUrl", "https://b.example")
	}
	if status, _, stderr := a.run("env", "apply", "dev", "--yes"); status != 6 || !strings.Contains(stderr, "would push nothing any more") {
		t.Errorf("in use: status %d\n%s", status, stderr)
	}
	a.post("/v2/Services/"+service, "Push.FcmCredentialSid", "CR00000000000000000000000000000009")
	if status, _, stderr := a.run("env", "apply", "dev", "--yes"); status != 6 || !strings.Contains(stderr, "--confirm-delete Old") {
		t.Errorf("not confirmed: status %d\n%s", status, stderr)
	}
	a.requests()
	for _, only := range []string{"Old", "Older"} {
		if status, _, stderr := a.run("env", "apply", "dev", "--yes", "--confirm-delete", only); status != 6 || strings.Contains(strings.Join(a.requests(), " "), "DELETE") {
			t.Errorf("only %s is confirmed: status %d\n%s", only, status, stderr)
		}
	}
	if status, stdout, stderr := a.run("env", "apply", "dev", "--yes", "--confirm-delete", "Old", "--confirm-delete", "Older"); status != 0 && status != 1 {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	sent := a.requests()
	deleted := slices.DeleteFunc(sent, func(r string) bool { return !strings.HasPrefix(r, "DELETE") })
	if all := strings.Join(deleted, " "); len(deleted) != 3 || !strings.Contains(all, old) || !strings.Contains(all, older) {
		t.Errorf("deleted %q", deleted)
	}
	if report := a.plan("env", "plan"); report.Changes != 0 {
		t.Errorf("%+v", report)
	}
}

// TestProductionIsNamedAndConfirmed: neither "all of the file" nor --yes writes to it.
func TestProductionIsNamedAndConfirmed(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	for _, c := range []struct{ args, want string }{
		{"env apply --yes --confirm live", "config.yaml env apply dev staging live"},
		{"env apply live --yes", "--confirm live"},
		{"env apply live --confirm dev", "does not match"},
		{"-e live env apply --yes", "--confirm live"},
	} {
		if status, _, stderr := a.run(strings.Fields(c.args)...); status != 6 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: status %d\n%s", c.args, status, stderr)
		}
	}
	for _, sent := range a.requests() {
		if !strings.HasPrefix(sent, "GET") {
			t.Errorf("%s was sent", sent)
		}
	}
	a.ok("env", "apply", "live", "--dry-run")
	a.ok("-e", "live", "env", "apply", "--confirm", "live")
}

// TestAReviewedPlanIsAppliedAsReviewed, and not when something has moved.
func TestAReviewedPlanIsAppliedAsReviewed(t *testing.T) {
	a := newAccount(t, "", threeEnvironments)
	plan := filepath.Join(a.dir, "plan.ndjson")
	if status, _, stderr := a.run("env", "plan", "--out", plan); status != 64 || !strings.Contains(stderr, "one environment") {
		t.Errorf("a plan of three: status %d\n%s", status, stderr)
	}
	a.ok("env", "plan", "dev", "--out", plan)
	a.ok("env", "apply", plan, "--yes")
	if status, _, stderr := a.run("env", "apply", plan, "--yes"); status != 6 || !strings.Contains(stderr, "since the plan was made") && !strings.Contains(stderr, "the plan") {
		t.Errorf("a second time: status %d\n%s", status, stderr)
	}
	config := a.read("config.yaml")
	a.write("config.yaml", strings.Replace(config, "friendly_name: Example Bank dev", "friendly_name: Example Bank devel", 1))
	a.ok("env", "plan", "dev", "--out", plan)
	service := strings.Fields(config[strings.Index(config, "service_sid: ")+len("service_sid: "):])[0]
	a.post("/v2/Services/"+service, "FriendlyName", "Somebody else")
	status, _, stderr := a.run("env", "apply", plan, "--yes")
	if status != 6 || !strings.Contains(stderr, "friendly_name: Somebody else → Example Bank devel, changed at ") {
		t.Errorf("moved: status %d\n%s", status, stderr)
	}
	a.write("plan.ndjson", strings.Replace(a.read("plan.ndjson"), "devel", "evil", 1))
	if status, _, stderr := a.run("env", "apply", plan, "--yes"); status != 6 || !strings.Contains(stderr, "SHA-256") {
		t.Errorf("edited: status %d\n%s", status, stderr)
	}
}
