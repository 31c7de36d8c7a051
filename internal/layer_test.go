// Package internal_test holds the rule of the house: which package may know which.
package internal_test

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/verifyctl/verifyctl"

// layers lists for every package of ours which others of ours it may import, directly or not. What operators do knows
// only the vocabulary and events; what talks to the world stands below and is joined to it in cli.
var layers = map[string]struct {
	may []string
	why string
}{
	"internal/verify":       {nil, "the vocabulary stands on nothing"},
	"internal/event":        {[]string{"internal/verify"}, "decoding is pure"},
	"internal/where":        {[]string{"internal/verify"}, "conditions know only the vocabulary"},
	"internal/challenge":    {[]string{"internal/verify", "internal/event"}, "what operators do is told what it needs through small interfaces"},
	"internal/pushfile":     {[]string{"internal/verify"}, "what reads files from outside is told nothing else, and used by doctor and cli"},
	"internal/doctor":       {[]string{"internal/verify", "internal/event", "internal/pushfile"}, "what operators do is told what it needs through small interfaces"},
	"internal/debugger":     {[]string{"internal/verify", "internal/event"}, "what operators do is told what it needs through small interfaces"},
	"internal/plan":         {[]string{"internal/verify"}, "it binds and seals plans, whatever they change"},
	"internal/fleet":        {[]string{"internal/verify", "internal/event", "internal/plan", "internal/where"}, "what operators do is told what it needs through small interfaces"},
	"internal/environments": {[]string{"internal/verify", "internal/plan", "internal/pushfile"}, "what operators do is told what it needs through small interfaces"},
	"internal/rotation":     {[]string{"internal/verify", "internal/event"}, "what operators do is told what it needs through small interfaces"},
	"internal/twilio":       {[]string{"internal/verify"}, "the real API speaks the vocabulary and nothing else"},
	"internal/ledger":       {[]string{"internal/verify", "internal/twilio", "internal/statedir"}, "what leaves the record is told by others what to write"},
	"internal/statedir":     {[]string{"internal/verify"}, "the ground of what is kept knows only the vocabulary"},
	"internal/store":        {[]string{"internal/verify", "internal/event", "internal/statedir", "internal/where"}, "memory knows what it keeps, not who asks"},
	"internal/simulator":    {nil, "a misreading of Twilio must not be wrong on both sides at once and still pass its tests"},
	"internal/inspector":    {[]string{"internal/simulator", "internal/event", "internal/verify"}, "the page shows the simulator and explains what it tells"},
	"internal/render":       {[]string{"internal/verify"}, "output knows only the vocabulary"},
	"internal/config":       {[]string{"internal/verify", "internal/statedir"}, "configuration knows only the vocabulary, and how files are written"},
	"internal/prompt":       {[]string{"internal/verify", "internal/prompt/quiet"}, "questions know only the vocabulary"},
	"internal/pgtest":       {[]string{"internal/tmpdir"}, "it starts a database for tests, and knows nothing of what is put in it"},
	"internal/tmpdir":       {nil, "it says where tests put their folders"},
	"internal/prompt/quiet": {nil, "it must be initialised before everything else"},
}

// joining are the packages that join the others, and this test's own.
var joining = []string{"internal/cli", "internal/gen", "internal"}

// onlyImporters says which package alone may import a module, so that it can be replaced or guarded in one place.
var onlyImporters = map[string]string{
	"github.com/twilio/twilio-go":        "internal/twilio",
	"github.com/olekukonko/tablewriter":  "internal/render",
	"github.com/itchyny/gojq":            "internal/render",
	"github.com/charmbracelet/huh":       "internal/prompt",
	"github.com/charmbracelet/bubbletea": "internal/prompt",
	"github.com/spf13/viper":             "internal/config",
	"github.com/jackc/pgx/v5":            "internal/store",
	"github.com/zalando/go-keyring":      "internal/config",
	"howett.net/plist":                   "internal/pushfile",
	"software.sslmate.com/src/go-pkcs12": "internal/pushfile",
	"github.com/youmark/pkcs8":           "internal/pushfile",
}

// neverInProduct must not be linked into the binary.
var neverInProduct = []string{"github.com/getkin/kin-openapi", "github.com/spf13/cobra/doc", "github.com/rogpeppe/go-internal", "pgregory.net/rapid", "github.com/prometheus", "github.com/chromedp/chromedp",
	module + "/internal/tmpdir"}

type goPackage struct {
	ImportPath, Dir, Export string
	GoFiles, Imports, Deps  []string
}

func listPackages(t *testing.T, arguments ...string) []goPackage {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Export,GoFiles,Imports,Deps"}, arguments...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.ImportPath, module) {
			if _, err := os.ReadDir(p.Dir); err != nil { // go test notes it, so a cached result does not outlive a change
				t.Fatal(err)
			}
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list found no packages")
	}
	return packages
}

func TestArrowsPointDown(t *testing.T) {
	for _, p := range listPackages(t, module+"/internal/...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		rule, bound := layers[name]
		if !bound {
			if !slices.Contains(joining, name) {
				t.Errorf("%s has no place in the house: add it to the layers of this test", name)
			}
			continue
		}
		for _, unused := range rule.may {
			if !slices.Contains(p.Deps, module+"/"+unused) {
				t.Errorf("%s does not import %s: take the arrow out of the layers of this test", name, unused)
			}
		}
		for _, dep := range p.Deps {
			ours, isOurs := strings.CutPrefix(dep, module+"/")
			if isOurs && !slices.Contains(rule.may, ours) {
				t.Errorf("%s imports %s, which it may not: %s", name, ours, rule.why)
			}
		}
	}
}

func TestOneImporterEach(t *testing.T) {
	for _, p := range listPackages(t, module+"/...") {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, imported := range p.Imports {
			for guarded, owner := range onlyImporters {
				if inModule(imported, guarded) && name != owner {
					t.Errorf("%s imports %s; only %s may, where it is guarded", name, imported, owner)
				}
			}
			if imported == "github.com/twilio/twilio-go" {
				t.Errorf("%s imports the root of twilio-go, which compiles every product of Twilio", name)
			}
		}
	}
}

func TestTestOnlyLibrariesAreNotLinked(t *testing.T) {
	for _, p := range listPackages(t, module+"/cmd/verifyctl") {
		for _, dep := range p.Deps {
			for _, banned := range neverInProduct {
				if inModule(dep, banned) {
					t.Errorf("%s is linked into %s", dep, p.ImportPath)
				}
			}
		}
	}
}

func inModule(pkg, module string) bool {
	rest, ok := strings.CutPrefix(pkg, module)
	return ok && (rest == "" || rest[0] == '/')
}
