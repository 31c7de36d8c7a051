// Package pushfile reads what people hand in for push: certificates, keys and service accounts before they are uploaded,
// and iOS apps. It works offline and bounds what it reads. What is secret leaves it only through [Lint.Extract].
package pushfile

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxCredentialFile is the largest credential file that is read, in bytes. A certificate with its key has some 5 KiB.
const maxCredentialFile = 1 << 20

// Status is how a file stands in one respect.
type Status string

// The statuses. Unknown is what could not be looked at.
const (
	Pass    Status = "pass"
	Warn    Status = "warn"
	Fail    Status = "fail"
	Unknown Status = "unknown"
)

// Line is one thing that a credential file tells, or that is wrong with it.
type Line struct {
	File   string `json:"file"`
	Status Status `json:"status"`
	What   string `json:"what"` // certificate, private key, service account, …
	Reason string `json:"reason"`
	Fix    string `json:"fix,omitempty"`

	mends bool // Lint.Extract mends it
}

// Lint is what credential files tell before they are uploaded. They are read offline.
type Lint struct {
	Lines    []Line
	Platform verify.Platform       // what the files are for; "" when that is not clear
	Note     verify.CredentialNote // what is worth recording

	options      Options
	files        []string
	certificates []pushCertificate   // for push
	others       []*x509.Certificate // not for push, and where they stood
	otherFiles   []string
	keys         []privateKey
	accounts     [][]byte // service accounts, mended where that was needed
}

// Options say how files are read.
type Options struct {
	Now   time.Time
	Stdin io.Reader // what the file "-" stands for
	// Passphrase gives the pass phrase of a PKCS #12 file that an empty one does not open. An error of
	// [verify.KindRefused] means that there is nobody to ask; any other ends the reading.
	Passphrase func(file string) (string, error)
}

type privateKey struct {
	file   string
	signer crypto.Signer
	p8     bool // it is for Apple's provider tokens, not for a certificate
}

// LintFiles reads files that belong together, such as a certificate and its key. The error is a usage error about a file
// that cannot be read at all, or that of asking for a pass phrase.
func LintFiles(files []string, options Options) (*Lint, error) {
	lint := &Lint{options: options, files: files}
	for _, file := range files {
		text, err := readCredentialFile(file, options.Stdin)
		var inFile *fs.PathError
		if errors.As(err, &inFile) {
			err = inFile.Err // it names the file once more
		}
		if err != nil {
			return nil, verify.Usagef("cannot read the credential file %s: %w", file, err)
		}
		if err := lint.add(file, text); err != nil {
			return nil, err
		}
	}
	lint.finish()
	return lint, nil
}

func readCredentialFile(file string, in io.Reader) ([]byte, error) {
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxCredentialFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxCredentialFile && !isZip(text) && !isMachO(text) {
		return nil, fmt.Errorf("it is larger than %d MiB, which no credential is", maxCredentialFile>>20)
	}
	return text, nil
}

// finish says what can be said only of all files together.
func (l *Lint) finish() {
	l.lintOthers()
	l.matchKeys()
	l.remember()
	slices.SortStableFunc(l.Lines, func(a, b Line) int { return slices.Index(l.files, a.File) - slices.Index(l.files, b.File) })
}

// Outcome is an error of [verify.KindFailed] when something is wrong, or when nothing was checked of a file; nil
// otherwise.
func (l *Lint) Outcome() error {
	failed := 0
	checked := map[string]bool{}
	for _, line := range l.Lines {
		if line.Status == Fail {
			failed++
		}
		checked[line.File] = checked[line.File] || line.Status != Unknown
	}
	switch {
	case failed == 1:
		return &verify.Error{Kind: verify.KindFailed, Message: "1 thing is wrong with the files"}
	case failed > 1:
		return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("%d things are wrong with the files", failed)}
	}
	for _, file := range l.files {
		if !checked[file] {
			return &verify.Error{Kind: verify.KindFailed, Message: "nothing was checked of " + file}
		}
	}
	return nil
}

func (l *Lint) say(file string, status Status, what, fix, format string, args ...any) {
	l.Lines = append(l.Lines, Line{File: file, Status: status, What: what, Reason: plain(fmt.Sprintf(format, args...)), Fix: fix})
}

// sayMendable says what Extract mends.
func (l *Lint) sayMendable(file string, status Status, what, format string, args ...any) {
	l.say(file, status, what, verify.Command("", slices.Concat([]string{"credentials", "lint"}, l.files, []string{"--extract", "mended"})...), format, args...)
	l.Lines[len(l.Lines)-1].mends = true
}

// plain replaces what cannot be printed by "?".
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// matchKeys holds every key against the certificates.
func (l *Lint) matchKeys() {
	for _, key := range l.keys {
		matches := slices.ContainsFunc(l.certificates, func(c pushCertificate) bool { return key.belongsTo(c.certificate) })
		switch {
		case matches:
			l.say(key.file, Pass, "private key", "", "it belongs to the certificate")
			if _, isRSA := key.signer.Public().(*rsa.PublicKey); !isRSA {
				l.say(key.file, Warn, "private key", "if Twilio refuses it, request a new certificate with an RSA key of 2048 bits",
					"it is %s, where Twilio's guide shows an RSA key; it is not known whether Twilio takes it", describeKey(key.signer.Public()))
			}
		case key.p8:
			l.say(key.file, Fail, "private key", "make an Apple Push Services certificate, and upload that with its key",
				"it looks like a key for Apple's provider tokens (.p8): Twilio's push credentials take a certificate with its key instead")
		case len(l.certificates) == 0:
			l.say(key.file, Pass, "private key", "", "%s", describeKey(key.signer.Public()))
			if len(l.others) == 0 {
				l.say(key.file, Unknown, "private key", "lint it together with its certificate", "there is no certificate to hold it against")
			}
		default:
			l.say(key.file, Fail, "private key", "find the key that the certificate's request was made with (on the Mac that made it: Keychain Access, My Certificates)",
				"it does not belong to the certificate (52145): it is %s, the certificate's is %s", describeKey(key.signer.Public()), describeKey(l.certificates[0].certificate.PublicKey))
		}
	}
	if len(l.certificates) > 0 && len(l.keys) == 0 {
		l.say(l.certificates[0].file, Unknown, "private key", "lint the certificate together with its key", "there is no private key")
	}
}

// remember puts together what is worth recording of the files.
func (l *Lint) remember() {
	l.Note.Recorded = l.options.Now.UTC().Format(time.DateOnly)
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
