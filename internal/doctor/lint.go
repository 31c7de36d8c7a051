package doctor

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxCredentialFile is the largest credential file that is read, in bytes. A certificate with its key has some 5 KiB.
const maxCredentialFile = 1 << 20

// LintLine is one thing that a credential file tells, or that is wrong with it.
type LintLine struct {
	File   string `json:"file"`
	Status Status `json:"status"`
	What   string `json:"what"` // certificate, private key, service account, …
	Reason string `json:"reason"`
	Fix    string `json:"fix,omitempty"`
}

// Lint is what credential files tell before they are uploaded. They are read offline, and no secret is kept of them.
type Lint struct {
	Lines    []LintLine
	Platform verify.Platform       // what the files are for; "" when that is not clear
	Note     verify.CredentialNote // what is worth recording

	now          time.Time
	certificates []pushCertificate
	keys         []privateKey
}

// privateKey is a key's public half, and where it stood.
type privateKey struct {
	file   string
	public crypto.PublicKey
	p8     bool // it is for Apple's provider tokens, not for a certificate
}

// LintFiles reads files that belong together, such as a certificate and its key. The error is a usage error about a file
// that cannot be read at all.
func LintFiles(files []string, now time.Time) (*Lint, error) {
	lint := &Lint{now: now}
	for _, file := range files {
		text, err := readCredentialFile(file)
		if err != nil {
			return nil, verify.Usagef("%s: %w", file, err)
		}
		lint.add(file, text)
	}
	lint.matchKeys()
	lint.remember()
	return lint, nil
}

func readCredentialFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCredentialFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxCredentialFile {
		return nil, fmt.Errorf("it is larger than %d MiB, which no credential is", maxCredentialFile>>20)
	}
	return text, nil
}

// Outcome is an error of [verify.KindFailed] when something is wrong, nil otherwise.
func (l *Lint) Outcome() error {
	failed := 0
	for _, line := range l.Lines {
		if line.Status == Fail {
			failed++
		}
	}
	if failed > 0 {
		return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("%s wrong with the files", count(failed, "thing is", "things are"))}
	}
	return nil
}

func (l *Lint) say(file string, status Status, what, fix, format string, args ...any) {
	l.Lines = append(l.Lines, LintLine{File: file, Status: status, What: what, Reason: plain(fmt.Sprintf(format, args...)), Fix: fix})
}

// legacyKey is the shape of Google's legacy server keys; the older ones are plain API keys.
var legacyKey = lazily(`^(AAAA[0-9A-Za-z_-]{7}:[0-9A-Za-z_-]{100,}|AIza[0-9A-Za-z_-]{35})$`)

// add reads one file, whatever it is.
func (l *Lint) add(file string, text []byte) {
	trimmed := bytes.TrimSpace(text)
	switch {
	case len(trimmed) == 0:
		l.say(file, Fail, "file", "", "it is empty")
	case trimmed[0] == '{':
		l.addJSON(file, trimmed)
	case bytes.Contains(text, []byte("-----BEGIN ")):
		l.addPEM(file, text)
	case legacyKey().Match(trimmed):
		l.say(file, Fail, "server key", "make a service account key (Firebase: Project settings > Service accounts) and upload that",
			"it is a legacy FCM server key, which Google shut down in June 2024 (52117)")
	default:
		l.addBinary(file, text)
	}
}

func (l *Lint) addBinary(file string, text []byte) {
	if certificate, err := x509.ParseCertificate(text); err == nil {
		l.addCertificate(file, certificate)
		l.say(file, Warn, "certificate", "openssl x509 -inform der -in "+quoteFile(file)+" -out cert.pem", "it is in binary (DER); Twilio takes PEM text")
		return
	}
	if ext := strings.ToLower(filepath.Ext(file)); ext == ".p12" || ext == ".pfx" || looksLikePKCS12(text) {
		l.say(file, Unknown, "PKCS #12", "openssl pkcs12 -in "+quoteFile(file)+" -nodes -legacy -out cert.pem, and lint that",
			"it is a PKCS #12 archive, which takes its password to read; Twilio takes PEM text")
		return
	}
	l.say(file, Fail, "file", "", "it is neither a certificate, a private key, a service account nor a server key")
}

// looksLikePKCS12 tells the start of a PFX: a sequence whose first member is the version 3 (RFC 7292).
func looksLikePKCS12(text []byte) bool {
	return len(text) > 8 && text[0] == 0x30 && bytes.Contains(text[:8], []byte{0x02, 0x01, 0x03})
}

func quoteFile(file string) string { return strings.TrimPrefix(verify.Command("", file), "verifyctl ") }

func (l *Lint) addPEM(file string, text []byte) {
	found := false
	for rest := text; ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		found = true
		l.addBlock(file, block)
	}
	if !found {
		l.say(file, Fail, "file", "copy it whole, with the BEGIN and END lines", "its PEM text is broken")
	}
}

func (l *Lint) addBlock(file string, block *pem.Block) {
	switch {
	case block.Type == "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			l.say(file, Fail, "certificate", "export it again", "it cannot be read: %v", err)
			return
		}
		l.addCertificate(file, certificate)
	case block.Type == "CERTIFICATE REQUEST" || block.Type == "NEW CERTIFICATE REQUEST":
		l.say(file, Fail, "request", "upload it to Apple's developer portal, and take the certificate it gives", "it is a request for a certificate, not one")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		l.say(file, Fail, "private key", "openssl pkey -in "+quoteFile(file)+" -out key.pem", "it is encrypted; Twilio takes it without a password")
	case strings.HasSuffix(block.Type, "PRIVATE KEY"):
		l.addKey(file, block)
	case block.Type == "PUBLIC KEY":
		l.say(file, Fail, "public key", "take the private key", "it is a public key")
	default:
		l.say(file, Fail, "file", "", "it holds %q, which no push credential needs", block.Type)
	}
}

// matchKeys holds every key against the certificates.
func (l *Lint) matchKeys() {
	for _, key := range l.keys {
		switch {
		case key.p8:
			l.say(key.file, Fail, "private key", "make an Apple Push Services certificate, and upload that with its key",
				"it is a key for provider tokens (.p8); Twilio's push credentials take a certificate with its key")
		case len(l.certificates) == 0:
			l.say(key.file, Unknown, "private key", "lint it together with its certificate", "there is no certificate to hold it against")
		case slices.ContainsFunc(l.certificates, func(c pushCertificate) bool { return c.belongsTo(key) }):
			l.say(key.file, Pass, "private key", "", "it belongs to the certificate")
		default:
			l.say(key.file, Fail, "private key", "find the key that the request was made with", "it does not belong to the certificate (52145)")
		}
	}
	if len(l.certificates) > 0 && len(l.keys) == 0 {
		l.say(l.certificates[0].file, Unknown, "private key", "lint the certificate together with its key", "there is no private key")
	}
}

// remember puts together what is worth recording of the files.
func (l *Lint) remember() {
	l.Note.Recorded = l.now.UTC().Format(time.DateOnly)
	for _, c := range l.certificates {
		l.Platform = verify.PlatformAPN
		if expires := c.certificate.NotAfter.UTC().Format(time.DateOnly); l.Note.Expires == "" || expires < l.Note.Expires {
			l.Note.Expires = expires
		}
		for _, topic := range c.pushTopics() {
			if !slices.Contains(l.Note.Topics, topic) {
				l.Note.Topics = append(l.Note.Topics, topic)
			}
		}
	}
}

// addJSON reads a service account, or says what else it is.
func (l *Lint) addJSON(file string, text []byte) {
	var account serviceAccount
	if err := json.Unmarshal(text, &account); err != nil {
		l.say(file, Fail, "file", "download it again", "it is broken JSON: %v", err)
		return
	}
	account.lint(l, file)
}
