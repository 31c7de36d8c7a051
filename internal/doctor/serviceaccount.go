package doctor

import (
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"net/mail"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// serviceAccount is the JSON of a Google service account key, which an FCM v1 credential holds whole.
type serviceAccount struct {
	Type        string          `json:"type"`
	ProjectID   string          `json:"project_id"`
	ClientEmail string          `json:"client_email"`
	PrivateKey  string          `json:"private_key"`
	ProjectInfo json.RawMessage `json:"project_info"` // google-services.json has one
	Web         json.RawMessage `json:"web"`          // an OAuth client has one of these
	Installed   json.RawMessage `json:"installed"`
}

func (a serviceAccount) lint(l *Lint, file string) {
	const what, again = "service account", "download a new key: Firebase, Project settings > Service accounts"
	switch {
	case a.ProjectInfo != nil:
		l.say(file, Fail, "app configuration", again, "it is google-services.json, which belongs into the app; the credential takes a service account key")
		return
	case a.Web != nil || a.Installed != nil:
		l.say(file, Fail, "OAuth client", again, "it is an OAuth client; the credential takes a service account key")
		return
	case a.Type != "service_account":
		l.say(file, Fail, "file", again, "it is JSON, but no service account: its type is %q", a.Type)
		return
	}
	l.Platform = verify.PlatformFCM
	if a.ProjectID == "" {
		l.say(file, Fail, what, again, "project_id is missing")
	} else {
		l.say(file, Pass, what, "", "Firebase project %q", a.ProjectID)
	}
	address, err := mail.ParseAddress(a.ClientEmail)
	switch {
	case err != nil:
		l.say(file, Fail, what, again, "client_email %q is no address", a.ClientEmail)
	case a.ProjectID != "" && !strings.HasSuffix(address.Address, "@"+a.ProjectID+".iam.gserviceaccount.com"):
		l.say(file, Warn, what, "make sure that it may send messages in that project (cloudmessaging.messages.create, else 52115)",
			"client %q is of another project", a.ClientEmail)
	default:
		l.say(file, Pass, what, "", "client %q", a.ClientEmail)
	}
	a.lintKey(l, file, again)
}

func (a serviceAccount) lintKey(l *Lint, file, again string) {
	block, _ := pem.Decode([]byte(a.PrivateKey))
	if block == nil {
		l.say(file, Fail, "private key", again, "private_key is missing or no PEM text; line breaks may have been lost in copying")
		return
	}
	key, err := parsePrivateKey(block.Bytes)
	if err != nil {
		l.say(file, Fail, "private key", again, "private_key cannot be read: %v", err)
		return
	}
	if _, ok := key.Public().(*rsa.PublicKey); !ok {
		l.say(file, Fail, "private key", again, "private_key is no RSA key")
		return
	}
	l.say(file, Pass, "private key", "", "it parses; whether Google still accepts it, only Google knows")
}
