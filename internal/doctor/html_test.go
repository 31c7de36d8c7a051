package doctor

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/render"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
)

const hostile = `"><script>document.title='taken'</script><img src=http://example.com/x onerror=alert(1)>`

// hostileIncident is the report of an incident in which a friendly name is a program.
func hostileIncident(t *testing.T) []byte {
	t.Helper()
	report := incident(t)
	report.snapshots[0].APN.Value.DateUpdated = noon.Add(-10 * time.Hour)
	report.Environments[0].Name = hostile
	report.Evidence.Causes[0].Headline += hostile
	for i := range report.Results {
		r := &report.Results[i]
		r.Reason, r.Fix, r.Seen, r.Commands = r.Reason+hostile, hostile, []string{hostile}, []string{"verifyctl " + hostile}
	}
	body, err := report.HTML()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p, err := render.New(&out, render.Options{Format: render.HTML})
	if err == nil {
		err = p.WriteHTML("verifyctl doctor", body)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestHTMLShowsHostileNamesAsText(t *testing.T) {
	page := string(hostileIncident(t))
	for _, tag := range []string{"<script", "<img", "<link", " src=", " href=", "@import", "url("} {
		if strings.Contains(strings.ReplaceAll(page, "src=http://example.com", ""), tag) {
			t.Errorf("the page holds %s", tag)
		}
	}
	for _, want := range []string{"<h2>Failed</h2>", "<svg role=\"img\"", "class=\"mark\"", "&lt;script&gt;", "The dashed line is when a credential was changed"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s", want)
		}
	}
}

// TestHTMLBeginsWithWhatFailed: a share of checks that passed reads as nearly perfect while no push arrives.
func TestHTMLBeginsWithWhatFailed(t *testing.T) {
	report := incident(t)
	body, err := report.HTML()
	if err != nil {
		t.Fatal(err)
	}
	counts := fmt.Sprintf(`<p class="counts">%d failed, `, report.Summary.Fail)
	if report.Summary.Fail == 0 || !strings.Contains(string(body), counts) || strings.Contains(string(body), " %") {
		t.Errorf("no %q, or a percentage:\n%s", counts, body)
	}
}

func TestHTMLInABrowserWithTheNetworkCut(t *testing.T) {
	if testing.Short() {
		t.Skip("run without -short: it starts a browser")
	}
	t.Parallel()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here")
	}
	file := filepath.Join(t.TempDir(), "report.html")
	if err := os.WriteFile(file, hostileIncident(t), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dom, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
		"--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=10000", "--dump-dom", "file://"+file).Output()
	if err != nil {
		t.Fatalf("chromium: %v", err)
	}
	for _, want := range []string{"<title>verifyctl doctor</title>", "<h2>Failed</h2>", "</svg>"} {
		if !strings.Contains(string(dom), want) {
			t.Errorf("the page in the browser has no %s", want)
		}
	}
}
