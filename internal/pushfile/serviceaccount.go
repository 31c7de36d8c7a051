package pushfile

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// makeAccount is how one gets a service account key; it is no answer to a key whose text only needs mending.
const makeAccount = "take a service account key: Firebase, Project settings > Service accounts > Generate new private key"

const giveCredential = "give the push certificate and its key, or the service account's JSON"

// wholeAgain is for a text that was cut or changed on its way here.
const wholeAgain = "copy the file again from where it was first saved, whole and unchanged"

// addJSON reads a service account, or says what else it is.
func (l *Lint) addJSON(file string, text []byte) {
	value, trouble, err := looseJSON(text)
	if err != nil {
		l.say(file, Fail, "file", wholeAgain, "it is broken JSON: %v", err)
		return
	}
	object, around := findAccount(value)
	if object == nil {
		l.sayWhichJSON(file, value)
		return
	}
	for _, trouble := range slices.DeleteFunc([]string{trouble, around}, func(s string) bool { return s == "" }) {
		l.sayMendable(file, Fail, "text", "%s: Twilio takes the service account's JSON alone, as Google gave it", trouble)
	}
	l.addAccount(file, object)
}

// looseJSON reads JSON that has been through other hands, and says what was wrong with it.
func looseJSON(text []byte) (value any, trouble string, err error) {
	mends := []struct {
		trouble string
		mend    func([]byte) []byte
	}{
		{"", func(text []byte) []byte { return text }},
		{"there are line breaks inside its values, where JSON has \\n", escapeBreaks},
		{"a word processor has changed its quotation marks", straightQuotes},
		{"it has a comma too many", func(text []byte) []byte { return lastComma().ReplaceAll(text, []byte("$1")) }},
		{"it is written as Python prints it", pythonQuotes},
	}
	var first error
	for _, m := range mends {
		text = m.mend(text)
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		err := d.Decode(&value)
		if rest := bytes.TrimSpace(text[min(int(d.InputOffset()), len(text)):]); err == nil && len(rest) > 0 {
			if m.trouble == "" && len(bytes.Trim(rest, " \t\r\n;,'\"`")) > 0 {
				return nil, "", errors.New("there is more text behind it")
			}
			return value, "there is text around it", nil
		}
		if err == nil {
			return value, m.trouble, nil
		}
		if first == nil {
			first = err
		}
	}
	if errors.Is(first, io.ErrUnexpectedEOF) {
		first = errors.New("it is cut off")
	}
	return nil, "", first
}

// escapeBreaks writes the control characters inside JSON strings as JSON has them.
func escapeBreaks(text []byte) []byte {
	var out bytes.Buffer
	inside, escaped := false, false
	for _, b := range text {
		switch {
		case inside && b == '\n':
			out.WriteString(`\n`)
		case inside && b == '\t':
			out.WriteString(`\t`)
		case inside && b == '\r':
		default:
			out.WriteByte(b)
		}
		if b == '"' && !escaped {
			inside = !inside
		}
		escaped = b == '\\' && !escaped
	}
	return out.Bytes()
}

var lastComma = verify.Lazily(`,\s*([}\]])`)

// pythonQuotes turns the quotation marks of Python's dictionaries into those of JSON. What then is JSON was meant so: a
// service account has no apostrophes.
func pythonQuotes(text []byte) []byte {
	if bytes.Contains(text, []byte(`"`)) {
		return text
	}
	return bytes.ReplaceAll(text, []byte("'"), []byte(`"`))
}

func straightQuotes(text []byte) []byte {
	return []byte(strings.NewReplacer("“", `"`, "”", `"`, "„", `"`, "‟", `"`, "\u00a0", " ").Replace(string(text)))
}

// findAccount gives the service account in a JSON value, and what is around it. It is looked for one level down: people
// hand in lists, and what a store of secrets keeps.
func findAccount(value any) (account map[string]any, around string) {
	isAccount := func(v any) bool {
		object, ok := v.(map[string]any)
		_, hasKey := object["private_key"]
		return ok && (object["type"] == "service_account" || hasKey)
	}
	if isAccount(value) {
		return value.(map[string]any), ""
	}
	var inside []any
	switch value := value.(type) {
	case []any:
		inside, around = value, "it is a list (in brackets)"
	case map[string]any:
		around = "it is inside another object"
		for _, v := range value {
			inside = append(inside, v)
		}
	}
	var found []map[string]any
	for _, v := range inside {
		if text, ok := v.(string); ok && strings.HasPrefix(strings.TrimSpace(text), "{") {
			v, _, _ = looseJSON([]byte(text)) //nolint:errcheck // what is not JSON is no account
		}
		if isAccount(v) {
			found = append(found, v.(map[string]any))
		}
	}
	if len(found) != 1 {
		return nil, ""
	}
	return found[0], around
}

// otherJSON are the JSON files that are taken for a service account, by a key that they have.
var otherJSON = []struct{ key, what, says string }{
	{"project_info", "app configuration", "it is google-services.json, which belongs in the Android app"},
	{"installed", "OAuth client", "it is an OAuth client"},
	{"web", "OAuth client", "it is an OAuth client"},
	{"authDomain", "app configuration", "it is the configuration of a Firebase web app"},
	{"firestore", "app configuration", "it is firebase.json, the configuration of Firebase's own tools"},
	{"hosting", "app configuration", "it is firebase.json, the configuration of Firebase's own tools"},
}

// otherTypes are Google's credentials of other types.
var otherTypes = map[string]string{
	"authorized_user":              "it is the log-in of a person (gcloud auth application-default login)",
	"external_account":             "it is a workload identity, which holds no key",
	"impersonated_service_account": "it only names a service account, and holds no key",
}

// sayWhichJSON says what JSON is that holds no service account.
func (l *Lint) sayWhichJSON(file string, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		l.say(file, Fail, "file", makeAccount, "it is JSON, but not one service account")
		return
	}
	for _, other := range otherJSON {
		if _, ok := object[other.key]; ok {
			l.say(file, Fail, other.what, makeAccount, "%s; the credential takes a service account key", other.says)
			return
		}
	}
	kind, _ := object["type"].(string)
	if says := otherTypes[kind]; says != "" {
		l.say(file, Fail, "credential", makeAccount, "%s; the credential takes a service account key", says)
		return
	}
	l.say(file, Fail, "file", makeAccount, "it is JSON, but no service account: its type is %q", kind)
}

func (l *Lint) addAccount(file string, account map[string]any) {
	const what = "service account"
	l.Platform = verify.PlatformFCM
	text := func(name string) string { s, _ := account[name].(string); return s }
	if kind := text("type"); kind != "service_account" {
		l.say(file, Fail, what, makeAccount, "its type is %q, not \"service_account\"", kind)
	}
	project, client := text("project_id"), text("client_email")
	l.File.Project, l.File.KeyID = project, text("private_key_id")
	if project == "" {
		l.say(file, Fail, what, wholeAgain, "project_id is missing")
	} else {
		l.say(file, Pass, what, "", "Firebase project %q", project)
	}
	address, err := mail.ParseAddress(client)
	switch {
	case err != nil:
		l.say(file, Fail, what, wholeAgain, "client_email %q is no address", client)
	case project != "" && !strings.HasSuffix(address.Address, "@"+project+".iam.gserviceaccount.com"):
		l.say(file, Warn, what, "make sure that it may send messages in that project (cloudmessaging.messages.create, else 52115)",
			"client %q is of another project", client)
	default:
		l.say(file, Pass, what, "", "client %q", client)
	}
	if key, ok := l.accountKey(file, text("private_key")); ok {
		account["private_key"] = string(key)
		if mended := keyJSON(account); !slices.ContainsFunc(l.accounts, func(have []byte) bool { return bytes.Equal(have, mended) }) {
			l.accounts = append(l.accounts, mended)
		}
	}
}

// accountKey judges the private key of a service account, and gives it as Google writes it.
func (l *Lint) accountKey(file, text string) (mended []byte, ok bool) {
	const what = "private key"
	if strings.TrimSpace(text) == "" {
		l.say(file, Fail, what, makeAccount, "private_key is missing")
		return nil, false
	}
	der, trouble := keyText(text)
	signer, err := parsePrivateKey(der)
	if err != nil {
		l.say(file, Fail, what, wholeAgain, "private_key cannot be read: it is no PEM text, or cut off, or damaged; line breaks may have been lost in copying")
		return nil, false
	}
	key, isRSA := signer.(*rsa.PrivateKey)
	if !isRSA {
		l.say(file, Fail, what, makeAccount, "private_key is no RSA key, but %s", describeKey(signer.Public()))
		return nil, false
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		l.say(file, Fail, what, wholeAgain, "private_key cannot be read: it is damaged")
		return nil, false
	}
	if trouble != "" {
		l.sayMendable(file, Fail, what, "private_key: %s", trouble)
	} else {
		l.say(file, Pass, what, "", "it parses; whether Google still accepts it, only Google knows")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), true
}

// keyText gives the key in a PEM text that may have lost its line breaks, and what is wrong with the text.
func keyText(text string) (der []byte, trouble string) {
	blocks, _ := readPEM([]byte(text))
	switch {
	case len(blocks) == 0:
		return looseBase64(text), "its BEGIN and END lines are missing"
	case len(blocks) > 1:
		return nil, fmt.Sprintf("it has %d parts", len(blocks))
	case strings.Contains(blocks[0].trouble, "one line"):
		return blocks[0].der, "its line breaks were lost in copying"
	case strings.Contains(blocks[0].trouble, `\n`):
		return blocks[0].der, `its line breaks are escaped twice (\\n where \n belongs)`
	}
	return blocks[0].der, blocks[0].trouble
}

// keyJSON writes JSON as people read it, without escaping what HTML would need.
func keyJSON(v any) []byte {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil { // it was just decoded
		return nil
	}
	return []byte(out.String())
}
