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
	return twilioHosts{proxy: "http://" + listener.Addr().String(), caFile: authority.File}
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

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
