package pushfile

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/verifyctl/verifyctl/internal/verify"
)

var errNobody = verify.Refusedf("nobody can be asked")

func archive(t testing.TB, encoder *pkcs12.Encoder, passphrase string, chain ...*x509.Certificate) []byte {
	t.Helper()
	block, _ := pem.Decode(pushCertificateText(t))
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	out, err := encoder.Encode(certificateKey(), certificate, chain, passphrase)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPKCS12OfEveryKindIsOpened(t *testing.T) {
	der := makeCertificate(t, certificateOptions{name: "Apple Worldwide Developer Relations", authority: true})
	authority, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"RC2 and SHA-1":        archive(t, pkcs12.LegacyRC2, "secret"),
		"3DES and SHA-1":       archive(t, pkcs12.LegacyDES, "secret"),
		"AES and SHA-256":      archive(t, pkcs12.Modern2023, "secret"),
		"PBMAC1":               archive(t, pkcs12.Modern2026, "secret"),
		"with its authority":   archive(t, pkcs12.LegacyRC2, "secret", authority),
		"without a passphrase": archive(t, pkcs12.LegacyRC2, ""),
		"passwordless":         archive(t, pkcs12.Passwordless, ""),
		"in base64":            []byte(base64.StdEncoding.EncodeToString(archive(t, pkcs12.LegacyDES, "secret"))),
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), "apns.p12"), text)
			asked := 0
			lint, err := LintFiles([]string{file}, Options{Now: noon, Passphrase: func(string) (string, error) { asked++; return "secret", nil }})
			if err != nil {
				t.Fatal(err)
			}
			if empty := strings.Contains(name, "pass"); asked != map[bool]int{false: 1, true: 0}[empty] {
				t.Errorf("asked %d times", asked)
			}
			for _, want := range []string{"it expires on", "bundle id com.bank.example", "it belongs to the certificate", "it is a PKCS #12 file"} {
				if !strings.Contains(saidOf(lint), want) {
					t.Errorf("it does not say %q:\n%s", want, saidOf(lint))
				}
			}
			written, err := lint.Extract(filepath.Join(t.TempDir(), "out"))
			if err != nil || len(written) != 2 || lint.Outcome() != nil {
				t.Fatal(written, err, lint.Outcome())
			}
			clean, err := LintFiles(written, Options{Now: noon})
			if err != nil || clean.Outcome() != nil || strings.Contains(saidOf(clean), string(Warn)) {
				t.Errorf("%v\n%s", err, saidOf(clean))
			}
		})
	}
}

func saidOf(lint *Lint) string {
	var out strings.Builder
	for _, line := range lint.Lines {
		out.WriteString(string(line.Status) + " " + line.What + " " + line.Reason + " | " + line.Fix + "\n")
	}
	return out.String()
}

func TestPKCS12ThatIsNotOpenedNeverPasses(t *testing.T) {
	locked := archive(t, pkcs12.LegacyRC2, "secret")
	slow := archive(t, pkcs12.LegacyRC2.WithIterations(1000), "")
	slow = bytes.ReplaceAll(slow, []byte{0x02, 0x02, 0x03, 0xe8}, []byte{0x02, 0x02, 0x7f, 0xff}) // still fast
	ca, err := x509.ParseCertificate(makeCertificate(t, certificateOptions{name: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	certificates, err := pkcs12.LegacyRC2.EncodeTrustStore([]*x509.Certificate{ca}, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		ask  func(string) (string, error)
		says string
	}{
		"nobody to ask":    {locked, func(string) (string, error) { return "", errNobody }, "--passphrase-env NAME"},
		"not asked":        {locked, nil, "--passphrase-env NAME"},
		"wrong":            {locked, func(string) (string, error) { return "wrong", nil }, "does not open it"},
		"cut off":          {locked[:len(locked)-7], nil, "cut off"},
		"changed":          {slow, nil, "--passphrase-env NAME"},
		"no key":           {certificates, nil, "no private key"},
		"without a length": {[]byte{0x30, 0x80, 0x02, 0x01, 0x03, 0x30, 0x80, 0, 0, 0, 0}, nil, "with LibreSSL (macOS): openssl pkcs12 -in"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), "apns.p12"), c.text)
			lint, err := LintFiles([]string{file}, Options{Now: noon, Passphrase: c.ask})
			if err != nil {
				t.Fatal(err)
			}
			if lint.Outcome() == nil || !strings.Contains(saidOf(lint), c.says) || strings.Contains("\n"+saidOf(lint), "\npass ") {
				t.Errorf("%v:\n%s", lint.Outcome(), saidOf(lint))
			}
		})
	}
	stop := errors.New("Ctrl-C")
	file := write(t, filepath.Join(t.TempDir(), "apns.p12"), locked)
	if _, err := LintFiles([]string{file}, Options{Now: noon, Passphrase: func(string) (string, error) { return "", stop }}); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestPKCS12ThatWouldTakeForEverIsRefused(t *testing.T) {
	text := archive(t, pkcs12.LegacyRC2.WithIterations(65537), "")
	rounds := []byte{0x02, 0x03, 0x01, 0x00, 0x01}
	if n := bytes.Count(text, rounds); n == 0 {
		t.Fatal("the rounds are not found")
	}
	for i := range bytes.Count(text, rounds) {
		slow := bytes.Clone(text)
		at := -1
		for range i + 1 {
			at += 1 + bytes.Index(slow[at+1:], rounds)
		}
		copy(slow[at:], []byte{0x02, 0x03, 0x7f, 0xff, 0xff}) // 8 million: allowed
		if tooSlow(slow, 0) {
			t.Error("8 million rounds are refused")
		}
	}
	key := bytes.Repeat([]byte{1}, 8)
	for _, sequence := range [][]byte{
		append([]byte{0x30, 0x10, 0x04, 0x08}, append(key, 0x02, 0x04, 0x7f, 0xff, 0xff, 0xff)...),                      // salt, rounds
		append([]byte{0x04, 0x12, 0x30, 0x10, 0x04, 0x08}, append(key, 0x02, 0x04, 0x7f, 0xff, 0xff, 0xff)...),          // inside an octet string
		append([]byte{0x30, 0x15, 0x04, 0x08}, append(key, 0x02, 0x09, 0x7f, 0, 0, 0, 0, 0, 0, 0, 0)...),                // larger than any int
		append([]byte{0xa0, 0x12, 0x30, 0x10, 0x04, 0x08}, append(key, 0x02, 0x04, 0x7f, 0xff, 0xff, 0xff)...),          // tagged
		append([]byte{0x31, 0x14, 0x30, 0x12, 0x30, 0x10, 0x04, 0x08}, append(key, 0x02, 0x04, 0x7f, 255, 255, 255)...), // nested
	} {
		if !tooSlow(sequence, 0) {
			t.Errorf("% x passes", sequence)
		}
	}
}

// FuzzPKCS12 edits archives at one place, as FuzzSignature does executables.
func FuzzPKCS12(f *testing.F) {
	archives := [][]byte{archive(f, pkcs12.Passwordless, "")}
	for _, encoder := range []*pkcs12.Encoder{pkcs12.LegacyRC2, pkcs12.LegacyDES, pkcs12.Modern2023, pkcs12.Modern2026} {
		archives = append(archives, archive(f, encoder.WithIterations(1), ""))
	}
	for which := range archives {
		f.Add(uint8(which), uint16(0), uint16(0), []byte{})
	}
	f.Fuzz(func(t *testing.T, which uint8, at, cut uint16, insert []byte) {
		if len(insert) > longestEdit {
			return
		}
		text := edited(archives[int(which)%len(archives)], at, cut, insert)
		if tooSlow(text, 0) || bytes.Contains(text, []byte{0x02, 0x03}) || bytes.Contains(text, []byte{0x02, 0x04}) {
			return // a million rounds are allowed, and too slow for a fuzz run
		}
		lint := &Lint{options: Options{Now: noon}, files: []string{"file"}}
		if err := lint.addPKCS12("file", text); err != nil {
			t.Fatal(err)
		}
		lint.finish()
		if len(lint.Lines) == 0 {
			t.Fatal("nothing is said of the file")
		}
	})
}
