package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// company is an environment file with a development, a staging and a live environment, on a simulator at a port of this
// machine. The live one maps user:NAME to another identity than the others.
type company struct {
	*testing.T
	sim    *simulator.Simulator
	config string
	state  string
}

const janeElsewhere = "jane-the-user"

func newCompany(t *testing.T) *company {
	t.Setenv("COMPANY_TOKEN", simulator.DefaultAuthToken)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	sim, err := simulator.Open(t.Context(), simulator.Options{Seed: simulator.SeedDemo})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(sim)
	t.Cleanup(func() {
		server.Close()
		sim.Close()
	})
	c := &company{T: t, sim: sim, state: t.TempDir(), config: filepath.Join(t.TempDir(), "config.yaml")}
	var file strings.Builder
	file.WriteString("environments:\n")
	for _, env := range []struct{ name, kind, service, identity string }{
		{"dev", "development", simulator.DemoDevServiceSID, "raw"},
		{"staging", "staging", simulator.DemoStagingServiceSID, "raw"},
		{"live", "production", simulator.DemoServiceSID, "sha256"},
	} {
		fmt.Fprintf(&file, "  %s:\n    account_sid: %s\n    service_sid: %s\n    kind: %s\n    auth_token_env: COMPANY_TOKEN\n    base_url: %s\n    identity: {from: %s}\n",
			env.name, simulator.DefaultAccountSID, env.service, env.kind, server.URL, env.identity)
	}
	if err := os.WriteFile(c.config, []byte(file.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

// run runs the program in this process.
func (c *company) run(args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	s := &shell{terminal: terminal{in: strings.NewReader(""), out: &out, err: &err, getenv: func(name string) string {
		if name == "VERIFYCTL_STATE_DIR" {
			return c.state
		}
		return ""
	}}, sleep: withoutWaiting}
	status = run(context.Background(), s, append([]string{"--config", c.config}, args...))
	return status, out.String(), err.String()
}

// enrol makes a phone for an identity.
func (c *company) enrol(service, identity string) {
	c.Helper()
	_, err := c.sim.Enroll(c.Context(), simulator.Enrolment{Service: service, Identity: identity, Platform: string(verify.PlatformFCM), Name: "Phone"})
	if err != nil {
		c.Fatal(err)
	}
}

func TestEraseEverywhere(t *testing.T) {
	c := newCompany(t)
	status, _, stderr := c.run("entities", "erase", "user:"+janeElsewhere, "--all-envs", "--dry-run")
	if status != 0 || strings.Count(stderr, "does not exist") != 3 || strings.Contains(stderr, "demo:") {
		t.Fatalf("status %d:\n%s", status, stderr)
	}
	_, after, _ := strings.Cut(stderr, "live: ")
	hashed, _, _ := strings.Cut(after, " ")
	if hashed == janeElsewhere || len(hashed) != 64 {
		t.Fatalf("live maps the user to %q", hashed)
	}
	c.enrol(simulator.DemoDevServiceSID, janeElsewhere)
	c.enrol(simulator.DemoServiceSID, hashed)
	for _, env := range []string{"dev", "live"} {
		if status, _, stderr := c.run("-e", env, "fleet", "sync", "--all"); status != 0 {
			t.Fatalf("status %d:\n%s", status, stderr)
		}
	}

	// --yes never stands in for the name of a production environment, and nothing is deleted before all is confirmed.
	status, stdout, stderr := c.run("entities", "erase", "user:"+janeElsewhere, "--all-envs", "--yes")
	if status != 6 || stdout != "" || !strings.Contains(stderr, "confirm with --confirm live") {
		t.Fatalf("status %d:\n%s%s", status, stdout, stderr)
	}
	if status, stdout, _ := c.run("-e", "dev", "entities", "show", janeElsewhere, "-q"); status != 0 || stdout == "" {
		t.Fatal("the development environment was erased although the live one was not confirmed")
	}

	status, stdout, stderr = c.run("entities", "erase", "user:"+janeElsewhere, "--all-envs", "--yes", "--confirm", "live", "-o", "csv", "--columns", "environment,identity,outcome")
	want := "environment,identity,outcome\ndev," + janeElsewhere + ",erased\nstaging," + janeElsewhere + ",not here\nlive," + hashed + ",erased\n"
	if status != 0 || stdout != want {
		t.Fatalf("status %d, stdout\n%s\nwant\n%s\n%s", status, stdout, want, stderr)
	}
	c.mustBeForgotten(janeElsewhere, hashed)
}

// mustBeForgotten looks into every file of the state directory, and at Twilio.
func (c *company) mustBeForgotten(names ...string) {
	c.Helper()
	for _, env := range []string{"dev", "staging", "live"} {
		if status, _, stderr := c.run("-e", env, "entities", "show", "user:"+janeElsewhere); status != 5 {
			c.Errorf("%s: status %d\n%s", env, status, stderr)
		}
	}
	files, err := filepath.Glob(filepath.Join(c.state, "*"))
	if err != nil || len(files) == 0 {
		c.Fatalf("the state directory is empty (%v)", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			c.Fatal(err)
		}
		for _, name := range names {
			if bytes.Contains(text, []byte(name)) {
				c.Errorf("%s still holds %s", filepath.Base(file), name)
			}
		}
	}
	if status, _, stderr := c.run("audit", "verify"); status != 0 {
		c.Errorf("the audit file does not verify: status %d\n%s", status, stderr)
	}
}

func TestEraseStopsWhenAPlaceCannotBeRead(t *testing.T) {
	c := newCompany(t)
	c.enrol(simulator.DemoDevServiceSID, janeElsewhere)
	if _, err := c.sim.AddFault(t.Context(), simulator.Fault{Kind: simulator.FaultError, Operation: "FetchEntity", Status: 404, Skip: 2, Count: 1}); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := c.run("entities", "erase", "user:"+janeElsewhere, "--all-envs", "--yes", "--confirm", "live")
	if status == 0 || stdout != "" || !strings.Contains(stderr, "could not check whether") {
		t.Errorf("status %d:\n%s%s", status, stdout, stderr)
	}
	if status, _, _ := c.run("-e", "dev", "entities", "show", janeElsewhere); status != 0 {
		t.Error("one environment was erased although another could not be read")
	}
}
