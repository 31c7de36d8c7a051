package doctor

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// notDeclarations are the fields of an environment that every check sees: which environment it is, and what has a rule of its
// own where it is missing.
var notDeclarations = map[string]string{
	"Name": "which", "ServiceSID": "which, and never missing", "Config": "which", "Demo": "which", "ReadOnly": "about writes", "TemplatesOnly": "about writes",
	"Attestations": "answers that attest.go asks for", "CredentialNotes": "evidence, which credentials lint records",
}

// TestEveryDeclarationIsHidden wants a new key of an environment to be seen by those checks alone that list it.
func TestEveryDeclarationIsHidden(t *testing.T) {
	var env verify.Environment
	fields := reflect.ValueOf(&env).Elem()
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		hidden := false
		for _, d := range declarations {
			before := reflect.ValueOf(env).Field(i).Interface()
			d.set(&env, "1")
			hidden = hidden || !reflect.DeepEqual(before, reflect.ValueOf(env).Field(i).Interface())
			if !d.made(env) {
				t.Errorf("%s is not made where it is set", d.Key)
			}
			d.set(&env, "")
		}
		if hidden == (notDeclarations[name] != "") {
			t.Errorf("%s has to be either among the declarations or among those that are none", name)
		}
	}
	if !reflect.DeepEqual(env, verify.Environment{}) {
		t.Errorf("something stays when it is set to nothing: %+v", env)
	}
	for _, d := range declarations {
		if !slices.Contains(config.SettableKeys(), d.Key) {
			t.Errorf("env set does not take %s", d.Key)
		}
	}
}

// TestNothingIsConcludedFromWhatIsNotDeclared takes away, in every world there is, each declaration from each check. One
// that rests on it is unknown then and names the command that declares it, or says what it says whatever is declared; one
// that does not list it says what it said.
func TestNothingIsConcludedFromWhatIsNotDeclared(t *testing.T) {
	unsettled := map[string]bool{}
	for _, c := range Catalogue() {
		if c.Certainty == declared && len(c.RestsOn)+len(c.Heeds) == 0 || c.Certainty == certain && len(c.RestsOn) > 0 {
			t.Errorf("%s is %s and rests on %v", c.ID, c.Certainty, Keys(c.RestsOn))
		}
		for _, d := range c.RestsOn {
			unsettled[c.ID+" "+d.Key] = true
		}
	}
	for _, world := range append(brokenWorlds(), brokenWorld{break_: func(*bench) {}}) {
		report, _ := world.examine(t)
		snap := report.snapshots[0]
		for _, c := range Catalogue() {
			all := c
			all.Heeds = declarations
			if seen, full := c.judge(snap), all.judge(snap); !reflect.DeepEqual(seen, full) {
				t.Errorf("%s (%s): %s reads a declaration that it does not list: it says %q, and seeing everything %q", world.id, world.name, c.ID, seen.Reason, full.Reason)
			}
			for _, d := range c.RestsOn {
				bare := *snap
				d.set(&bare.Env, "")
				if !d.made(bare.Env) && mustNotConclude(t, c, d, &bare) { // where another declaration tells it, it is made
					delete(unsettled, c.ID+" "+d.Key)
				}
			}
		}
	}
	for pair := range unsettled {
		t.Errorf("%s: nowhere does the answer wait for it", pair)
	}
}

// mustNotConclude wants a check to say without a declaration only what it says under each of its values, and tells whether
// the answer waits for it.
func mustNotConclude(t *testing.T, c Check, d *Declaration, bare *snapshot) bool {
	t.Helper()
	a := c.judge(bare)
	switch {
	case a.Undeclared == d.Key:
		mustDeclare(t, c, d, a)
		return true
	case a.Undeclared != "" || a.Status == Unknown || a.Status == Skipped:
		return false // nothing is concluded
	}
	for _, value := range d.values(bare) {
		assumed := *bare
		d.set(&assumed.Env, value)
		if b := c.judge(&assumed); b.Status != a.Status || b.Reason != a.Reason {
			t.Errorf("without %s %s is %s (%s), with %s it is %s (%s)", d.Key, c.ID, a.Status, a.Reason, value, b.Status, b.Reason)
		}
	}
	return false
}

// mustDeclare wants an answer to say what it would be under each value, and commands that config takes.
func mustDeclare(t *testing.T, c Check, d *Declaration, a answer) {
	t.Helper()
	if a.Status == Pass || a.Status == Skipped || len(a.Seen) < 2 || len(a.Commands) == 0 || !strings.Contains(a.Fix, "declare "+d.Key) {
		t.Errorf("%s without %s: %+v", c.ID, d.Key, a)
	}
	for _, command := range a.Commands {
		setting, ok := strings.CutPrefix(command, "verifyctl env set live ")
		parsed, err := config.ParseSetting(strings.Trim(setting, "'"))
		if !ok || err != nil || parsed.Key != d.Key || parsed.Value == other {
			t.Errorf("%s without %s names %q: %v", c.ID, d.Key, command, err)
		}
	}
}
