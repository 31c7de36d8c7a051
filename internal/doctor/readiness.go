package doctor

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// question is one question of Twilio's page "Verify Push and Silent Device Approval Best Practices for Production use".
type question struct {
	ID      string // also the name of its attestation
	Topic   string
	Text    string
	Checks  []string // that answer it together
	Attest  string   // what somebody has to attest besides, "" when the checks tell all
	Command string   // that deals with it, without the name of the program
	Why     string   // what the command does about it, for the page
}

// Questions gives the questions in the order of the page. The first one's implementation tips stand apart.
func Questions() []question {
	return []question{
		{"CONV-1", "Conversion rate", "What are methods to ensure that the device receives the challenge?", []string{"HOOK-02"},
			"the app polls for pending challenges whenever it is opened", "challenge list IDENTITY --status pending", "shows what the app sees when it polls"},
		{"CONV-1.1", "Conversion rate", "Tip: receive push notifications in the background too", []string{"SVC-01"},
			"the app handles notifications in the background", "simulator pushes", "shows the keys that a push carries"},
		{"CONV-1.2", "Conversion rate", "Tip: store challenge_sid and factor_sid of a push", nil,
			"a closed app stores both SIDs and polls with them when it is opened", "simulator pushes", "shows where both stand in a push"},
		{"CONV-1.3", "Conversion rate", "Tip: let the user ask for another push", []string{"CHL-04"},
			"the login page offers to send the push again", "challenge resend YC… --identity IDENTITY", "sends the push of the same challenge again, at most three times"},
		{"CONV-1.4", "Conversion rate", "Tip: nudge the user to enable visible notifications", []string{"FAC-03"},
			"the app asks for permission after enrolment", "fleet stats", "shows how many devices have a push token"},
		{"CONV-1.5", "Conversion rate", "Tip: have the app confirm a push, and resend without one", nil,
			"the app tells the backend that a push arrived", "challenge watch YC… --identity IDENTITY", "follows a challenge, and resends as often as asked"},
		{"CONV-1.6", "Conversion rate", "Tip: subscribe to debugger webhooks", []string{"EVT-01", "EVT-02", "EVT-03"},
			"", "debugger listen", "captures the debugger's events, so that none is lost"},
		{"CONV-2", "Conversion rate", "In which countries does it work?", []string{"FAC-03"},
			"users without Google's services know that they have to open the app", "factors list --platform none", "lists devices that get no push"},
		{"SEC-1", "Security", "Does a reinstalled app become registered again?", []string{"FAC-07", "FAC-08"},
			"the app enrols again after a reinstall", "fleet duplicates", "finds devices that were enrolled twice"},
		{"SEC-2", "Security", "How do I support multiple devices per user?", []string{"FAC-01", "FAC-11"},
			"", "factors list IDENTITY", "lists every device of a user"},
		{"SEC-3", "Security", "Can the user approve a push without being logged into the app?", nil,
			"you have decided whether the app asks for a login before it approves", "challenge list IDENTITY --status approved", "shows what was approved; whether the app asked for a login first, no API tells"},
		{"APP-1", "Client app", "How do I know if the user uninstalls my app?", []string{"FAC-07", "FAC-08"},
			"", "factors prune --dry-run", "shows which factors are dead, from evidence, and deletes nothing"},
		{"APP-2", "Client app", "How do I handle different dev environments?",
			[]string{"INT-01", "SVC-04", "PUSH-APN-00", "PUSH-APN-01", "PUSH-APN-02", "PUSH-APN-03", "PUSH-APN-06", "PUSH-APN-11", "PUSH-FCM-00", "PUSH-FCM-01", "PUSH-FCM-06"},
			"", "doctor --only 'PUSH-*,SVC-*,INT-*'", "checks that every environment has its own Service and the right credential"},
		{"APP-3", "Client app", "How do I support user language preferences?", nil,
			"messages and details are sent in the user's language", "challenge templates lint FILE", "checks a file with the texts of challenges in each language"},
		{"APP-4", "Client app", "How do I handle users who disable push notifications for my app?", []string{"FAC-03"},
			"the app polls, and gets its token without permission for visible notifications", "why IDENTITY", "says what is known of a push that nobody saw"},
		{"APP-5", "Client app", "How do I get the push token?", []string{"FAC-03", "FAC-06"},
			"the app sends a changed token to all its factors", "fleet stale", "lists devices whose token was not refreshed for long"},
		{"APP-6", "Client app", "How do I de-duplicate challenges that are approving the same action?", []string{"CHL-04", "CHL-05"},
			"", "challenge create IDENTITY --message TEXT --action-id ID", "creates one challenge for an action, however often it is asked"},
		{"PERF-1", "Performance", "What is the expected latency for API responses?", []string{"NET-01", "NET-02"},
			"", "latency", "measures Twilio's share apart from the network's"},
		{"PM-1", "Project management", "How much work is it to implement Verify Push?", nil,
			"the plan has time for production grade, testing included", "doctor", "says what is not in order yet"},
		{"TEST-1", "Testing", "Testing your backend", nil,
			"the backend's tests run against a mock of the Verify API", "simulator serve", "is such a mock, with state"},
		{"TEST-2", "Testing", "Testing your apps", nil,
			"the apps' tests use a NetworkProvider that points at a mock", "simulator serve", "answers the mobile SDKs too"},
		{"ISS-1", "Common issues", "Pushes not arriving?", []string{"PUSH-APN-08", "PUSH-APN-09", "PUSH-APN-10", "PUSH-FCM-03", "PUSH-FCM-04"},
			"", "why YC… --identity IDENTITY", "joins a challenge with its factor, its alerts and its credential"},
		{"ISS-2", "Common issues", "Getting an Invalid APNs device token (52134) for iOS?", []string{"PUSH-APN-01", "PUSH-APN-02", "PUSH-APN-09"},
			"", "doctor --only 'PUSH-APN-*'", "compares the credential's sandbox with the app's signing"},
		{"ISS-3", "Common issues", "How do I get notified when a challenge was received by my app?", nil,
			"the app tells the backend; no API does", "challenge watch YC… --identity IDENTITY", "receives such confirmations"},
		{"ISS-4", "Common issues", "Using test credentials?", []string{"AUTH-01", "AUTH-02"},
			"", "doctor --only 'AUTH-*'", "distinguishes a test credential from a wrong one"},
		{"ISS-5", "Common issues", "Getting fewer factors than expected for a user from the SDK?", nil,
			"the app's developers know that each phone shows its own factors only", "factors list IDENTITY", "lists the factors of all devices"},
		{"ISS-6", "Common issues", "Factor deletion or TwilioVerify initialization throwing an error?", nil,
			"the app handles keychain errors", "debugger explain -- -25300", "explains the SDK's and the keychain's errors"},
	}
}

// ReadinessLine is the answer to one question in one environment.
type ReadinessLine struct {
	Environment string   `json:"environment"`
	Question    string   `json:"question"`
	Topic       string   `json:"topic"`
	Text        string   `json:"text"`
	Answer      string   `json:"answer"` // pass, warn, fail, unknown, or "attested by NAME until DATE"
	Status      Status   `json:"status"`
	Why         []string `json:"why"`               // the checks that did not pass, and what waits for somebody's word
	Declare     []string `json:"declare,omitempty"` // the keys of the environment file whose absence leaves checks unknown
	Command     string   `json:"command"`

	file verify.ConfigFile
}

// Readiness answers every question for every environment that was examined. A question is answered by its checks; what
// they cannot tell waits for an attestation of the question's id. An answer is never worse than the worst check behind it.
func (r Report) Readiness() []ReadinessLine {
	var lines []ReadinessLine
	for _, snap := range r.snapshots {
		for _, q := range Questions() {
			lines = append(lines, r.answer(snap, q))
		}
	}
	return lines
}

func (r Report) answer(snap *snapshot, q question) ReadinessLine {
	line := ReadinessLine{Environment: snap.Env.Name, Question: q.ID, Topic: q.Topic, Text: q.Text, Status: Pass, Why: []string{},
		Command: plain(snap.Env.Command() + " " + q.Command), file: snap.Env.Config}
	attested := answer{}
	if q.Attest != "" {
		attested = attestedQuestion(snap, q)
		if attested.Status != Pass {
			line.Status = Unknown
			line.Why = append(line.Why, attested.Reason)
		}
	}
	for _, id := range q.Checks {
		result, ok := r.resultOf(snap, id)
		status, why := result.Status, id+": "+result.Reason
		switch {
		case !ok:
			status, why = Unknown, id+" was not made"
		case status == Skipped && result.leftOut:
			status = Unknown
		case result.By != "":
			attested = result.answer
		}
		if rank[status] > 0 {
			line.Status = worse(line.Status, status)
			line.Why = append(line.Why, why)
			if result.Undeclared != "" {
				line.Declare = including(line.Declare, result.Undeclared)
			}
		}
	}
	line.Answer = string(line.Status)
	if line.Status == Pass && attested.By != "" {
		line.Answer = fmt.Sprintf("attested by %s until %s", attested.By, attested.Until)
	}
	return line
}

func attestedQuestion(snap *snapshot, q question) answer {
	a := byAttestation(snap, q.ID, "whether "+q.Attest).cleaned()
	if _, ok := snap.Env.Attestations[q.ID]; !ok {
		a.Reason = "to attest: " + q.Attest
	}
	return a
}

// worse gives fail over unknown over warn over pass.
func worse(a, b Status) Status {
	if rank[a] > rank[b] {
		return a
	}
	return b
}

// resultOf gives the result of a check for a snapshot, or for its account.
func (r Report) resultOf(snap *snapshot, id string) (Result, bool) {
	i := slices.IndexFunc(r.Results, func(result Result) bool {
		return result.Check == id && (!result.perAccount && result.Environment == snap.Env.Name || result.perAccount && result.AccountSID == snap.Env.AccountSID)
	})
	if i < 0 {
		return Result{}, false
	}
	return r.Results[i], true
}

// WriteReadiness writes the answers for people: the counts, what fails or warns with its reasons, and what is unknown, put
// together by what would settle it. All gives every question with its reasons instead.
func WriteReadiness(w io.Writer, lines []ReadinessLine, all bool, paint Painter) error {
	var b strings.Builder
	for len(lines) > 0 {
		n := slices.IndexFunc(lines, func(l ReadinessLine) bool { return l.Environment != lines[0].Environment })
		if n < 0 {
			n = len(lines)
		}
		writeEnvironmentReadiness(&b, lines[:n], all, paint)
		lines = lines[n:]
	}
	b.WriteString("docs/best-practices.md explains each question.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func writeEnvironmentReadiness(b *strings.Builder, lines []ReadinessLine, all bool, paint Painter) {
	counts := map[Status]int{}
	for _, line := range lines {
		counts[line.Status]++
	}
	fmt.Fprintf(b, "%s: %d failed, %s, %d unknown, %d of %d passed or attested\n", cmp.Or(plain(lines[0].Environment), "the account of the TWILIO_* variables"),
		counts[Fail], verify.Count(counts[Warn], "warning"), counts[Unknown], counts[Pass], len(lines))
	topic := ""
	for _, line := range lines {
		if !all && line.Status != Fail && line.Status != Warn {
			continue
		}
		if all && line.Topic != topic {
			topic = line.Topic
			fmt.Fprintf(b, "  %s\n", topic)
		}
		writeReadinessLine(b, line, paint)
	}
	if !all && counts[Unknown] > 0 {
		writeSettledBy(b, lines)
	}
	b.WriteString("\n")
}

func writeReadinessLine(b *strings.Builder, line ReadinessLine, paint Painter) {
	word := strings.ToUpper(string(line.Status))
	if line.Status == Pass {
		word = line.Answer
	}
	fmt.Fprintf(b, "  %s %-8s  %s\n", paint(line.Status, fmt.Sprintf("%-7s", word)), line.Question, line.Text)
	for _, why := range line.Why {
		fmt.Fprintf(b, "          %s\n", why)
	}
	if line.Status != Pass {
		fmt.Fprintf(b, "          $ %s\n", line.Command)
	}
}

// writeSettledBy lists the unknown ones by what would settle them. One that needs several things stands with each.
func writeSettledBy(b *strings.Builder, lines []ReadinessLine) {
	const sample, latency, attest = "--sample N looks at the factors and challenges of N users", "--latency measures the latency",
		"an attestation in the environment file"
	settles := map[string][]string{}
	for _, line := range lines {
		if line.Status != Unknown {
			continue
		}
		for _, key := range line.Declare {
			by := plain(line.file.Command("env", "set", cmp.Or(line.Environment, "NAME"), key)) + "=…"
			settles[by] = including(settles[by], line.Question)
		}
		for _, why := range line.Why {
			by := "what doctor found"
			switch {
			case strings.HasSuffix(why, notDeclared):
				continue // told by its key
			case strings.Contains(why, "--sample"):
				by = sample
			case strings.Contains(why, "--latency"):
				by = latency
			case strings.HasPrefix(why, "to attest:"), strings.Contains(why, "no API shows"):
				by = attest
			}
			settles[by] = including(settles[by], line.Question)
		}
	}
	b.WriteString("  Unknown, and what would resolve it (--all shows more):\n")
	for _, by := range slices.Sorted(maps.Keys(settles)) {
		fmt.Fprintf(b, "    %s: %s\n", by, strings.Join(settles[by], ", "))
	}
}
