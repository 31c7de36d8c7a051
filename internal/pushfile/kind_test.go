package pushfile

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"howett.net/plist"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func pushCertificateText(t testing.TB) []byte {
	t.Helper()
	return pemText("CERTIFICATE", makeCertificate(t, certificateOptions{name: "Apple Push Services: com.bank.example", uid: "com.bank.example",
		extensions: []pkix.Extension{flag(oidSandbox), flag(oidProduction)}}))
}

func replace(text []byte, pairs ...string) []byte {
	return []byte(strings.NewReplacer(pairs...).Replace(string(text)))
}

func inUTF16(text []byte, order binary.AppendByteOrder, mark bool) []byte {
	var out []byte
	if mark {
		out = order.AppendUint16(out, 0xFEFF)
	}
	for _, unit := range utf16.Encode([]rune(string(text))) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

func jsonText(v any) []byte {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return out
}

func inRTF(text []byte) []byte {
	body := replace(text, `\`, `\\`, "{", `\{`, "}", `\}`, "\n", "\\\n")
	return fmt.Appendf(nil, "{\\rtf1\\ansi\\ansicpg1252\\cocoartf2761\n{\\fonttbl\\f0\\fswiss\\fcharset0 Helvetica;}\n{\\colortbl;\\red255\\green255\\blue255;}\n\\pard\\tx560\\pardirnatural\\f0\\fs24 \\cf0 %s}", body)
}

// textForms are what happens to any text on its way, whatever it holds.
var textForms = map[string]func([]byte) []byte{
	"byte order mark":           func(b []byte) []byte { return append([]byte("\ufeff"), b...) },
	"byte order mark and CRLF":  func(b []byte) []byte { return append([]byte("\ufeff"), replace(b, "\n", "\r\n")...) },
	"UTF-16, little":            func(b []byte) []byte { return inUTF16(b, binary.LittleEndian, true) },
	"UTF-16, big":               func(b []byte) []byte { return inUTF16(b, binary.BigEndian, true) },
	"UTF-16 without a mark":     func(b []byte) []byte { return inUTF16(b, binary.LittleEndian, false) },
	"base64":                    func(b []byte) []byte { return []byte(base64.StdEncoding.EncodeToString(b)) },
	"base64 in lines":           func(b []byte) []byte { return pemBody(b) },
	"base64 for URLs":           func(b []byte) []byte { return []byte(base64.RawURLEncoding.EncodeToString(b)) },
	"base64 twice":              func(b []byte) []byte { return pemBody(pemBody(b)) },
	"data URL":                  func(b []byte) []byte { return append([]byte("data:application/octet-stream;base64,"), pemBody(b)...) },
	"JSON string":               func(b []byte) []byte { return jsonText(string(b)) },
	"rich text":                 inRTF,
	"setting, in quotes":        func(b []byte) []byte { return fmt.Appendf(nil, "PORT=80\nCREDENTIAL='%s'\nDEBUG=1\n", b) },
	"setting, in double quotes": func(b []byte) []byte { return fmt.Appendf(nil, "export CREDENTIAL=%s\n", jsonText(string(b))) },
	"setting in base64": func(b []byte) []byte {
		return fmt.Appendf(nil, "CREDENTIAL=%s\nB=1\n", base64.StdEncoding.EncodeToString(b))
	},
	"setting in YAML": func(b []byte) []byte { return fmt.Appendf(nil, "credential: %s\n", jsonText(string(b))) },
	"quotes":          func(b []byte) []byte { return fmt.Appendf(nil, "'%s'\n", bytes.TrimSpace(b)) },
}

func pemBody(b []byte) []byte {
	text := pem.EncodeToMemory(&pem.Block{Type: "X", Bytes: b})
	return bytes.TrimSuffix(bytes.TrimPrefix(text, []byte("-----BEGIN X-----\n")), []byte("-----END X-----\n"))
}

// pemForms are what happens to PEM text.
var pemForms = map[string]func([]byte) []byte{
	"one line":            func(b []byte) []byte { return replace(b, "\n", " ") },
	"one line, no spaces": func(b []byte) []byte { return replace(b, "\n", "") },
	`\n in letters`:       func(b []byte) []byte { return replace(b, "\n", `\n`) },
	`\r\n in letters`:     func(b []byte) []byte { return replace(b, "\n", `\r\n`) },
	`\\n in letters`:      func(b []byte) []byte { return replace(b, "\n", `\\n`) },
	"old Mac":             func(b []byte) []byte { return replace(b, "\n", "\r") },
	"indented":            func(b []byte) []byte { return replace(b, "-----BEGIN", "    -----BEGIN", "\n", "\n    ") },
	"indented in YAML": func(b []byte) []byte {
		return append([]byte("cert: |\n"), replace(b, "-----BEGIN", "  -----BEGIN", "\n", "\n  ")...)
	},
	"quoted mail":           func(b []byte) []byte { return replace(b, "-----BEGIN", "> -----BEGIN", "\n", "\n> ") },
	"no BEGIN and END":      func(b []byte) []byte { block, _ := pem.Decode(b); return pemBody(block.Bytes) },
	"no END":                func(b []byte) []byte { return b[:bytes.Index(b, []byte("-----END"))] },
	"dashes of a processor": func(b []byte) []byte { return replace(b, "-----", "—–") },
	"dashes in rich text":   func(b []byte) []byte { return replace(inRTF(b), "-----", `\'97\u8211?`) },
	"small letters":         func(b []byte) []byte { return replace(b, "-----BEGIN", "-----Begin", "-----END", "-----End") },
	"blank lines":           func(b []byte) []byte { return replace(b, "\n", "\n\n") },
	"wide spaces":           func(b []byte) []byte { return replace(b, "\n", "\u00a0\n\u200b") },
	"a name before it":      func(b []byte) []byte { return append([]byte("Bag Attributes\n    friendlyName: Bank\n"), b...) },
	"a name behind it":      func(b []byte) []byte { return append(b, "\nsent from my phone\n"...) },
	"binary":                func(b []byte) []byte { block, _ := pem.Decode(b); return block.Bytes },
	"labelled otherwise": func(b []byte) []byte {
		if bytes.Contains(b, []byte("CERTIFICATE")) {
			return replace(b, "\n", " ")
		}
		return replace(b, "BEGIN RSA", "BEGIN", "END RSA", "END", "BEGIN PRIV", "BEGIN RSA PRIV", "END PRIV", "END RSA PRIV")
	},
	"binary in base64": func(b []byte) []byte {
		block, _ := pem.Decode(b)
		return []byte(base64.StdEncoding.EncodeToString(block.Bytes))
	},
}

// accountForms are what happens to a service account.
var accountForms = map[string]func([]byte) []byte{
	"escaped twice":          func(b []byte) []byte { return replace(b, `\n`, `\\n`) },
	"escaped three times":    func(b []byte) []byte { return replace(b, `\n`, `\\\\n`) },
	"line breaks in a value": func(b []byte) []byte { return replace(b, `\n`, "\n") },
	"CRLF in a value":        func(b []byte) []byte { return replace(b, `\n`, "\r\n") },
	"no line breaks":         func(b []byte) []byte { return replace(b, `\n`, " ") },
	"a list":                 func(b []byte) []byte { return fmt.Appendf(nil, "[%s]", b) },
	"in an object":           func(b []byte) []byte { return fmt.Appendf(nil, `{"firebase": %s, "x": 1}`, b) },
	"a string in an object":  func(b []byte) []byte { return jsonText(map[string]any{"SecretString": string(b), "VersionId": "x"}) },
	"curly quotes": func(b []byte) []byte {
		return replace(b, `{"`, `{“`, `":"`, `”:“`, `","`, `”,“`, `"}`, `”}`)
	},
	"a comma too many":       func(b []byte) []byte { return replace(b, "}", ",}") },
	"as Python prints it":    func(b []byte) []byte { return replace(b, `"`, "'") },
	"text before it":         func(b []byte) []byte { return append([]byte("Here is the key you asked for:\n\n"), b...) },
	"text behind it":         func(b []byte) []byte { return append(b, ";\n"...) },
	"JavaScript":             func(b []byte) []byte { return fmt.Appendf(nil, "const serviceAccount = %s;\n", b) },
	"setting without quotes": func(b []byte) []byte { return fmt.Appendf(nil, "CREDENTIAL=%s\nPORT=80\n", b) },
	"key without its markers": func(b []byte) []byte {
		return replace(b, `-----BEGIN PRIVATE KEY-----\n`, "", `\n-----END PRIVATE KEY-----\n`, "")
	},
}

// mendedFile reads text as a file, and gives what Extract writes of it.
func mendedFile(t *testing.T, name string, text []byte, want string) (*Lint, []byte) {
	t.Helper()
	file := write(t, filepath.Join(t.TempDir(), name), text)
	lint, err := LintFiles([]string{file}, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	before := lint.Lines
	worst, said := Pass, ""
	for _, line := range before {
		if line.Status == Fail || line.Status == Warn && worst == Pass {
			worst = line.Status
		}
		said += fmt.Sprintln(line.Status, line.What, line.Reason, "|", line.Fix)
		if (line.Fix == "") != (line.Status == Pass) {
			t.Errorf("%+v: everything that did not pass has a fix, and nothing else", line)
		}
		if strings.Contains(line.Fix, "Generate new") || strings.Contains(line.Fix, "copy") || strings.Contains(line.Fix, "openssl") {
			t.Errorf("text that only needs mending is answered with %q", line.Fix)
		}
	}
	if worst == Pass {
		t.Errorf("nothing is said of it:\n%s", said)
	}
	if !strings.Contains(said, "--extract") {
		t.Errorf("--extract is not offered:\n%s", said)
	}
	dir := filepath.Join(t.TempDir(), "out")
	written, err := lint.Extract(dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := lint.Outcome(); err != nil {
		t.Errorf("after mending: %v: %+v", err, lint.Lines)
	}
	if len(written) != 1 || filepath.Base(written[0]) != want {
		t.Fatalf("wrote %v, want %s", written, want)
	}
	out, err := os.ReadFile(written[0])
	if err != nil {
		t.Fatal(err)
	}
	return lint, out
}

func TestTextThatOnlyNeedsMending(t *testing.T) {
	certificate, key := pushCertificateText(t), pkcs1Text()
	account := serviceAccountText(t, nil)
	_, wantAccount := mendedFile(t, "x.json", append([]byte("\ufeff"), account...), accountFile)
	check := func(kind, form, name string, text []byte, file string, want []byte) {
		t.Run(kind+"/"+form, func(t *testing.T) {
			if _, got := mendedFile(t, name, text, file); !bytes.Equal(got, want) {
				t.Errorf("mended to\n%s\nwant\n%s", got, want)
			}
		})
	}
	for form, change := range textForms {
		check("certificate", form, "a.pem", change(certificate), certificateFile, certificate)
		check("key", form, "a.key", change(key), keyFile, key)
		check("service account", form, "sa.json", change(account), accountFile, wantAccount)
	}
	for form, change := range pemForms {
		check("certificate", form, "a.pem", change(certificate), certificateFile, certificate)
		check("key", form, "a.key", change(key), keyFile, key)
		check("PKCS #8 key", form, "a.key", change(pkcs8Text(t, certificateKey())), keyFile, key)
	}
	for form, change := range accountForms {
		check("service account", form, "sa.json", change(account), accountFile, wantAccount)
		for outer, wrap := range textForms {
			if outer == "quotes" || outer == "setting, in quotes" || strings.HasPrefix(form, "text") || form == "JavaScript" || strings.HasPrefix(form, "setting") {
				continue // a quotation mark would stand inside others
			}
			check("service account", form+" in "+outer, "sa.json", wrap(change(account)), accountFile, wantAccount)
		}
	}
}

// TestSettingsAmongOthers finds a certificate and its key among settings that only look like one.
func TestSettingsAmongOthers(t *testing.T) {
	certificate, key := pushCertificateText(t), pkcs1Text()
	noise := "TOKEN=" + strings.Repeat("abc0", 20) + "\nDATABASE_URL=\"postgres://" + strings.Repeat("x", 80) + "\"\n"
	for name, text := range map[string]string{
		"quoted":         noise + "CERT=" + string(jsonText(string(certificate))) + "\nKEY=" + string(jsonText(string(key))) + "\nA=1\n",
		"quoted, whole":  noise + "CERT='" + string(certificate) + "'\nKEY='" + string(key) + "'\n",
		"base64":         noise + "CERT=" + base64.StdEncoding.EncodeToString(certificate) + "\nKEY=" + base64.StdEncoding.EncodeToString(key) + "\n",
		"a secret's":     "apiVersion: v1\ndata:\n  tls.crt: " + base64.StdEncoding.EncodeToString(certificate) + "\n  tls.key: " + base64.StdEncoding.EncodeToString(key) + "\nkind: Secret\n",
		"only the first": noise + "CERT=" + base64.StdEncoding.EncodeToString(slices.Concat(certificate, key)) + "\n",
	} {
		file := write(t, filepath.Join(t.TempDir(), ".env"), []byte(text))
		lint, err := LintFiles([]string{file}, Options{Now: noon})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if written, err := lint.Extract(dir); err != nil || len(written) != 2 {
			t.Errorf("%s: wrote %v, %v\n%s", name, written, err, saidOf(lint))
			continue
		}
		for file, want := range map[string][]byte{certificateFile: certificate, keyFile: key} {
			if got, err := os.ReadFile(filepath.Join(dir, file)); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %s is %s, %v", name, file, got, err)
			}
		}
	}
}

// TestWhatIsNoCredential names what people take for one, each with one fix.
func TestWhatIsNoCredential(t *testing.T) {
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "Bank"}}, certificateKey())
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(certificateKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	google, err := plist.Marshal(map[string]any{"API_KEY": "AIza", "GCM_SENDER_ID": "1", "GOOGLE_APP_ID": "1:1:ios:1"}, plist.BinaryFormat)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file string
		text []byte
		says string
	}{
		"GoogleService-Info.plist":            {"GoogleService-Info.plist", []byte(`<?xml version="1.0"?><plist><dict><key>GCM_SENDER_ID</key><string>1</string></dict></plist>`), "GoogleService-Info.plist"},
		"GoogleService-Info.plist, binary":    {"GoogleService-Info.plist", google, "GoogleService-Info.plist"},
		"google-services.json":                {"google-services.json", []byte(`{"project_info":{}}`), "Android app"},
		"google-services.json in UTF-16":      {"x.json", inUTF16([]byte(`{"project_info":{}}`), binary.LittleEndian, true), "Android app"},
		"OAuth client":                        {"client_secret.json", []byte(`{"web":{"client_id":"x"}}`), "OAuth client"},
		"log-in of a person":                  {"adc.json", []byte(`{"type":"authorized_user","client_id":"x","refresh_token":"y"}`), "log-in of a person"},
		"workload identity":                   {"wif.json", []byte(`{"type":"external_account"}`), "workload identity"},
		"several accounts":                    {"all.json", fmt.Appendf(nil, "[%s,%s]", serviceAccountText(t, nil), serviceAccountText(t, nil)), "not one service account"},
		"configuration of a web app":          {"config.js", []byte("const firebaseConfig = {\n  apiKey: \"AIza\",\n  authDomain: \"bank.firebaseapp.com\",\n};"), "web app"},
		"web API key":                         {"key.txt", []byte("AIza" + strings.Repeat("x", 35)), "API key"},
		"web push key":                        {"key.txt", []byte("B" + strings.Repeat("x", 86)), "VAPID"},
		"request":                             {"a.certSigningRequest", pemText("CERTIFICATE REQUEST", request), "CSR"},
		"request, binary":                     {"a.csr", request, "CSR"},
		"request without its lines":           {"a.csr", pemBody(request), "CSR"},
		"public key":                          {"a.pem", pemText("RSA PUBLIC KEY", []byte{1}), "public key"},
		"public key, binary":                  {"a.der", public, "public key"},
		"key for SSH":                         {"id_rsa", pemText("OPENSSH PRIVATE KEY", []byte{1}), "SSH"},
		"a bundle of authorities":             {"ca.pem", bytes.Repeat(pemText("CERTIFICATE", []byte{1}), 200), "200 certificates"},
		"settings without an end":             {".env", bytes.Repeat([]byte("A=\"x\n"), 200_000), "neither"},
		"public key for SSH":                  {"id_rsa.pub", []byte("ssh-rsa AAAAB3NzaC1yc2E= me"), "SSH"},
		"PKCS #7":                             {"a.p7b", pemText("PKCS7", []byte{1}), "PKCS #7"},
		"provisioning profile":                {"a.mobileprovision", []byte(`<?xml version="1.0"?><plist><dict><key>Entitlements</key><dict/></dict></plist>`), "provisioning profile"},
		"app":                                 {"Bank.ipa", zipped(t, "Payload/", map[string][]byte{"x": nil}), "an archive or an app"},
		"web page":                            {"a.pem", []byte("<!DOCTYPE html><html>Log in</html>"), "web page"},
		"certificate cut off":                 {"a.pem", pushCertificateText(t)[:600], "cut off"},
		"certificate's text cut off":          {"a.pem", bytes.Split(pushCertificateText(t), []byte("\n"))[1], "neither"},
		"half of a certificate":               {"a.pem", pemBody(makeCertificate(t, certificateOptions{name: "x"})[:500]), "cut off"},
		"service account cut off":             {"sa.json", serviceAccountText(t, nil)[:400], "cut off"},
		"key of a service account, cut off":   {"sa.json", serviceAccountText(t, func(a map[string]any) { a["private_key"] = a["private_key"].(string)[:500] }), "cut off"},
		"PKCS #12 that is not":                {"a.p12", []byte("hello"), "not a PKCS #12 file"},
		"authority":                           {"AppleWWDRCA.pem", pemText("CERTIFICATE", makeCertificate(t, certificateOptions{name: "Apple Worldwide Developer Relations", authority: true})), "authority"},
		"certificate for signing apps":        {"a.pem", pemText("CERTIFICATE", makeCertificate(t, certificateOptions{name: "Apple Distribution: Bank"})), "signs apps"},
		"provider token key of another name":  {"key.pem", pkcs8Text(t, ecKey(t)), ".p8"},
		"provider token key without its line": {"key.txt", pemBody(pkcs8DER(t)), ".p8"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), c.file), c.text)
			lint, err := LintFiles([]string{file}, Options{Now: noon})
			if err != nil {
				t.Fatal(err)
			}
			if lint.Outcome() == nil {
				t.Errorf("it is taken for a credential: %+v", lint.Lines)
			}
			said := ""
			for _, line := range lint.Lines {
				said += fmt.Sprintln(line.Status, line.What, line.Reason, "|", line.Fix)
				if (line.Fix == "") != (line.Status == Pass) {
					t.Errorf("%+v: everything that did not pass has a fix, and nothing else", line)
				}
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("it does not say %q:\n%s", c.says, said)
			}
			if written, err := lint.Extract(filepath.Join(t.TempDir(), "out")); err == nil && !strings.Contains(name, "signing") {
				t.Errorf("wrote %v", written)
			}
		})
	}
}

func pkcs8DER(t testing.TB) []byte {
	block, _ := pem.Decode(pkcs8Text(t, ecKey(t)))
	return block.Bytes
}

func TestExtractWritesNothingThatIsAGuess(t *testing.T) {
	certificate, key := pushCertificateText(t), pkcs1Text()
	renewed := pemText("CERTIFICATE", makeCertificate(t, certificateOptions{name: "Apple Push Services: com.bank.example", uid: "com.bank.example",
		from: noon, till: noon.AddDate(1, 0, 0), extensions: []pkix.Extension{flag(oidProduction)}}))
	other := pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(accountRSA()))
	for name, files := range map[string][][]byte{
		"key of another":   {certificate, other},
		"two keys":         {certificate, key, other},
		"two accounts":     {serviceAccountText(t, nil), serviceAccountText(t, func(a map[string]any) { a["project_id"] = "bank-test" })},
		"two certificates": {certificate, renewed},
		"a key of two":     {certificate, renewed, key},
	} {
		var paths []string
		for i, text := range files {
			paths = append(paths, write(t, filepath.Join(t.TempDir(), fmt.Sprint(i)), text))
		}
		lint, err := LintFiles(paths, Options{Now: noon})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if written, err := lint.Extract(dir); verify.KindOf(err) != verify.KindRefused {
			t.Errorf("%s: wrote %v, %v", name, written, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: the folder was made", name)
		}
	}
}

func TestExtractNeverWritesOverAFileOrThroughALink(t *testing.T) {
	certificate := write(t, filepath.Join(t.TempDir(), "a.pem"), pushCertificateText(t))
	key := write(t, filepath.Join(t.TempDir(), "b.key"), pkcs1Text())
	lint, err := LintFiles([]string{certificate, key}, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	victim := write(t, filepath.Join(t.TempDir(), "victim"), []byte("mine"))
	link := func(target, name string) string {
		if err := os.Symlink(target, name); err != nil {
			t.Fatal(err)
		}
		return name
	}
	taken, linked, dangling := t.TempDir(), t.TempDir(), t.TempDir()
	write(t, filepath.Join(taken, keyFile), []byte("mine"))
	link(victim, filepath.Join(linked, keyFile))
	link(filepath.Join(dangling, "elsewhere"), filepath.Join(dangling, certificateFile))
	for name, dir := range map[string]string{
		"a file is there": taken, "a link is there": linked, "a link to nothing": dangling,
		"the folder is a link": link(t.TempDir(), filepath.Join(t.TempDir(), "link")), "the folder is a file": victim,
	} {
		if written, err := lint.Extract(dir); verify.KindOf(err) != verify.KindRefused {
			t.Errorf("%s: wrote %v, %v", name, written, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, certificateFile)); err == nil && dir != dangling {
			t.Errorf("%s: the certificate was left behind", name)
		}
	}
	if text, err := os.ReadFile(victim); err != nil || string(text) != "mine" {
		t.Errorf("the victim is %q, %v", text, err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	written, err := lint.Extract(dir)
	if err != nil || len(written) != 2 {
		t.Fatal(written, err)
	}
	for _, file := range append(written, dir) {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", file, info.Mode(), err)
		}
	}
}
