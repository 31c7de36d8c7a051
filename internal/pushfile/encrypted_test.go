package pushfile

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"path/filepath"
	"strings"
	"testing"

	"github.com/youmark/pkcs8"
)

func TestEncryptedKeysAreOpened(t *testing.T) {
	modern, err := pkcs8.MarshalPrivateKey(certificateKey(), []byte("secret"), nil)
	if err != nil {
		t.Fatal(err)
	}
	//lint:ignore SA1019 as OpenSSL wrote keys for twenty years
	old, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(certificateKey()), []byte("secret"), x509.PEMCipherAES256)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string][]byte{"PKCS #8": pemText("ENCRYPTED PRIVATE KEY", modern), "PKCS #1": pem.EncodeToMemory(old)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := []string{write(t, filepath.Join(dir, "a.pem"), pushCertificateText(t)), write(t, filepath.Join(dir, "a.key"), key)}
			for passphrase, says := range map[string]string{"secret": "it belongs to the certificate", "another": "the pass phrase does not open it"} {
				lint, err := LintFiles(files, Options{Now: noon, Passphrase: func(string) (string, error) { return passphrase, nil }})
				if err != nil || !strings.Contains(saidOf(lint), says) {
					t.Errorf("with %s: %v\n%s", passphrase, err, saidOf(lint))
				}
			}
			lint, err := LintFiles(files, Options{Now: noon, Passphrase: func(string) (string, error) { return "secret", nil }})
			if err != nil {
				t.Fatal(err)
			}
			written, err := lint.Extract(filepath.Join(dir, "out"))
			if err != nil {
				t.Fatal(err)
			}
			if clean, err := LintFiles(written, Options{Now: noon}); err != nil || clean.Outcome() != nil || strings.Contains(saidOf(clean), string(Warn)) {
				t.Errorf("%v\n%s", err, saidOf(clean))
			}
		})
	}
}
