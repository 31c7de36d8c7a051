package pushfile

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
	"software.sslmate.com/src/go-pkcs12"

	"github.com/verifyctl/verifyctl/internal/verify"
)

var bank = verify.Environment{Name: "production", IOSBuild: verify.IOSDistribution, AppIDs: []string{"com.bank.example"}}

func linted(t *testing.T, files map[string][]byte) *Lint {
	t.Helper()
	dir := t.TempDir()
	var names []string
	for name, text := range files {
		names = append(names, write(t, filepath.Join(dir, name), text))
	}
	lint, err := LintFiles(names, Options{Now: noon, Passphrase: func(string) (string, error) { return "secret", nil }})
	if err != nil {
		t.Fatal(err)
	}
	return lint
}

func certificateFor(t *testing.T, topic string, serves ...pkix.Extension) []byte {
	return pemText("CERTIFICATE", makeCertificate(t, certificateOptions{name: "Apple Push Services: " + topic, uid: topic, extensions: serves}))
}

func TestUploadIsWhatTwilioTakes(t *testing.T) {
	encrypted, err := pkcs8.MarshalPrivateKey(certificateKey(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 as OpenSSL wrote keys for twenty years
	old, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(certificateKey()), []byte("secret"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]map[string][]byte{
		"PKCS #12":          {"a.p12": archive(t, pkcs12.Modern2023, "secret")},
		"two files":         {"a.pem": pushCertificateText(t), "a.key": pkcs1Text()},
		"one file":          {"a.pem": append(pushCertificateText(t), pkcs1Text()...)},
		"encrypted PKCS #8": {"a.pem": pushCertificateText(t), "a.key": pemText("ENCRYPTED PRIVATE KEY", encrypted)},
		"encrypted PKCS #1": {"a.pem": pushCertificateText(t), "a.key": pem.EncodeToMemory(old)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := linted(t, files).Upload(bank, verify.PlatformAPN)
			if err != nil {
				t.Fatal(err)
			}
			want := verify.CredentialWrite{Type: "apn", Sandbox: verify.SandboxFalse, Certificate: string(pushCertificateText(t)), PrivateKey: verify.Secret(pkcs1Text())}
			if got != want {
				t.Errorf("%+v", got)
			}
		})
	}
	got, err := linted(t, map[string][]byte{"a.json": serviceAccountText(t, nil)}).Upload(bank, verify.PlatformFCM)
	if err != nil || got.Type != "fcm" || !strings.Contains(got.Secret.Reveal(), "bank-live") || got.Sandbox != "" {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestUploadRefuses everything that can be known before a request, naming the file and the fix.
func TestUploadRefuses(t *testing.T) {
	with := func(change func(*verify.Environment)) verify.Environment {
		env := bank
		change(&env)
		return env
	}
	good := map[string][]byte{"a.pem": pushCertificateText(t), "a.key": pkcs1Text()}
	expired := certificateOptions{name: "Apple Push Services: com.bank.example", uid: "com.bank.example", from: noon.AddDate(-1, -1, 0), till: noon.AddDate(0, -1, 0), extensions: []pkix.Extension{flag(oidProduction)}}
	for name, tc := range map[string]struct {
		env      verify.Environment
		platform verify.Platform
		files    map[string][]byte
		says     string
	}{
		"wrong pass phrase":        {bank, verify.PlatformAPN, map[string][]byte{"a.p12": archive(t, pkcs12.Modern2023, "another")}, "the pass phrase does not open it"},
		"another key":              {bank, verify.PlatformAPN, map[string][]byte{"a.pem": pushCertificateText(t), "a.key": pkcs8Text(t, accountRSA())}, "does not belong to the certificate"},
		"a .p8 key":                {bank, verify.PlatformAPN, map[string][]byte{"AuthKey.p8": pkcs8Text(t, ecKey(t))}, ".p8"},
		"no key":                   {bank, verify.PlatformAPN, map[string][]byte{"a.pem": pushCertificateText(t)}, "there is no private key"},
		"expired":                  {bank, verify.PlatformAPN, map[string][]byte{"a.pem": pemText("CERTIFICATE", makeCertificate(t, expired)), "a.key": pkcs1Text()}, "it expired on"},
		"for VoIP":                 {bank, verify.PlatformAPN, map[string][]byte{"a.pem": pemText("CERTIFICATE", makeCertificate(t, certificateOptions{name: "VoIP Services: com.bank.example"})), "a.key": pkcs1Text()}, "VoIP"},
		"of another app":           {bank, verify.PlatformAPN, map[string][]byte{"a.pem": certificateFor(t, "com.other", flag(oidProduction), flag(oidSandbox)), "a.key": pkcs1Text()}, "com.other"},
		"for the sandbox only":     {bank, verify.PlatformAPN, map[string][]byte{"a.pem": certificateFor(t, "com.bank.example", flag(oidSandbox)), "a.key": pkcs1Text()}, "sandbox only"},
		"for production only":      {with(func(e *verify.Environment) { e.IOSBuild = verify.IOSDebug }), verify.PlatformAPN, map[string][]byte{"a.pem": certificateFor(t, "com.bank.example", flag(oidProduction)), "a.key": pkcs1Text()}, "production only"},
		"no build declared":        {with(func(e *verify.Environment) { e.IOSBuild = "" }), verify.PlatformAPN, good, "does not declare how its iOS app is signed"},
		"no iOS app":               {with(func(e *verify.Environment) { e.IOSBuild = verify.IOSNone }), verify.PlatformAPN, good, "needs no APNs credential"},
		"a certificate for Google": {bank, verify.PlatformFCM, good, "it is for apn, not for fcm"},
		"an account for Apple":     {bank, verify.PlatformAPN, map[string][]byte{"a.json": serviceAccountText(t, nil)}, "it is for fcm, not for apn"},
		"the app's own file":       {bank, verify.PlatformFCM, map[string][]byte{"google-services.json": []byte(`{"project_info":{}}`)}, "belongs in the Android app"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := linted(t, tc.files).Upload(tc.env, tc.platform)
			if verify.KindOf(err) != verify.KindRefused || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%+v, %v", got, err)
			}
			var refused *verify.Error
			if !errors.As(err, &refused) || refused.Hint == "" {
				t.Errorf("it names no fix: %v", err)
			}
		})
	}
}
