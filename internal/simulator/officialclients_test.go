package simulator_test

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// clientTime bounds one run of a client that was not written here; it takes a few seconds.
const clientTime = 2 * time.Minute

// twilioHosts is a demo world behind a proxy that stands for the Twilio hosts, as "simulator serve --connect-proxy" is,
// for clients that cannot be told another host.
type twilioHosts struct {
	sim    *simulator.Simulator
	proxy  string // http://127.0.0.1:PORT
	caFile string
}

func serveTwilioHosts(t *testing.T) twilioHosts {
	t.Helper()
	sim, err := simulator.Open(t.Context(), simulator.Options{Seed: simulator.SeedDemo})
	if err != nil {
		t.Fatal(err)
	}
	authority, err := simulator.OpenAuthority(t.TempDir(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	config, err := authority.TLS(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := sim.NewConnectProxy(config)
	served := make(chan error, 1)
	go func() { served <- proxy.Serve(listener) }()
	t.Cleanup(func() {
		if err := errors.Join(proxy.Close(), <-served, sim.Close()); err != nil {
			t.Errorf("the proxy ended with %v", err)
		}
	})
	return twilioHosts{sim: sim, proxy: "http://" + listener.Addr().String(), caFile: authority.File}
}

// run runs a client with nothing in its environment but a home of its own, the account, the proxy and the authority, by
// all the names that clients know them by. It gives what the client printed.
func (h twilioHosts) run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	out, err := h.try(t, env, program, args...)
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", filepath.Base(program), args, err, out)
	}
	return out
}

func (h twilioHosts) try(t *testing.T, env []string, program string, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clientTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = t.TempDir()
	cmd.WaitDelay = time.Second
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "HTTP_PROXY=" + h.proxy, "HTTPS_PROXY=" + h.proxy, "https_proxy=" + h.proxy,
		"NODE_EXTRA_CA_CERTS=" + h.caFile, "REQUESTS_CA_BUNDLE=" + h.caFile, "CURL_CA_BUNDLE=" + h.caFile,
		"TWILIO_ACCOUNT_SID=" + simulator.DefaultAccountSID, "TWILIO_AUTH_TOKEN=" + simulator.DefaultAuthToken,
	}, env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// nodeModules finds the folders with a package: those that VERIFYCTL_NODE_MODULES lists, else the global one.
func nodeModules(t *testing.T, wanted string) []string {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("skipped: node is not here")
	}
	folders := filepath.SplitList(os.Getenv("VERIFYCTL_NODE_MODULES"))
	if len(folders) == 0 {
		if global, err := exec.Command("npm", "root", "-g").Output(); err == nil {
			folders = []string{strings.TrimSpace(string(global))}
		}
	}
	var found []string
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(folder, wanted, "package.json")); err == nil {
			found = append(found, folder)
		}
	}
	if len(found) == 0 {
		t.Skipf("skipped: the npm package %s is not here; npm install it and name its node_modules folder in VERIFYCTL_NODE_MODULES", wanted)
	}
	return found
}

// scriptFile gives the absolute path of a script in testdata.
func scriptFile(t *testing.T, path ...string) string {
	t.Helper()
	file, err := filepath.Abs(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestTwilioNode lets Twilio's Node helper library do the whole work of a backend, and of a phone.
func TestTwilioNode(t *testing.T) {
	for _, folder := range nodeModules(t, "twilio") {
		t.Run(filepath.Base(filepath.Dir(folder)), func(t *testing.T) {
			t.Parallel()
			out := serveTwilioHosts(t).run(t, []string{"NODE_PATH=" + folder}, "node", scriptFile(t, "node", "backend.js"))
			if !strings.Contains(out, "all as with Twilio") {
				t.Errorf("the script ended early:\n%s", out)
			}
			t.Log(lastLine(out))
		})
	}
}

// TestTwilioNodeMeetsFaults: the library reads refusals, waits after a 429 and tells a reset, as it does with Twilio.
func TestTwilioNodeMeetsFaults(t *testing.T) {
	for _, folder := range nodeModules(t, "twilio") {
		t.Run(filepath.Base(filepath.Dir(folder)), func(t *testing.T) {
			t.Parallel()
			hosts := serveTwilioHosts(t)
			for _, fault := range []simulator.Fault{
				{Kind: simulator.FaultRateLimit, Operation: "ListFactor", RetryAfter: 1, Count: 1},
				{Kind: simulator.FaultRateLimit, Operation: "ListChallenge", Count: 2},
				{Kind: simulator.FaultError, Operation: "FetchEntity", Status: 503, Count: 1},
				{Kind: simulator.FaultResetBefore, Operation: "DeleteEntity", Count: 1},
			} {
				if _, err := hosts.sim.AddFault(t.Context(), fault); err != nil {
					t.Fatal(err)
				}
			}
			env := []string{"NODE_PATH=" + folder, "SERVICE=" + simulator.DemoServiceSID, "IDENTITY=" + simulator.DemoIdentity}
			if out := hosts.run(t, env, "node", scriptFile(t, "node", "faults.js")); !strings.Contains(out, "all as with Twilio") {
				t.Errorf("the script ended early:\n%s", out)
			}
			faults, err := hosts.sim.Faults(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range faults {
				if fault.Fired != fault.Count {
					t.Errorf("%s hit %d requests to %s, want %d", fault.Kind, fault.Fired, fault.Operation, fault.Count)
				}
			}
		})
	}
}

// pythonWithTwilio finds a Python that has Twilio's helper library: the one that VERIFYCTL_PYTHON names, else a usual one.
func pythonWithTwilio(t *testing.T) string {
	t.Helper()
	candidates := []string{"python3", "/usr/bin/python3"}
	if named := os.Getenv("VERIFYCTL_PYTHON"); named != "" {
		candidates = []string{named}
	}
	for _, python := range candidates {
		if exec.Command(python, "-c", "import twilio.rest").Run() == nil {
			return python
		}
	}
	t.Skip("skipped: no python3 with Twilio's helper library is here; install it, such as Debian's python3-twilio, or name one in VERIFYCTL_PYTHON")
	return ""
}

// TestTwilioPython lets Twilio's Python helper library do the work of a backend; openssl is the phone's key store.
func TestTwilioPython(t *testing.T) {
	python := pythonWithTwilio(t)
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("skipped: openssl is not here")
	}
	out := serveTwilioHosts(t).run(t, nil, python, scriptFile(t, "python", "backend.py"))
	if !strings.Contains(out, "all as with Twilio") {
		t.Errorf("the script ended early:\n%s", out)
	}
	t.Log(lastLine(out))
}

// TestTwilioCLI reads and writes with Twilio's own command line, and follows the debugger.
func TestTwilioCLI(t *testing.T) {
	folder := nodeModules(t, "twilio-cli")[0]
	hosts := serveTwilioHosts(t)
	home := "HOME=" + t.TempDir() // kept from call to call, as its user's
	command := filepath.Join(folder, "twilio-cli", "bin", "run")
	twilio := func(args ...string) string {
		t.Helper()
		return hosts.run(t, []string{home, "NO_COLOR=1"}, "node", append([]string{command}, args...)...)
	}
	onService := func(verb string, args ...string) []string {
		return append([]string{"api:verify:v2:services:" + verb, "--service-sid", simulator.DemoServiceSID}, args...)
	}
	for _, tc := range []struct {
		args []string
		want []string
	}{
		{[]string{"api:verify:v2:services:list"}, []string{simulator.DemoServiceSID, simulator.DemoDevServiceSID, simulator.DemoStagingServiceSID}},
		{[]string{"api:verify:v2:services:fetch", "--sid", simulator.DemoServiceSID, "-o", "json"}, []string{simulator.DemoAPNCredentialSID}},
		{onService("entities:list", "--page-size", "2"), []string{"user-1001-amara", "user-1013-mateo"}},
		{onService("entities:factors:list", "--identity", simulator.DemoIdentity), []string{simulator.DemoDeadFactorSID, simulator.DemoTabletFactorSID}},
		{onService("entities:challenges:create", "--identity", simulator.DemoIdentity, "--factor-sid", simulator.DemoTabletFactorSID,
			"--details.message", "Sign in?", "-o", "json"), []string{`"status": "pending"`}},
		{onService("entities:challenges:list", "--identity", simulator.DemoIdentity, "--status", "approved", "--order", "desc", "--properties", "sid"),
			[]string{simulator.DemoApprovedChallengeSID}},
		{onService("entities:challenges:notifications:create", "--identity", simulator.DemoIdentity, "--challenge-sid", simulator.DemoPendingChallengeSID,
			"--ttl", "60", "-o", "json"), []string{`"priority": "high"`}},
		{onService("access-tokens:create", "--identity", simulator.DemoIdentity, "--factor-type", "push", "-o", "json"), []string{`"token": "eyJ`}},
		{[]string{"api:notify:v1:credentials:list"}, []string{simulator.DemoAPNCredentialSID, simulator.DemoSpareCredentialSID}},
		{[]string{"api:monitor:v1:alerts:list", "--log-level", "error", "--properties", "errorCode"}, []string{"52134", "52103"}},
		{[]string{"api:core:accounts:list"}, []string{simulator.DefaultAccountSID}},
	} {
		out := twilio(tc.args...)
		for _, want := range tc.want {
			if !strings.Contains(out, want) {
				t.Errorf("twilio %s does not show %s:\n%s", strings.Join(tc.args, " "), want, out)
			}
		}
	}
	if out, err := hosts.try(t, []string{home}, "node", command, "api:verify:v2:services:fetch", "--sid", "VA"+strings.Repeat("0", 32)); err == nil || !strings.Contains(out, "Error code 20404 from Twilio") {
		t.Errorf("a Service that does not exist: %v\n%s", err, out)
	}
}

// TestCurl asks the Twilio hosts as every runbook does.
func TestCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("skipped: curl is not here")
	}
	hosts := serveTwilioHosts(t)
	credentials := simulator.DefaultAccountSID + ":" + simulator.DefaultAuthToken
	out := hosts.run(t, nil, "curl", "-sS", "-u", credentials, "https://verify.twilio.com/v2/Services?PageSize=1")
	if !strings.Contains(out, `"next_page_url":"https://verify.twilio.com/v2/Services?PageSize=1&Page=1&PageToken=`) {
		t.Errorf("curl got %s", out)
	}
	for _, elsewhere := range []string{"https://www.example.com", "http://verify.twilio.com/v2/Services", "https://verify.twilio.com:8443"} {
		if out, err := hosts.try(t, []string{"http_proxy=" + hosts.proxy}, "curl", "-sSf", elsewhere); err == nil || !strings.Contains(out, "403") {
			t.Errorf("%s was not refused: %v %s", elsewhere, err, out)
		}
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
