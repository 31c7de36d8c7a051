package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestAlertsAndDashboardNameWhatWeExpose: every metric of docs/observability, and every label that is asked of it, is one that
// doctor or the listener exposes.
func TestAlertsAndDashboardNameWhatWeExpose(t *testing.T) {
	exposed := map[string][]string{"up": {"job", "instance"}} // which Prometheus makes itself
	for _, text := range []string{doctorMetrics(t), listenerMetrics(t)} {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "#") {
				continue
			}
			sample := metricSample.FindStringSubmatch(line)
			if sample == nil {
				t.Fatalf("not a sample: %q", line)
			}
			labels := []string{"instance", "job"}
			for _, label := range labelName.FindAllStringSubmatch(sample[2], -1) {
				labels = append(labels, label[1])
			}
			exposed[sample[1]] = labels
		}
	}
	used := map[string]bool{}
	expressions := append(alertExpressions(t), dashboardExpressions(t)...)
	if len(expressions) < 30 {
		t.Fatalf("only %d expressions", len(expressions))
	}
	for _, expr := range expressions {
		for _, name := range checkExpression(t, expr, exposed) {
			used[name] = true
		}
	}
	for name := range exposed {
		if !used[name] {
			t.Errorf("neither an alert nor the dashboard looks at %s", name)
		}
	}
}

var (
	metricSample = regexp.MustCompile(`^([a-z_]+)(?:\{(.*)\})? [0-9.e+-]+\n$`)
	labelName    = regexp.MustCompile(`(\w+)(?:=~|=|!=|!~)"[^"]*"`)
)

// promQL are the words of PromQL that the expressions use.
var promQL = strings.Fields("absent and by increase label_values max min_over_time offset or rate sum time unless")

var (
	quoted     = regexp.MustCompile(`"[^"]*"`)
	selector   = regexp.MustCompile(`\b([a-z_]+)(\{[^}]*\})?`)
	ranges     = regexp.MustCompile(`\[(\d+[smhd]|\$__rate_interval)\]|\boffset \d+[smhd]\b`)
	grouping   = regexp.MustCompile(`\bby ?\(([a-z_, ]*)\)`)
	labelQuery = regexp.MustCompile(`^label_values\((\w+), (\w+)\)$`)
)

// checkExpression holds an expression against what is exposed, and gives the metrics it names. It is not a parser of PromQL:
// promtool is, by hand.
func checkExpression(t *testing.T, expr string, exposed map[string][]string) (metrics []string) {
	t.Helper()
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(expr, pair[:1]) != strings.Count(expr, pair[1:]) {
			t.Errorf("%s: %s do not pair", expr, pair)
		}
	}
	var asked []string
	rest := expr
	if query := labelQuery.FindStringSubmatch(expr); query != nil {
		asked, rest = append(asked, query[2]), query[1]
	}
	for _, group := range grouping.FindAllStringSubmatch(rest, -1) {
		asked = append(asked, strings.FieldsFunc(group[1], func(r rune) bool { return r == ' ' || r == ',' })...)
	}
	rest = grouping.ReplaceAllString(rest, "")
	rest = ranges.ReplaceAllString(rest, "")
	for _, found := range selector.FindAllStringSubmatch(rest, -1) {
		name, matchers := found[1], found[2]
		labels, known := exposed[name]
		if slices.Contains(promQL, name) && matchers == "" {
			continue
		}
		if strings.Contains(quoted.ReplaceAllString(rest, `""`), name) && !known {
			t.Errorf("%s: nothing exposes %s", expr, name)
			continue
		}
		if !known {
			continue // inside a quoted value
		}
		metrics = append(metrics, name)
		for _, label := range slices.Concat(asked, matchedLabels(matchers)) {
			if !slices.Contains(labels, label) {
				t.Errorf("%s: %s has no label %s, only %v", expr, name, label, labels)
			}
		}
	}
	if len(metrics) == 0 {
		t.Errorf("%s: no metric", expr)
	}
	return metrics
}

func matchedLabels(matchers string) (names []string) {
	for _, label := range labelName.FindAllStringSubmatch(matchers, -1) {
		names = append(names, label[1])
	}
	return names
}

func alertExpressions(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/observability/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" || rule.Labels["severity"] == "" || rule.Annotations["summary"] == "" || rule.Annotations["description"] == "" {
				t.Errorf("the alert %q says too little", rule.Alert)
			}
			all = append(all, strings.TrimSpace(rule.Expr))
		}
	}
	return all
}

func dashboardExpressions(t *testing.T) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/observability/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Templating struct {
			List []struct{ Query json.RawMessage }
		}
		Panels []struct {
			ID      int
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, panel := range board.Panels {
		if seen[panel.ID] {
			t.Errorf("two panels have the id %d", panel.ID)
		}
		seen[panel.ID] = true
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, variable := range board.Templating.List {
		var query struct{ Query string }
		if json.Unmarshal(variable.Query, &query) == nil {
			all = append(all, query.Query)
		}
	}
	return all
}

// doctorMetrics gives what "doctor -o prometheus" writes where everything is known.
func doctorMetrics(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(newWorld(t))
	t.Cleanup(server.Close)
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("OBSERVED_TOKEN", simulator.DefaultAuthToken)
	file := filepath.Join(t.TempDir(), "verifyctl.yaml")
	text := fmt.Sprintf("environments:\n  live:\n    account_sid: %s\n    auth_token_env: OBSERVED_TOKEN\n    service_sid: %s\n    kind: staging\n    ios_build: distribution\n    base_url: %s\n"+
		"    credential_notes: {apn: {expires: 2027-01-31, recorded: 2026-11-02}}\n", simulator.DefaultAccountSID, simulator.DemoServiceSID, server.URL)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs := newLines(), newLines()
	if status := runShell(t.Context(), t.TempDir(), out, errs, "--config", file, "doctor", "-o", "prometheus"); status > 1 {
		t.Fatalf("status %d: %s", status, errs)
	}
	return out.String()
}

// listenerMetrics gives what a listener shows at /metrics that has taken a push error and met a shared key that nobody declared.
func listenerMetrics(t *testing.T) string {
	t.Helper()
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	out, errs := newLines(), newLines()
	ended, state := make(chan int, 1), t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer func() {
		stop()
		<-ended
	}()
	go func() {
		ended <- runShell(ctx, state, out, errs, "-e", "demo", "debugger", "listen", "--addr", "127.0.0.1:0", "--path", "/in", "--public-url", "https://ops.bank.example/in", "--no-backfill")
	}()
	base := errs.wait(t, `listening on (http://\S+)/in for`)
	form := url.Values{"Sid": {"NO000000000000000000000000000000aa"}, "AccountSid": {simulator.DefaultAccountSID}, "Level": {"ERROR"}, "Timestamp": {"2026-11-02T08:59:00Z"},
		"Payload": {`{"error_code":"52103","more_info":{"bindingType":"fcm","correlationIds":"[` + simulator.DemoServiceSID + `, user-1001-amara, YF000000000000000000000000000000aa]"}}`}}
	if status := postSigned(t, base+"/in", "https://ops.bank.example/in", simulator.DefaultAuthToken, form); status != http.StatusOK {
		t.Fatalf("a delivery is answered with %d", status)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/in", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("X-Twilio-Signature", "c2lnbmF0dXJl")
	request.Header.Set("X-Twilio-Webhooks-Signature-Settings", "key=other_team,algorithm=HMAC_SHA256")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	page, err := http.Get(base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
