//go:build unix

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// action is the Action of .github/actions/doctor.
type action struct {
	Inputs map[string]struct{ Description, Default string }
	Runs   struct {
		Steps []struct {
			ID, Name, If, Uses, Shell, Run string
			Env, With                      map[string]string
		}
	}
}

const actionFolder = "../../.github/actions/doctor"

func readAction(t *testing.T) (a action) {
	t.Helper()
	readYAML(t, filepath.Join(actionFolder, "action.yml"), &a)
	if len(a.Runs.Steps) == 0 {
		t.Fatal("the Action has no steps")
	}
	return a
}

// TestTheActionTakesNoScriptFromAWorkflow: an expression in a script is replaced before a shell reads it, so that who names a
// branch or a file could run anything. What others wrote is pinned by its commit.
func TestTheActionTakesNoScriptFromAWorkflow(t *testing.T) {
	t.Parallel()
	pinned := regexp.MustCompile(`^[\w./-]+@[0-9a-f]{40}$`)
	for _, step := range readAction(t).Runs.Steps {
		if strings.Contains(step.Run, "${{") {
			t.Errorf("%s: an expression in a script", step.Name)
		}
		if step.Uses != "" && !pinned.MatchString(step.Uses) {
			t.Errorf("%s uses %s, which can change", step.Name, step.Uses)
		}
	}
}

// runner is what runs the scripts of the Action, as GitHub's does; uploads it leaves out.
type runner struct {
	home
	*testing.T
	action
	inputs  map[string]string
	outputs map[string]string
	log     string
}

// newRunner gives one with a release to download, whose program is the one under test.
func newRunner(t *testing.T, inputs map[string]string) *runner {
	if testing.Short() {
		t.Skip("run without -short")
	}
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash, which the Action's scripts need")
	}
	r := &runner{home: newHome(t), T: t, action: readAction(t), inputs: map[string]string{}, outputs: map[string]string{}}
	archive := r.archive()
	name := fmt.Sprintf("verifyctl_1.2.3_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1.2.3/"+name, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(archive) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for name, input := range r.Inputs {
		r.inputs[name] = input.Default
	}
	r.inputs["downloads"] = server.URL
	for name, value := range inputs {
		if _, known := r.Inputs[name]; !known {
			t.Fatalf("the Action has no input %s", name)
		}
		r.inputs[name] = value
	}
	for _, folder := range []string{"temp", "action"} {
		if err := os.Mkdir(r.path(folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r.write("action/checksums.txt", fmt.Sprintf("%x  verifyctl_1.2.3_plan9_amd64.tar.gz\n%x  %s\n", sha256.Sum256(nil), sha256.Sum256(archive), name))
	return r
}

// archive makes the archive of a release, in which the program under test stands for verifyctl.
func (r *runner) archive() []byte {
	program, err := exec.LookPath("verifyctl")
	if err != nil {
		r.Fatal(err)
	}
	script := "#!/bin/sh\nexec '" + program + "' \"$@\"\n"
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zip)
	if err := archive.WriteHeader(&tar.Header{Name: "verifyctl", Mode: 0o755, Size: int64(len(script))}); err != nil {
		r.Fatal(err)
	}
	_, _ = archive.Write([]byte(script))
	if err := archive.Close(); err != nil {
		r.Fatal(err)
	}
	zip.Close()
	return packed.Bytes()
}

func (r *runner) write(name, text string) {
	r.Helper()
	if err := os.WriteFile(r.path(name), []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

func (r *runner) read(name string) string {
	text, _ := os.ReadFile(r.path(name)) // nothing was written
	return string(text)
}

var expression = regexp.MustCompile(`\$\{\{ (inputs|steps\.doctor\.outputs)\.([\w-]+) \}\}`)

// resolve puts the values of inputs and outputs in the place of expressions.
func (r *runner) resolve(text string) string {
	return expression.ReplaceAllStringFunc(text, func(found string) string {
		parts := expression.FindStringSubmatch(found)
		if parts[1] == "inputs" {
			return r.inputs[parts[2]]
		}
		return r.outputs[parts[2]]
	})
}

// steps runs the scripts until one fails, and gives its exit status.
func (r *runner) steps() int {
	r.Helper()
	for _, name := range []string{"added-path", "outputs"} {
		r.write(name, "")
	}
	names := map[string]string{"linux": "Linux", "darwin": "macOS", "amd64": "X64", "arm64": "ARM64"}
	for _, step := range r.Runs.Steps {
		if step.Run == "" {
			continue
		}
		path := strings.TrimSpace(r.read("added-path"))
		cmd := exec.Command("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step.Run) // as GitHub's "shell: bash"
		cmd.Dir = r.dir
		cmd.Env = append(r.command(r.T, nil).Env, "PATH="+path+":/usr/local/bin:/usr/bin:/bin", "RUNNER_TEMP="+r.path("temp"), "GITHUB_ACTION_PATH="+r.path("action"),
			"RUNNER_OS="+names[runtime.GOOS], "RUNNER_ARCH="+names[runtime.GOARCH],
			"GITHUB_PATH="+r.path("added-path"), "GITHUB_OUTPUT="+r.path("outputs"), "GITHUB_STEP_SUMMARY="+r.path("summary.md"))
		for name, value := range step.Env {
			cmd.Env = append(cmd.Env, name+"="+r.resolve(value))
		}
		printed, err := cmd.CombinedOutput()
		r.log += string(printed)
		if err != nil {
			return cmd.ProcessState.ExitCode()
		}
		for line := range strings.Lines(r.read("outputs")) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			r.outputs[name] = value
		}
	}
	return 0
}

// wrongSandbox declares the demo's live environment, whose APNs credential does not fit the build.
func (r *runner) wrongSandbox() {
	server := r.serve(r.T, "--seed", "demo")
	r.write("verifyctl.yaml", fmt.Sprintf("environments:\n  live:\n    account_sid: %s\n    auth_token_env: SIM_TOKEN\n    service_sid: %s\n    kind: staging\n    ios_build: distribution\n    base_url: %s\n",
		simulator.DefaultAccountSID, simulator.DemoServiceSID, server.BaseURL))
}

func TestTheActionFailsAsTold(t *testing.T) {
	t.Parallel()
	r := newRunner(t, map[string]string{"config": "verifyctl.yaml"})
	r.wrongSandbox()
	for failOn, status := range map[string]int{"fail": 1, "warn": 1, "never": 0, "nonsense": 64} {
		r.inputs["fail-on"], r.log = failOn, ""
		if got := r.steps(); got != status {
			t.Errorf("fail-on %s: status %d, want %d\n%s", failOn, got, status, r.log)
		}
	}
	r.inputs["fail-on"] = "fail"
	r.write("summary.md", "## what another step wrote\n")
	r.steps()
	if summary := r.read("summary.md"); !strings.HasPrefix(summary, "## what another") || !strings.Contains(summary, "| fail | PUSH-APN-01 |") {
		t.Errorf("the summary is\n%s", summary)
	}
	if !strings.Contains(r.log, "PUSH-APN-01") {
		t.Errorf("the log does not tell what is wrong:\n%s", r.log)
	}
	var sarif struct {
		Runs []struct {
			Results []struct {
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(r.readOutput("sarif")), &sarif); err != nil || len(sarif.Runs) != 1 || len(sarif.Runs[0].Results) == 0 {
		t.Fatalf("%v: %+v", err, sarif)
	}
	for _, result := range sarif.Runs[0].Results {
		if len(result.Locations) != 1 || result.Locations[0].PhysicalLocation.ArtifactLocation.URI != "verifyctl.yaml" || result.Locations[0].PhysicalLocation.Region.StartLine != 2 {
			t.Errorf("a result is at %+v", result.Locations)
		}
	}
	r.write("baseline.json", r.readOutput("report"))
	r.inputs["baseline"], r.log = "baseline.json", ""
	if got := r.steps(); got != 0 {
		t.Errorf("what the baseline knows fails: %d\n%s", got, r.log)
	}
}

func (r *runner) readOutput(name string) string {
	r.Helper()
	text, err := os.ReadFile(r.outputs[name])
	if err != nil {
		r.Fatalf("the output %s: %v", name, err)
	}
	return string(text)
}

// TestTheActionRunsNothingOfAnInput gives every input a text that a shell would run.
func TestTheActionRunsNothingOfAnInput(t *testing.T) {
	t.Parallel()
	for _, hostile := range []string{"$(touch pwned)`touch pwned`\"; touch pwned; \"' ; touch pwned #", "a\ntouch pwned\n"} {
		for name := range readAction(t).Inputs {
			r := newRunner(t, map[string]string{name: hostile})
			status := r.steps()
			if _, err := os.Stat(r.path("pwned")); err == nil {
				t.Errorf("%s: %q was run", name, hostile)
			}
			if status == 0 {
				t.Errorf("%s: %q is taken\n%s", name, hostile, r.log)
			}
		}
	}
}

// TestTheActionInstallsOnlyWhatIsPinned: neither another archive of the same name nor one that nobody pinned is run.
func TestTheActionInstallsOnlyWhatIsPinned(t *testing.T) {
	t.Parallel()
	r := newRunner(t, nil)
	pins := strings.Split(r.read("action/checksums.txt"), "\n")
	r.write("action/checksums.txt", pins[0][:64]+pins[1][64:]) // the checksum of something else
	if status := r.steps(); status == 0 || r.read("added-path") != "" {
		t.Errorf("an archive with another checksum is installed\n%s", r.log)
	}
	unreleased := newRunner(t, nil)
	text, err := os.ReadFile(filepath.Join(actionFolder, "checksums.txt"))
	if err != nil {
		t.Fatal(err)
	}
	unreleased.write("action/checksums.txt", string(text))
	if status := unreleased.steps(); len(bytes.TrimSpace(text)) == 0 && (status != 1 || !strings.Contains(unreleased.log, "pins no release")) {
		t.Errorf("without a release: status %d\n%s", status, unreleased.log)
	}
}
