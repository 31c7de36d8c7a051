package pushfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// noon is when the tests take place.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// certificateKey makes the key of the test certificates once.
var certificateKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

var accountRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// topicsExtension is Apple's list of topics, as a universal certificate has it.
func topicsExtension(t testing.TB, topics ...pushTopic) pkix.Extension {
	t.Helper()
	var inner []byte
	for _, topic := range topics {
		id, err := asn1.MarshalWithParams(topic.id, "utf8")
		if err != nil {
			t.Fatal(err)
		}
		kinds, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassUniversal, Tag: asn1.TagUTF8String, Bytes: []byte(topic.kind)}})
		if err != nil {
			t.Fatal(err)
		}
		inner = append(append(inner, id...), kinds...)
	}
	der, err := asn1.Marshal(asn1.RawValue{Class: asn1.ClassUniversal, Tag: asn1.TagSequence, IsCompound: true, Bytes: inner})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: oidTopics, Value: der}
}

func flag(id asn1.ObjectIdentifier) pkix.Extension {
	return pkix.Extension{Id: id, Value: asn1.NullBytes}
}

type certificateOptions struct {
	name       string
	uid        string
	from, till time.Time
	authority  bool
	extensions []pkix.Extension
}

func makeCertificate(t testing.TB, o certificateOptions) []byte {
	t.Helper()
	if o.from.IsZero() {
		o.from, o.till = noon.AddDate(0, -3, 0), noon.AddDate(0, 9, 0)
	}
	subject := pkix.Name{CommonName: o.name}
	if o.uid != "" {
		subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidUserID, Value: o.uid}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: o.name}}
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject, NotBefore: o.from, NotAfter: o.till, ExtraExtensions: o.extensions,
		IsCA: o.authority, BasicConstraintsValid: o.authority}
	der, err := x509.CreateCertificate(rand.Reader, template, template, certificateKey().Public(), certificateKey())
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func pemText(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8Text(t testing.TB, key crypto.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemText("PRIVATE KEY", der)
}

func serviceAccountText(t testing.TB, change func(map[string]any)) []byte {
	t.Helper()
	account := map[string]any{"type": "service_account", "project_id": "bank-live", "private_key": string(pkcs8Text(t, accountRSA())),
		"client_email": "push@bank-live.iam.gserviceaccount.com"}
	if change != nil {
		change(account)
	}
	text, err := json.Marshal(account)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestLint(t *testing.T) {
	universal := []pkix.Extension{flag(oidSandbox), flag(oidProduction), topicsExtension(t, pushTopic{"com.bank.example", "app"}, pushTopic{"com.bank.example.voip", "voip"})}
	good := certificateOptions{name: "Apple Push Services: com.bank.example", uid: "com.bank.example", extensions: universal}
	with := func(change func(*certificateOptions)) []byte {
		o := good
		change(&o)
		return pemText("CERTIFICATE", makeCertificate(t, o))
	}
	goodText := with(func(*certificateOptions) {})
	goodKey := pkcs1Text()
	otherKey := ecKey(t)
	legacy := "AAAA1234567:" + strings.Repeat("APA91b", 24)
	cases := map[string]struct {
		files map[string][]byte
		want  Status // the worst
		says  string
	}{
		"universal with its key": {map[string][]byte{"a.pem": slices.Concat(goodText, goodKey)}, Warn, "bundle id com.bank.example"},
		"key in another file":    {map[string][]byte{"a.pem": goodText, "b.key": goodKey}, Pass, "it belongs to the certificate"},
		"PKCS #8 key":            {map[string][]byte{"a.pem": goodText, "b.key": pkcs8Text(t, certificateKey())}, Warn, "BEGIN RSA PRIVATE KEY"},
		"SEC 1 key of another":   {map[string][]byte{"a.pem": goodText, "b.key": secText(t)}, Fail, "an EC key (P-256), the certificate's is an RSA key of 2048 bits"},
		"no key":                 {map[string][]byte{"a.pem": goodText}, Unknown, "there is no private key"},
		"key alone":              {map[string][]byte{"b.key": goodKey}, Unknown, "no certificate to hold it against"},
		"another key":            {map[string][]byte{"a.pem": goodText, "b.key": pkcs8Text(t, accountRSA())}, Fail, "52145"},
		"provider token key":     {map[string][]byte{"AuthKey_ABC.p8": pkcs8Text(t, otherKey)}, Fail, ".p8"},
		"encrypted key":          {map[string][]byte{"b.key": pemText("ENCRYPTED PRIVATE KEY", []byte{1})}, Fail, "encrypted"},
		"old encrypted key":      {map[string][]byte{"b.key": []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,AA\n\nAAAA\n-----END RSA PRIVATE KEY-----\n")}, Fail, "encrypted"},
		"broken key":             {map[string][]byte{"b.key": pemText("PRIVATE KEY", []byte{1})}, Fail, "cannot be read"},
		"public key":             {map[string][]byte{"b.key": pemText("PUBLIC KEY", []byte{1})}, Fail, "public key"},
		"request":                {map[string][]byte{"a.csr": pemText("CERTIFICATE REQUEST", []byte{1})}, Fail, "request"},
		"another block":          {map[string][]byte{"a.pem": pemText("PGP MESSAGE", []byte{1})}, Fail, "PGP MESSAGE"},
		"broken PEM":             {map[string][]byte{"a.pem": []byte("-----BEGIN CERTIFICATE-----\nAAAA")}, Fail, "broken"},
		"broken certificate":     {map[string][]byte{"a.pem": pemText("CERTIFICATE", []byte{1})}, Fail, "cannot be read"},
		"expired":                {map[string][]byte{"a.pem": with(func(o *certificateOptions) { o.from, o.till = noon.AddDate(-1, 0, -5), noon.AddDate(0, 0, -5) })}, Fail, "expired on 2026-11-18"},
		"expires soon":           {map[string][]byte{"b.key": goodKey, "a.pem": (with(func(o *certificateOptions) { o.from, o.till = noon.AddDate(-1, 0, 0), noon.AddDate(0, 0, 20) }))}, Warn, "in 20 days"},
		"not yet valid":          {map[string][]byte{"a.pem": with(func(o *certificateOptions) { o.from, o.till = noon.AddDate(0, 0, 1), noon.AddDate(1, 0, 0) })}, Fail, "not valid before"},
		"sandbox only":           {map[string][]byte{"a.pem": with(func(o *certificateOptions) { o.extensions = []pkix.Extension{flag(oidSandbox)} }), "b.key": goodKey}, Pass, "sandbox only"},
		"production only":        {map[string][]byte{"a.pem": with(func(o *certificateOptions) { o.extensions = []pkix.Extension{flag(oidProduction)} }), "b.key": goodKey}, Pass, "production only"},
		"VoIP by its name":       {map[string][]byte{"a.pem": with(func(o *certificateOptions) { o.name = "VoIP Services: com.bank.example"; o.extensions = nil })}, Fail, "VoIP only"},
		"VoIP by its topics": {map[string][]byte{"a.pem": with(func(o *certificateOptions) {
			o.extensions = []pkix.Extension{topicsExtension(t, pushTopic{"com.bank.example.voip", "voip"})}
		})}, Fail, "VoIP only"},
		"no bundle id":            {map[string][]byte{"b.key": goodKey, "a.pem": with(func(o *certificateOptions) { o.uid = ""; o.extensions = []pkix.Extension{flag(oidProduction)} })}, Warn, "for which bundle id"},
		"no push certificate":     {map[string][]byte{"a.pem": with(func(o *certificateOptions) { o.extensions = nil; o.name = "Apple Development: Ana" })}, Fail, "no push certificate"},
		"binary certificate":      {map[string][]byte{"a.cer": makeCertificate(t, good), "b.key": goodKey}, Warn, "binary"},
		"PKCS #12":                {map[string][]byte{"a.p12": {0x30, 0x82, 0x0d, 0x2f, 0x02, 0x01, 0x03, 0x30, 0x82}}, Fail, "cut off"},
		"service account":         {map[string][]byte{"sa.json": serviceAccountText(t, nil)}, Pass, `Firebase project "bank-live"`},
		"no project":              {map[string][]byte{"sa.json": serviceAccountText(t, func(a map[string]any) { delete(a, "project_id") })}, Fail, "project_id is missing"},
		"client of another":       {map[string][]byte{"sa.json": serviceAccountText(t, func(a map[string]any) { a["client_email"] = "x@other.iam.gserviceaccount.com" })}, Warn, "another project"},
		"no client":               {map[string][]byte{"sa.json": serviceAccountText(t, func(a map[string]any) { delete(a, "client_email") })}, Fail, "no address"},
		"lost line breaks":        {map[string][]byte{"sa.json": serviceAccountText(t, func(a map[string]any) { a["private_key"] = strings.ReplaceAll(a["private_key"].(string), "\n", " ") })}, Fail, "line breaks"},
		"key that is no RSA key":  {map[string][]byte{"sa.json": serviceAccountText(t, func(a map[string]any) { a["private_key"] = string(pkcs8Text(t, otherKey)) })}, Fail, "no RSA key"},
		"google-services.json":    {map[string][]byte{"sa.json": []byte(`{"project_info":{"project_id":"x"}}`)}, Fail, "google-services.json"},
		"OAuth client":            {map[string][]byte{"sa.json": []byte(`{"installed":{"client_id":"x"}}`)}, Fail, "OAuth client"},
		"other JSON":              {map[string][]byte{"sa.json": []byte(`{"type":"x"}`)}, Fail, `"x"`},
		"broken JSON":             {map[string][]byte{"sa.json": []byte(`{"type":`)}, Fail, "broken JSON"},
		"legacy server key":       {map[string][]byte{"key.txt": []byte(legacy + "\n")}, Fail, "52117"},
		"older legacy server key": {map[string][]byte{"key.txt": []byte("AIza" + strings.Repeat("x", 35))}, Fail, "52117"},
		"empty":                   {map[string][]byte{"a.pem": []byte(" \n")}, Fail, "empty"},
		"something else":          {map[string][]byte{"a.pem": []byte("hello")}, Fail, "neither"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var files []string
			for _, file := range slices.Sorted(maps.Keys(c.files)) {
				files = append(files, write(t, filepath.Join(t.TempDir(), file), c.files[file]))
			}
			lint, err := LintFiles(files, Options{Now: noon})
			if err != nil {
				t.Fatal(err)
			}
			rank := map[Status]int{Warn: 1, Unknown: 2, Fail: 3}
			worst, said := Pass, ""
			for _, line := range lint.Lines {
				if rank[line.Status] > rank[worst] {
					worst = line.Status
				}
				said += fmt.Sprintln(line.Status, line.What, line.Reason, line.Fix)
			}
			if worst != c.want || !strings.Contains(said, c.says) {
				t.Errorf("it is %s, want %s and %q:\n%s", worst, c.want, c.says, said)
			}
			if failed := lint.Outcome() != nil; failed != (worst == Fail) {
				t.Errorf("the outcome is %v", lint.Outcome())
			}
			for _, line := range lint.Lines {
				if (line.Fix == "") != (line.Status == Pass) {
					t.Errorf("%+v: everything that did not pass has a fix, and nothing else", line)
				}
			}
			if strings.Contains(said, "PRIVATE KEY---") || strings.Contains(said, legacy) {
				t.Error("a secret is shown")
			}
		})
	}
}

func pkcs1Text() []byte {
	return pemText("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(certificateKey()))
}

func secText(t *testing.T) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(ecKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return pemText("EC PRIVATE KEY", der)
}

func TestLintNotesWhatIsWorthRecording(t *testing.T) {
	certificate := makeCertificate(t, certificateOptions{name: "Apple Push Services", extensions: []pkix.Extension{
		flag(oidProduction), topicsExtension(t, pushTopic{"com.bank.example", "app"}, pushTopic{"com.bank.example.voip", "voip"})}})
	file := write(t, filepath.Join(t.TempDir(), "a.pem"), pemText("CERTIFICATE", certificate))
	lint, err := LintFiles([]string{file}, Options{Now: noon})
	if err != nil {
		t.Fatal(err)
	}
	if lint.Platform != verify.PlatformAPN || lint.Note.Expires != "2027-08-23" || lint.Note.Recorded != "2026-11-23" || !slices.Equal(lint.Note.Topics, []string{"com.bank.example"}) {
		t.Errorf("platform %s, note %+v", lint.Platform, lint.Note)
	}
}

func TestLintRefusesWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{filepath.Join(dir, "none.pem"), dir, write(t, filepath.Join(dir, "big.pem"), make([]byte, maxCredentialFile+1))} {
		if _, err := LintFiles([]string{file}, Options{Now: noon}); verify.KindOf(err) != verify.KindUsage {
			t.Errorf("%s: got %v, want a usage error", file, err)
		}
	}
}

func FuzzLint(f *testing.F) {
	f.Add([]byte(`{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"}`))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"))
	f.Add([]byte{0x30, 0x82, 0x0d, 0x2f, 0x02, 0x01, 0x03})
	f.Add([]byte("AIza" + strings.Repeat("x", 35)))
	f.Fuzz(func(t *testing.T, text []byte) {
		lint := &Lint{options: Options{Now: noon}, files: []string{"file"}}
		if err := lint.add("file", text); err != nil {
			t.Fatal(err)
		}
		lint.finish()
		if pieces, err := lint.pieces(); (err == nil) != (len(pieces) > 0) {
			t.Fatalf("%d pieces, %v", len(pieces), err)
		}
		if len(lint.Lines) == 0 {
			t.Fatal("nothing is said of the file")
		}
		for _, line := range lint.Lines {
			if line.Reason == "" || line.Reason != plain(line.Reason) {
				t.Fatalf("%+v", line)
			}
		}
	})
}

func FuzzParseTopics(f *testing.F) {
	f.Add([]byte{0x30, 0x0a, 0x0c, 0x01, 'a', 0x30, 0x05, 0x0c, 0x03, 'a', 'p', 'p'})
	f.Fuzz(func(t *testing.T, der []byte) { parseTopics(der) })
}
