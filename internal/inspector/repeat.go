package inspector

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// caller is how commands reach this simulator.
type caller struct {
	Base    string // as the browser reaches it
	account simulator.Account
	caFile  string // of the authority behind an https Base
}

func (p *Page) caller(r *http.Request) caller {
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return caller{scheme + r.Host, p.account, p.caFile}
}

// token is the account's auth token where everybody knows it, else the variable that holds it.
func (c caller) token() string {
	if c.account.AuthToken == simulator.DefaultAuthToken {
		return c.account.AuthToken
	}
	return "$TWILIO_AUTH_TOKEN"
}

// curl begins a curl command.
func (c caller) curl(login string) string {
	command := "curl -u " + login
	if c.caFile != "" {
		command += " --cacert " + quote(c.caFile)
	}
	return command
}

// Curl is the command that sends a request again. Secrets are left out of it.
func (c caller) Curl(r request) string {
	login := `"` + c.account.SID + ":" + c.token() + `"`
	switch r.Who() {
	case "phone":
		login = `"token:$ACCESS_TOKEN"`
	case "API key":
		login = `"` + c.account.SID + `:$TWILIO_AUTH_TOKEN"`
		if isKey().MatchString(r.User) {
			login = `"` + r.User + `:$TWILIO_API_SECRET"`
		}
	}
	parts := []string{c.curl(login)}
	if r.Method != http.MethodGet && (r.Method != http.MethodPost || len(r.Form) == 0) {
		parts[0] += " -X " + quote(r.Method)
	}
	parts[0] += " " + quote(c.Base+r.Path())
	for _, p := range r.Parameters() {
		parts = append(parts, "--data-urlencode "+quote(p.Name+"="+p.Value))
	}
	return strings.Join(parts, " \\\n  ")
}

// Challenge is the command that asks a phone something.
func (c caller) Challenge(d simulator.Device) string {
	path := "/v2/Services/" + d.Service + "/Entities/" + url.PathEscape(d.Identity) + "/Challenges"
	return c.curl(`"`+c.account.SID+":"+c.token()+`"`) + " " + quote(c.Base+path) + " \\\n  -d FactorSid=" + d.Factor + " \\\n  --data-urlencode 'Details.Message=Log in?'"
}

var isKey = verify.Lazily(`^SK[0-9a-f]{32}$`)

// Verifyctl is the command of this program that does the same as a request, "" when there is none.
func (c caller) Verifyctl(r request) string {
	words := commandOf(r)
	if words == nil {
		return ""
	}
	command := "VERIFYCTL_BASE_URL=" + quote(c.Base)
	if c.caFile != "" {
		command += " VERIFYCTL_CA_FILE=" + quote(c.caFile)
	}
	command += " TWILIO_ACCOUNT_SID=" + c.account.SID + ` TWILIO_AUTH_TOKEN="` + c.token() + `" \` + "\n  verifyctl"
	if service := r.named("Services"); service != "" {
		words = append([]string{"--service", service}, words...)
	}
	for _, word := range words {
		command += " " + quote(word)
	}
	return command
}

func commandOf(r request) []string {
	identity, factor, challenge := r.named("Entities"), r.named("Factors"), r.named("Challenges")
	switch r.Operation {
	case "ListService":
		return []string{"services", "list"}
	case "FetchService":
		return []string{"services", "show"}
	case "ListEntity":
		return []string{"entities", "list"}
	case "FetchEntity":
		return []string{"entities", "show", identity}
	case "DeleteEntity":
		return []string{"entities", "delete", identity}
	case "ListFactor":
		return []string{"factors", "list", identity}
	case "FetchFactor":
		return []string{"factors", "show", identity, factor}
	case "DeleteFactor":
		return []string{"factors", "delete", identity, factor}
	case "ListChallenge":
		return []string{"challenge", "list", identity}
	case "FetchChallenge":
		return []string{"challenge", "show", challenge, "--identity", identity}
	case "CreateChallenge":
		return []string{"challenge", "create", identity, "--factor", r.Form.Get("FactorSid"), "--message", r.Form.Get("Details.Message")}
	case "CreateNotification":
		return []string{"challenge", "resend", challenge, "--identity", identity}
	case "ListCredential":
		return []string{"credentials", "list"}
	case "FetchCredential":
		return []string{"credentials", "show", r.named("Credentials")}
	case "ListAlert":
		return []string{"debugger", "alerts"}
	case "FetchAlert":
		return []string{"debugger", "explain", r.named("Alerts")}
	}
	return nil
}

// named is the segment of the path behind the name of a collection.
func (r request) named(collection string) string {
	_, rest, _ := strings.Cut(r.URL.EscapedPath(), "/"+collection+"/")
	segment, _, _ := strings.Cut(rest, "/")
	plain, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return plain
}

var plainWord = verify.Lazily(`^[A-Za-z0-9_./:=@%+,-]+$`)

// quote writes a word for a POSIX shell.
func quote(word string) string {
	if plainWord().MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
