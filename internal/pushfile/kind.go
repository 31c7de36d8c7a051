package pushfile

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"encoding/json"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxWrappings is how many wrappings are taken off a file, one inside the other.
const maxWrappings = 6

// add takes off what other programs have put around a credential, says so, and reads what is inside.
func (l *Lint) add(file string, text []byte) error {
	before := len(l.Lines)
	content, around := unwrap(text)
	if isDER(text) && !looksLikePKCS12(text) {
		around = append(around, wrapping{Warn, "it is in binary (DER); Twilio takes PEM text"})
	}
	if err := l.addContent(file, content); err != nil {
		return err
	}
	if l.holdsCredential(file, before) {
		for _, w := range around {
			l.sayMendable(file, w.status, "text", "%s", w.says)
		}
	}
	return nil
}

// holdsCredential tells whether something was found that Extract can write: only then is its wrapping worth a word.
func (l *Lint) holdsCredential(file string, from int) bool {
	return slices.ContainsFunc(l.Lines[from:], func(line Line) bool { return line.Status == Pass || line.Status == Warn }) ||
		slices.ContainsFunc(l.keys, func(key privateKey) bool { return key.file == file })
}

// wrapping is something around a credential that the credential must not have when it is uploaded.
type wrapping struct {
	status Status
	says   string
}

// wrappers take off one wrapping each. They give false when theirs is not there.
var wrappers = []func(text []byte) ([]byte, wrapping, bool){
	fromUTF16, withoutMark, fromRTF, fromJSONText, fromAssignment, fromQuotes, fromBase64,
}

func unwrap(text []byte) (content []byte, around []wrapping) {
	content = text
next:
	for len(around) < maxWrappings {
		for _, take := range wrappers {
			if inner, w, ok := take(content); ok {
				content, around = inner, append(around, w)
				continue next
			}
		}
		break
	}
	return content, around
}

func fromUTF16(text []byte) ([]byte, wrapping, bool) {
	order, marked := orderOfUTF16(text)
	if order == nil || len(text)%2 != 0 {
		return nil, wrapping{}, false
	}
	body := text
	if marked {
		body = text[2:]
	}
	units := make([]uint16, len(body)/2)
	for i := range units {
		units[i] = order.Uint16(body[2*i:])
	}
	return []byte(string(utf16.Decode(units))), wrapping{Fail, "it is in UTF-16, as Windows programs save it: Twilio takes plain text"}, true
}

// orderOfUTF16 tells UTF-16 by its byte order mark, or by the zeros that plain letters have in every second byte.
func orderOfUTF16(text []byte) (order binary.ByteOrder, marked bool) {
	switch {
	case bytes.HasPrefix(text, []byte{0xFF, 0xFE}):
		return binary.LittleEndian, true
	case bytes.HasPrefix(text, []byte{0xFE, 0xFF}):
		return binary.BigEndian, true
	}
	var zeros [2]int
	head := text[:min(len(text), 512)]
	for i, b := range head {
		if b == 0 {
			zeros[i%2]++
		}
	}
	switch enough := len(head)/4 + 1; {
	case zeros[0] == 0 && zeros[1] >= enough:
		return binary.LittleEndian, false
	case zeros[1] == 0 && zeros[0] >= enough:
		return binary.BigEndian, false
	}
	return nil, false
}

func withoutMark(text []byte) ([]byte, wrapping, bool) {
	inner, ok := bytes.CutPrefix(text, []byte("\ufeff"))
	return inner, wrapping{Warn, "it begins with a byte order mark, which many programs trip over; it is not known whether Twilio takes it as it is"}, ok
}

// fromRTF takes the text out of rich text: control words go, and what is escaped becomes itself.
func fromRTF(text []byte) ([]byte, wrapping, bool) {
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte(`{\rtf`)) {
		return nil, wrapping{}, false
	}
	var out strings.Builder
	for rest := bytes.TrimSpace(text); len(rest) > 0; {
		if m := rtfControl().FindSubmatch(rest); m != nil {
			out.WriteString(rtfText(m))
			rest = rest[len(m[0]):]
			continue
		}
		if b := rest[0]; b != '{' && b != '}' && b != '\r' && b != '\n' {
			out.WriteByte(b)
		}
		rest = rest[1:]
	}
	inner := out.String()
	if at := strings.IndexAny(inner, "{["); at >= 0 && strings.Contains(inner, "private_key") { // font tables come first
		inner = inner[at:]
	} else if at := pemMarker().FindStringIndex(inner); at != nil {
		inner = inner[at[0]:]
	}
	return []byte(inner), wrapping{Fail, "it is rich text (RTF), as TextEdit and WordPad save it: Twilio takes plain text"}, true
}

// rtfControl matches one control word, escaped letter or byte at the start of rich text.
var rtfControl = verify.Lazily(`^\\(?:(par|line|tab)\b ?|'([0-9a-fA-F]{2})|([\\{}\r\n])|u(-?[0-9]+) ?\??|[a-zA-Z]+(?:-?[0-9]+)? ?|.)`)

func rtfText(m [][]byte) string {
	switch {
	case string(m[1]) == "tab":
		return "\t"
	case len(m[1]) > 0 || string(m[3]) == "\n" || string(m[3]) == "\r":
		return "\n"
	case len(m[2]) > 0:
		n, _ := strconv.ParseUint(string(m[2]), 16, 8) //nolint:errcheck // two hexadecimal digits
		return string(charmap.Windows1252.DecodeByte(byte(n)))
	case len(m[4]) > 0:
		n, _ := strconv.ParseInt(string(m[4]), 10, 32) //nolint:errcheck // a number, and out of range no letter
		return string(rune(uint16(n)))
	}
	return string(m[3])
}

func fromJSONText(text []byte) ([]byte, wrapping, bool) {
	trimmed := bytes.TrimSpace(text)
	var inner string
	if len(trimmed) == 0 || trimmed[0] != '"' || json.Unmarshal(trimmed, &inner) != nil {
		return nil, wrapping{}, false
	}
	return []byte(inner), wrapping{Fail, "it is a JSON string, with quotation marks around it and a backslash before each inside: Twilio takes what is in it"}, true
}

// assignment matches NAME=VALUE, also as a shell or YAML has it, where the value looks like a credential.
var assignment = verify.Lazily(`(?m)^[ \t]*(?:export[ \t]+|set[ \t]+|\$env:)?[A-Za-z_][A-Za-z0-9_.-]*[ \t]*[=:][ \t]*([{"'` + "`" + `]|-----BEGIN|[A-Za-z0-9+/_-]{64})`)

func fromAssignment(text []byte) ([]byte, wrapping, bool) {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 || strings.ContainsRune(`{["'`, rune(trimmed[0])) || pemMarkerFirst(trimmed) {
		return nil, wrapping{}, false
	}
	if value := settingIn(trimmed); len(value) > 0 {
		return value, wrapping{Fail, "it is a setting (NAME=VALUE), as in a .env file: Twilio takes the value alone"}, true
	}
	at := bytes.IndexByte(trimmed, '{')
	if at > 0 && bytes.Contains(trimmed[at:], []byte("private_key")) {
		return trimmed[at:], wrapping{Fail, "there is text before the JSON: Twilio takes the JSON alone"}, true
	}
	return nil, wrapping{}, false
}

// These bound how many settings are looked at, and how many bytes of each: a search for the end of each would else take
// for ever in a file made for that. A service account has some 3 KiB.
const (
	maxSettings = 100
	maxSetting  = 64 << 10
)

// settingIn gives what the settings in a text hold for push: a service account, or a certificate and its key.
func settingIn(text []byte) []byte {
	var found [][]byte
	rest := text
	for range maxSettings {
		m := assignment().FindSubmatchIndex(rest)
		if m == nil {
			break
		}
		rest = rest[m[2]:]
		value := settingValue(rest[:min(len(rest), maxSetting)])
		_, afterLine, _ := bytes.Cut(rest, []byte("\n"))
		if len(value) < minBase64 {
			rest = afterLine
			continue
		}
		inner, _, isBase64 := fromBase64(value)
		switch {
		case bytes.Contains(value, []byte("private_key")) || bytes.Contains(value, []byte(`"project_info"`)):
			return value
		case isBase64 && isText(inner) && len(found) > 0:
			found = append(found, inner)
		case isBase64 || pemMarker().Match(value):
			found = append(found, value)
		}
		rest = afterLine
	}
	if len(found) > 1 {
		if first, _, ok := fromBase64(found[0]); ok && isText(first) {
			found[0] = first
		}
	}
	return bytes.Join(found, []byte("\n"))
}

// settingValue gives the value at the start of a text, without the quotation marks around it.
func settingValue(text []byte) []byte {
	switch first := text[0]; {
	case strings.IndexByte("\"'`", first) >= 0:
		return unquote(text, first)
	case first == '{' || first == '[':
		return oneValue(text)
	case first == '-':
		return text
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return line
}

// oneValue gives the JSON value at the start of a text, or all of it where there is none.
func oneValue(text []byte) []byte {
	var value json.RawMessage
	d := json.NewDecoder(bytes.NewReader(text))
	if d.Decode(&value) != nil {
		return text
	}
	return value
}

// unquote gives what is between a quotation mark and the next one at the end of a line; in double ones what is escaped
// becomes itself.
func unquote(value []byte, quote byte) []byte {
	end := regexp.MustCompile("(?m)" + regexp.QuoteMeta(string(quote)) + `[ \t\r;]*$`).FindIndex(value[1:])
	if end == nil {
		return value
	}
	var inner string
	if quote == '"' && json.Unmarshal(value[:end[0]+2], &inner) == nil {
		return []byte(inner)
	}
	return value[1 : end[0]+1]
}

func pemMarkerFirst(text []byte) bool {
	at := pemMarker().FindIndex(text)
	return at != nil && at[0] == 0
}

// fromQuotes takes off a pair of quotation marks, as a shell has them.
func fromQuotes(text []byte) ([]byte, wrapping, bool) {
	trimmed := bytes.TrimSpace(text)
	if n := len(trimmed); n > 2 && strings.IndexByte("\"'`", trimmed[0]) >= 0 && trimmed[n-1] == trimmed[0] {
		return trimmed[1 : n-1], wrapping{Fail, "there are quotation marks around it: Twilio takes what is between them"}, true
	}
	return nil, wrapping{}, false
}

// minBase64 is the fewest letters that are tried as base64: no credential is shorter, and a word is no base64.
const minBase64 = 64

var dataURL = verify.Lazily(`^data:[^,]{0,100};base64,`)

// fromBase64 decodes text that is nothing but base64 of something that can be read here.
func fromBase64(text []byte) ([]byte, wrapping, bool) {
	trimmed := bytes.TrimSpace(text)
	trimmed = trimmed[len(dataURL().Find(trimmed)):]
	if len(trimmed) < minBase64 || bytes.ContainsAny(trimmed[:1], "{[<-") || bytes.ContainsRune(trimmed, '\x00') {
		return nil, wrapping{}, false
	}
	decoded := looseBase64(string(trimmed))
	switch {
	case len(decoded) == 0:
		return nil, wrapping{}, false
	case looksLikePKCS12(decoded):
		return decoded, wrapping{Fail, "it is a PKCS #12 file in base64"}, true
	case isDER(decoded):
		return decoded, wrapping{Fail, "its BEGIN and END lines are missing: Twilio answers 20001, could not parse it"}, true
	case isText(decoded):
		return decoded, wrapping{Fail, "it is in base64: Twilio takes what is in it"}, true
	}
	return nil, wrapping{}, false
}

// isText tells text that may hold a credential from the noise that words give when they are taken for base64.
func isText(decoded []byte) bool {
	if order, _ := orderOfUTF16(decoded); order != nil {
		return true
	}
	return utf8.Valid(decoded) && !bytes.ContainsFunc(decoded, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
}

// isDER tells bytes that are exactly one ASN.1 sequence.
func isDER(text []byte) bool {
	var whole asn1.RawValue
	rest, err := asn1.Unmarshal(text, &whole)
	return err == nil && len(rest) == 0 && whole.Class == asn1.ClassUniversal && whole.Tag == asn1.TagSequence
}

// plainKinds are the texts that are taken for a credential, by how they look.
var plainKinds = []struct {
	pattern         func() *regexp.Regexp
	what, fix, says string
}{
	{verify.Lazily(`^AAAA[0-9A-Za-z_-]{7}:[0-9A-Za-z_-]{100,}$`), "server key", makeAccount, "it is a legacy FCM server key, which Google shut down in June 2024 (52117)"},
	{verify.Lazily(`^AIza[0-9A-Za-z_-]{35}$`), "API key", makeAccount, "it is an API key of Google's: a web API key, or an old server key, which Google shut down in June 2024 (52117)"},
	{verify.Lazily(`^B[0-9A-Za-z_-]{86}$`), "web push key", makeAccount, "it is the public key of a web push certificate (VAPID)"},
	{verify.Lazily(`^(?s).*\bapiKey\b.*\bauthDomain\b`), "app configuration", makeAccount, "it is the configuration of a Firebase web app; the credential takes a service account key"},
	{verify.Lazily(`^(?:ssh-|ecdsa-)[a-z0-9-]+ AAAA`), "public key", "take the push certificate and its key", "it is a public key for SSH"},
	{verify.Lazily(`(?i)^<(?:!doctype html|html)`), "file", "log in, and download it again", "it is a web page, such as that of a log-in, and not what was to be downloaded"},
	{verify.Lazily(`^v\^1\.1#|^[0-9A-F]{10}$`), "file", "take the push certificate and its key", "it is an identifier, and holds no key"},
}

func (l *Lint) addContent(file string, text []byte) error {
	trimmed := bytes.TrimSpace(text)
	switch {
	case len(trimmed) == 0:
		l.say(file, Fail, "file", "take the file again from where it comes from", "it is empty")
	case bytes.HasPrefix(text, []byte("bplist00")) || bytes.HasPrefix(trimmed, []byte("<?xml")) || bytes.HasPrefix(trimmed, []byte("<plist")):
		l.addPlist(file, trimmed)
	case isZip(text) || isMachO(text):
		l.say(file, Fail, "archive", "give the certificate, key or service account itself; an app goes to "+l.options.Config.Command("doctor", "--ios-app", file), "it is an archive or an app, not a credential")
	case trimmed[0] == '{' || trimmed[0] == '[':
		l.addJSON(file, trimmed)
	case looksLikePKCS12(text):
		return l.addPKCS12(file, text)
	case isDER(text):
		l.addDER(file, text)
	case pemMarker().Match(text):
		return l.addPEM(file, text)
	default:
		l.addOther(file, trimmed)
	}
	return nil
}

func (l *Lint) addOther(file string, trimmed []byte) {
	for _, kind := range plainKinds {
		if kind.pattern().Match(trimmed) {
			l.say(file, Fail, kind.what, kind.fix, "%s", kind.says)
			return
		}
	}
	if der := looseBase64(string(trimmed)); len(der) > minBase64 && der[0] == 0x30 {
		l.say(file, Fail, "file", wholeAgain, "it is base64 of a certificate or a key that is cut off or damaged")
		return
	}
	if ext := strings.ToLower(filepath.Ext(file)); ext == ".p12" || ext == ".pfx" {
		l.say(file, Fail, "PKCS #12", wholeAgain, "it is not a PKCS #12 file, or a damaged one")
		return
	}
	l.say(file, Fail, "file", giveCredential, "it is neither a certificate, a private key, a service account nor a server key")
}

// addPlist says which of Apple's and Google's property lists it is: none is a credential.
func (l *Lint) addPlist(file string, text []byte) {
	var found struct {
		Sender       string `plist:"GCM_SENDER_ID"`
		App          string `plist:"GOOGLE_APP_ID"`
		Client       string `plist:"CLIENT_ID"`
		Entitlements *struct{}
	}
	switch err := readPlist(text, &found); {
	case err == nil && (found.Sender != "" || found.App != "" || found.Client != ""):
		l.say(file, Fail, "app configuration", makeAccount, "it is GoogleService-Info.plist, which belongs in the iOS app; the credential takes a service account key")
	case err == nil && found.Entitlements != nil:
		l.sayProfile(file)
	default:
		l.say(file, Fail, "file", giveCredential, "it is a property list, which no push credential is")
	}
}

func (l *Lint) sayProfile(file string) {
	l.say(file, Fail, "provisioning profile", "give the push certificate and its key; "+l.options.Config.Command("doctor", "--ios-app", file)+" reads the profile",
		"it is a provisioning profile, which an app is signed with")
}

func (l *Lint) addDER(file string, der []byte) {
	if certificate, err := x509.ParseCertificate(der); err == nil {
		l.addCertificate(file, certificate)
		return
	}
	if _, err := x509.ParseCertificateRequest(der); err == nil {
		l.sayRequest(file)
		return
	}
	if _, err := parsePrivateKey(der); err == nil {
		l.addKey(file, "", der)
		return
	}
	if _, err := x509.ParsePKIXPublicKey(der); err == nil {
		l.say(file, Fail, "public key", "take the private key", "it is a public key")
		return
	}
	if bytes.Contains(der, []byte("<plist")) {
		l.sayProfile(file)
		return
	}
	l.say(file, Fail, "file", giveCredential, "it is binary (ASN.1), and neither a certificate, a private key nor a PKCS #12 file")
}
