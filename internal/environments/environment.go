// Package environments sets up the Verify Services that environments declare: it reads what is there, says what differs,
// changes it in an order that can be resumed, and writes a declaration of what is there. What a declaration does not state is
// never compared, and nothing is deleted because it is not stated.
package environments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Environment is one environment that declares how its Service is to be set up, and what this machine knows of it.
type Environment struct {
	verify.Environment // its ServiceSID is "" before the Service is made
	Declares           verify.ServiceDeclaration
	Now                time.Time

	// File reads what the push credential for a platform is to be made of.
	File func(ctx context.Context, platform verify.Platform) (verify.PushFile, error)
	// Drift asks only what is not as declared, as a CI system does that has no secrets: what a declared file holds is left out where
	// that file is not on this machine, which is said, and so is what a change would bring about.
	Drift bool
	// Memory is nil where this machine remembers nothing.
	Memory Memory
	// Factors counts the verified push factors of a platform, as this machine's index has them; nil where there is none.
	Factors func(ctx context.Context, platform verify.Platform) (n int, known bool)
	// Others are the environments beside it, whose Services are theirs.
	Others []verify.Environment

	uploads map[verify.Platform]upload
	absent  map[verify.Platform]bool // their files are not on this machine
}

// upload is what a push credential is made of, and what its file told.
type upload struct {
	write    verify.CredentialWrite
	file     verify.CredentialFile // without a fingerprint
	contents []byte
}

// Memory is what this machine remembers of uploaded credential files, the newest first.
type Memory interface {
	HashCredential(contents []byte) string
	CredentialFiles(ctx context.Context) iter.Seq2[verify.CredentialFile, error]
}

// platforms are those that have push credentials, in the order in which they are shown.
var platforms = []verify.Platform{verify.PlatformAPN, verify.PlatformFCM}

// Open checks all that can be wrong without asking Twilio: how the iOS app is signed, and the files of the push credentials.
// It gives what is worth a warning. The error is a usage [verify.Error] that names the line.
func (e *Environment) Open(ctx context.Context) (warnings []string, err error) {
	e.uploads, e.absent = map[verify.Platform]upload{}, map[verify.Platform]bool{}
	for _, platform := range platforms {
		declared, ok := e.Declares.Push[platform]
		if !ok || declared.Absent {
			continue
		}
		if platform == verify.PlatformAPN {
			if err := e.checkBuild(declared); err != nil {
				return nil, err
			}
		}
		if declared.Contents != verify.ContentsDeclared {
			continue
		}
		lines, err := e.open(ctx, platform, declared)
		if e.Drift && errors.Is(err, fs.ErrNotExist) {
			e.absent[platform] = true
			warnings = append(warnings, fmt.Sprintf("%v; what is in the %s credential of %s is not compared", err, platform, e.Name))
			continue
		}
		if err != nil {
			return nil, err
		}
		warnings = append(warnings, lines...)
	}
	return warnings, nil
}

// checkBuild holds what is stated of an APNs credential against how the app is signed.
func (e *Environment) checkBuild(declared verify.PushDeclaration) error {
	want := e.IOSBuild.WantedSandbox()
	switch {
	case e.IOSBuild == verify.IOSNone:
		return verify.Usagef("%s: %s declares push.apn, and ios_build: none says that it has no iOS app", declared.At, e.Name).
			WithHint("take push.apn out, or say how the app is signed: %s", e.Config.Command("env", "set", e.Name, "ios_build=distribution"))
	case want == verify.SandboxUnknown:
		return verify.Usagef("%s: %s does not declare how its iOS app is signed, so which APNs credential would serve it is not known", declared.At, e.Name).
			WithHint("declare it: %s, or debug", e.Config.Command("env", "set", e.Name, "ios_build=distribution"))
	case declared.Sandbox != "" && declared.Sandbox != want:
		return verify.Usagef("%s: push.apn has sandbox: %s, and builds signed for %s need %s: Apple would refuse every push", declared.At, declared.Sandbox, e.IOSBuild, want).
			WithHint("leave sandbox out: it follows ios_build")
	}
	return nil
}

func (e *Environment) open(ctx context.Context, platform verify.Platform, declared verify.PushDeclaration) (warnings []string, err error) {
	file, err := e.File(ctx, platform)
	if err != nil {
		return nil, err
	}
	lint, err := pushfile.LintDeclared(file, pushfile.Options{Now: e.Now, Config: e.Config})
	if err != nil {
		return nil, err
	}
	write, err := lint.Upload(e.Environment, platform)
	if err != nil {
		return nil, declaredAt(declared, file, err)
	}
	for _, line := range lint.Warnings() {
		warnings = append(warnings, fmt.Sprintf("%s: %s: %s: %s", declared.ContentsAt, line.File, line.What, line.Reason))
	}
	e.uploads[platform] = upload{write, lint.File, lint.Contents()}
	return warnings, nil
}

// declaredAt adds to what is wrong with a file where it is declared.
func declaredAt(declared verify.PushDeclaration, file verify.PushFile, err error) error {
	problem, ok := errors.AsType[*verify.Error](err)
	if !ok {
		return err
	}
	hint := problem.Hint
	if !file.HasPass && strings.Contains(hint, "--passphrase-env") {
		hint = "declare where its pass phrase is: passphrase_env, passphrase_file or passphrase_command"
	}
	return &verify.Error{Kind: problem.Kind, Message: declared.ContentsAt.String() + ": " + problem.Message, Hint: hint, Cause: err}
}

// CheckTogether refuses environments that cannot be told apart: two in one account that declare a Service, or a push
// credential of a platform, by one name, and do not both say by a SID which one they mean.
func CheckTogether(all []*Environment) error {
	seen := map[string][]claim{}
	for _, e := range all {
		claims := []claim{{"a Service", e.Declares.Settings["friendly_name"], string(e.ServiceSID), e.Declares.At}}
		for _, platform := range platforms {
			if p := e.Declares.Push[platform]; !p.Absent {
				claims = append(claims, claim{"a push credential for " + string(platform), p.Name, string(p.SID), p.At})
			}
		}
		for _, c := range claims {
			key := strings.ToLower(string(e.AccountSID)) + "\x00" + c.what + "\x00" + c.name
			clash := func(other claim) bool { return c.name != "" && (c.sid == "" || other.sid == "") }
			if slices.ContainsFunc(seen[key], clash) {
				return verify.Refusedf("%s: %s declares %s named %q, and so does another environment of its account", c.at, e.Name, c.what, c.name).
					WithHint("give each environment one of its own, or say by its SID which one is meant")
			}
			seen[key] = append(seen[key], c)
		}
	}
	return nil
}

// claim is that an environment declares something by a name.
type claim struct {
	what, name, sid string
	at              verify.Place
}
