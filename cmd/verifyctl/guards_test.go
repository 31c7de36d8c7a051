package main

import (
	"os"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// guarded is a company whose two environments share one Service, which one of them calls production.
func guarded(t *testing.T) (h home, env []string) {
	t.Helper()
	h = newHome(t)
	server := h.serve(t, "--state", h.path("world.sqlite"))
	text := "environments:\n"
	for _, declared := range []string{"staging:staging", "live:production"} {
		name, kind, _ := strings.Cut(declared, ":")
		text += "  " + name + ":\n    account_sid: " + simulator.DefaultAccountSID + "\n    service_sid: " + simulator.DemoServiceSID +
			"\n    kind: " + kind + "\n    auth_token_env: SIM_TOKEN\n    base_url: " + server.BaseURL + "\n"
	}
	if err := os.WriteFile(h.path("environments.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return h, []string{"VERIFYCTL_CONFIG=" + h.path("environments.yaml")}
}

// mustSay runs a command that must end with a status and say each of the words on standard error.
func (h home) mustSay(t *testing.T, status int, env, args []string, words ...string) {
	t.Helper()
	said := h.say(t, status, env, args...)
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("verifyctl %s does not say %q:\n%s", strings.Join(args, " "), word, said)
		}
	}
}

// TestTheStricterEnvironmentWins: a Service that some environment calls production is written to as production, by
// whichever name, and the refusal says whose rule it is and where it stands.
func TestTheStricterEnvironmentWins(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	h, env := guarded(t)
	why := "is also that of live, which is production (" + h.path("environments.yaml") + ":8)"
	for _, write := range [][]string{
		{"factors", "delete", simulator.DemoIdentity, simulator.DemoDeadFactorSID},
		{"entities", "delete", simulator.DemoIdentity},
		{"entities", "erase", simulator.DemoIdentity},
		{"challenge", "create", simulator.DemoIdentity, "--factor", simulator.DemoTabletFactorSID, "--message", "Sign in?"},
		{"challenge", "resend", simulator.DemoPendingChallengeSID, "--identity", simulator.DemoIdentity},
		{"doctor", "undo", "fcm=" + simulator.DemoDevFCMCredentialSID},
	} {
		args := append([]string{"-e", "staging"}, write...)
		h.mustSay(t, 6, env, append(args, "--yes"), why, "confirm with --confirm live")
		h.mustSay(t, 6, env, append(args, "--confirm", "staging"), "live", why)
	}
	h.mustSay(t, 6, append(env, "VERIFYCTL_ENV=staging"), []string{"factors", "delete", simulator.DemoIdentity, simulator.DemoDeadFactorSID, "--confirm", "live"}, "needs --env", why)
	if left := h.run(t, 0, env, "-e", "staging", "factors", "list", simulator.DemoIdentity, "-q"); len(strings.Fields(left)) != 3 {
		t.Errorf("the factors left are %q", left)
	}
	h.run(t, 0, env, "-e", "staging", "factors", "delete", simulator.DemoIdentity, simulator.DemoDeadFactorSID, "--confirm", "live")
	if said := h.run(t, 0, env, "-e", "staging", "doctor", "--only", "SVC-04", "--no-evidence"); !strings.Contains(said, "live is production, so every write here needs its confirmation") {
		t.Errorf("doctor says nothing of the shared Service:\n%s", said)
	}
}

// TestARefusalNamesWhereItsRuleStands: the line of the file, or the variable.
func TestARefusalNamesWhereItsRuleStands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	h, env := guarded(t)
	path := h.path("environments.yaml")
	remove := func(name, confirm string) []string {
		return []string{"-e", name, "factors", "delete", simulator.DemoIdentity, simulator.DemoDeadFactorSID, "--confirm", confirm}
	}
	h.mustSay(t, 6, env, []string{"-e", "live", "entities", "delete", simulator.DemoIdentity}, "live is production; confirm with --confirm live ("+path+":8)")
	h.mustSay(t, 6, env, []string{"-e", "live", "doctor", "--fix", "--credential", simulator.DemoSpareCredentialSID, "--no-evidence"}, "does not declare how its iOS app is signed ("+path+":8)")
	for _, name := range []string{"live", "staging", "demo"} {
		confirm := strings.Replace(name, "staging", "live", 1)
		h.mustSay(t, 6, append(env, "VERIFYCTL_READONLY=true"), remove(name, confirm), name+" is read-only (VERIFYCTL_READONLY)")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	texts := strings.Replace(string(text), "kind: production", "kind: production\n    challenges: {templates_only: true}", 1)
	if err := os.WriteFile(path, []byte(texts), 0o600); err != nil {
		t.Fatal(err)
	}
	h.mustSay(t, 6, env, []string{"-e", "live", "challenge", "create", simulator.DemoIdentity, "--message", "Hi"}, "not from --message ("+path+":8)")
	declared := strings.Replace(string(text), "kind: production", "readonly: true", 1)
	if err := os.WriteFile(path, []byte(declared), 0o600); err != nil {
		t.Fatal(err)
	}
	h.mustSay(t, 6, env, remove("live", "live"), "live is read-only ("+path+":8)")
	h.mustSay(t, 6, append(env, "VERIFYCTL_READONLY=true"), remove("live", "live"), "live is read-only ("+path+":8)")
	h.mustSay(t, 6, env, remove("staging", "live"), "is also that of live, which is read-only ("+path+":8)")
	if got := h.run(t, 0, env, "-e", "live", "factors", "list", simulator.DemoIdentity, "-q"); len(strings.Fields(got)) != 3 {
		t.Errorf("the factors left are %q", got)
	}
}

// TestWhatDoctorWantsDeclaredCanBeDeclared pastes the commands that doctor prints until nothing waits for a declaration.
func TestWhatDoctorWantsDeclaredCanBeDeclared(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	h, env := guarded(t)
	doctor := []string{"-e", "live", "doctor", "--only", "PUSH-*,HOOK-*,FAC-*", "--sample", "5"}
	declared := map[string]bool{}
	for line := range strings.Lines(h.run(t, 1, env, doctor...)) {
		_, setting, ok := strings.Cut(strings.TrimSpace(line), "environments.yaml env set live ")
		key, _, _ := strings.Cut(setting, "=")
		if ok && !declared[key] {
			declared[key] = true
			h.run(t, 0, env, "env", "set", "live", setting)
		}
	}
	if len(declared) != 6 {
		t.Errorf("doctor names %v", declared)
	}
	if said := h.run(t, 1, env, doctor...); strings.Contains(said, "is not declared") {
		t.Errorf("something is still not declared:\n%s", said)
	}
}

// TestTheNamedEnvironmentKeepsItsEvents: what -e names keeps the events of its Service, and the commands printed name it.
func TestTheNamedEnvironmentKeepsItsEvents(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	h, env := guarded(t)
	h.run(t, 0, env, "-e", "staging", "debugger", "alerts", "--store", "--since", "29d", "--all")
	for name, want := range map[string]bool{"staging": true, "live": false} {
		kept := h.run(t, 0, env, "-e", name, "debugger", "replay", "--all", "--jq", ".[].environment")
		if (kept != "") != want || strings.Contains(kept, "live") {
			t.Errorf("%s remembers events of %q", name, kept)
		}
	}
	if err := os.WriteFile(h.path("event.json"), []byte(uninstalledEvent), 0o600); err != nil {
		t.Fatal(err)
	}
	payload := []string{"why", "--payload", h.path("event.json")}
	h.mustSay(t, 64, env, payload, "several environments have Service", "staging, live, demo")
	for _, name := range []string{"staging", "live", "demo"} {
		if said := h.run(t, 0, env, append([]string{"-e", name, "-o", "json"}, payload...)...); !strings.Contains(said, `"environment": "`+name+`"`) {
			t.Errorf("-e %s asks elsewhere:\n%s", name, said)
		}
	}
}

// TestRepairsAreConfirmedAsEveryWrite: without a terminal doctor --fix and doctor undo take --yes, and what is there already
// is not sent.
func TestRepairsAreConfirmedAsEveryWrite(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	h := newHome(t)
	server := h.serve(t, "--state", h.path("world.sqlite"))
	h.environment(t, "base_url: "+server.BaseURL, "ios_build: distribution")
	env := []string{"VERIFYCTL_CONFIG=" + h.path("environments.yaml")}
	fix := []string{"-e", "sim", "doctor", "--fix", "--credential", simulator.DemoSpareCredentialSID, "--no-evidence", "--only", "PUSH-APN-01"}
	undo := []string{"-e", "sim", "doctor", "undo", "apn=" + simulator.DemoSpareCredentialSID}
	for _, write := range [][]string{fix, undo} {
		h.mustSay(t, 6, env, write, "not confirmed: Change", "confirm with --yes")
	}
	if sent := h.run(t, 0, env, "audit", "show", "-q"); sent != "" {
		t.Errorf("something was sent unasked: %s", sent)
	}
	h.mustSay(t, 0, env, append(fix, "--yes"), "changed")
	before := h.run(t, 0, env, "audit", "show", "--jq", "length")
	h.mustSay(t, 0, env, undo, "nothing to do: sim already has apn="+simulator.DemoSpareCredentialSID)
	h.mustSay(t, 0, env, append(undo, "--dry-run"), "nothing to do")
	if after := h.run(t, 0, env, "audit", "show", "--jq", "length"); after != before {
		t.Errorf("the audit has %s lines after an undo of nothing, and had %s", after, before)
	}
}

// TestBulkWorkKeepsTheGuardsOfSingleWork: a list that takes all factors of a person in production shows what they are, names
// the person, and needs to be meant; what the plan did not foresee is kept.
func TestBulkWorkKeepsTheGuardsOfSingleWork(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	h, env := guarded(t)
	list := h.run(t, 0, env, "-e", "live", "factors", "list", simulator.DemoIdentity, "-o", "csv")
	if err := os.WriteFile(h.path("list.csv"), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run(t, 0, env, "-e", "live", "factors", "plan", "--from", h.path("list.csv"), "--out", h.path("all.ndjson"))
	apply := []string{"-e", "live", "factors", "apply", h.path("all.ndjson"), "--confirm", "live"}
	h.mustSay(t, 6, env, apply, "Pixel 6", "fcm", "1 identity will have no verified push factor left", simulator.DemoIdentity, "--max-lockouts allows 0", "--max-lockouts 1")
	h.mustSay(t, 0, env, append(apply, "--dry-run"), "nothing would be: the plan leaves 1 identity")
	h.mustSay(t, 64, env, append(apply, "--max-lockouts", "-1"), "negative")
	h.mustSay(t, 64, env, append(apply, "--max-share", "NaN"), "percentage")
	if left := h.run(t, 0, env, "-e", "live", "factors", "list", simulator.DemoIdentity, "-q"); len(strings.Fields(left)) != 3 {
		t.Errorf("the factors left are %q", left)
	}
	h.run(t, 0, env, append(apply, "--max-lockouts", "1", "-q")...)
	h.mustSay(t, 0, env, append(apply, "--max-lockouts", "1"), "everything in the plan is done")
}

// TestAMissingServiceIsNamed: of an environment whose Service is gone no identity is said to be missing.
func TestAMissingServiceIsNamed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	h := newHome(t)
	server := h.serve(t, "--state", h.path("world.sqlite"))
	h.environment(t, "base_url: "+server.BaseURL)
	path := h.path("environments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const gone = "VA00000000000000000000000000000000"
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(text), simulator.DemoServiceSID, gone)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"factors", "list", simulator.DemoIdentity}, {"factors", "show", simulator.DemoIdentity, simulator.DemoDeadFactorSID},
		{"entities", "list"}, {"entities", "show", simulator.DemoIdentity}, {"challenge", "list", simulator.DemoIdentity},
	} {
		h.mustSay(t, 5, []string{"VERIFYCTL_CONFIG=" + path}, append([]string{"-e", "sim"}, args...), "the account of sim has no Service "+gone)
	}
}
