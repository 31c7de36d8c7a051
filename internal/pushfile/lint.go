// Package pushfile reads what people hand in for push: certificates, keys and service accounts before they are uploaded,
// and iOS apps. It works offline and bounds what it reads. What is secret leaves it only through [Lint.Extract].
package pushfile

import (
	"crypto/x509"
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
	Note     verify.CredentialNote // what is worth recording in the environment file
	File     verify.CredentialFile // what is worth remembering; without a fingerprint

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
	Now    time.Time
	Config verify.ConfigFile // for the commands in lines
	Stdin  io.Reader         // what the file "-" stands for
	// Passphrase gives the pass phrase of a PKCS #12 file that an empty one does not open. An error of
	// [verify.KindRefused] means that there is nobody to ask; any other ends the reading.
	Passphrase func(file string) (string, error)
}

// LintFiles reads files that belong together, such as a certificate and its key. The error is a usage error about a file
// that cannot be read at all, or that of asking for a pass phrase.
func LintFiles(files []string, options Options) (*Lint, error) {
	lint := &Lint{options: options}
	for _, file := range files {
		text, err := readCredentialFile(file, options.Stdin)
		var inFile *fs.PathError
		if errors.As(err, &inFile) {
			err = inFile.Err // it names the file once more
		}
		if err != nil {
			return nil, verify.Usagef("cannot read the credential file %s: %w", file, err)
		}
		if err := lint.take(file, text); err != nil {
			return nil, err
		}
	}
	lint.finish()
	return lint, nil
}

// take reads one file.
func (l *Lint) take(file string, text []byte) error {
	l.files = append(l.files, file)
	return l.add(file, text)
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
	if failed > 0 {
		return &verify.Error{Kind: verify.KindFailed, Message: verify.Count(failed, "thing is", "things are") + " wrong with the files"}
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
	l.say(file, status, what, l.options.Config.Command(slices.Concat([]string{"credentials", "lint"}, l.files, []string{"--extract", "mended"})...), format, args...)
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

// remember puts together what is worth recording of the files.
func (l *Lint) remember() {
	l.Note.Recorded = l.options.Now.UTC().Format(time.DateOnly)
	for _, c := range l.certificates {
		l.Platform = verify.PlatformAPN
		if expires := c.certificate.NotAfter.UTC(); l.Note.Expires == "" || expires.Before(l.File.NotAfter) {
			l.Note.Expires, l.File.NotAfter = expires.Format(time.DateOnly), expires
		}
		for _, topic := range c.pushTopics() {
			if !slices.Contains(l.Note.Topics, topic) {
				l.Note.Topics = append(l.Note.Topics, topic)
			}
		}
	}
	l.File.Platform, l.File.Topics, l.File.At = l.Platform, l.Note.Topics, l.options.Now
}

// Contents gives what tells these files from others: the certificate, or the service account with its key. It is for a keyed
// hash, never for output; nil when there is not exactly one.
func (l *Lint) Contents() []byte {
	switch {
	case len(l.certificates) == 1 && len(l.accounts) == 0:
		return l.certificates[0].certificate.Raw
	case len(l.certificates) == 0 && len(l.accounts) == 1:
		return l.accounts[0]
	}
	return nil
}

// LintDeclared reads the files of a push credential as an environment declares them. The pass phrase is the declared one.
func LintDeclared(declared verify.PushFile, options Options) (*Lint, error) {
	options.Passphrase = func(string) (string, error) {
		if !declared.HasPass {
			return "", verify.Refusedf("%s: no pass phrase is declared", declared.At)
		}
		return declared.Passphrase.Reveal(), nil
	}
	lint := &Lint{options: options}
	for _, file := range declared.Files {
		if err := lint.take(file.Name, []byte(file.Content.Reveal())); err != nil {
			return nil, err
		}
	}
	lint.finish()
	return lint, nil
}
