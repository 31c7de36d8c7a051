package environments

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// contents tells whether a credential is to be replaced because its contents are not the declared ones, and what they are. No
// API gives contents back: what is known of them is what this machine has uploaded.
func (c *comparison) contents(ctx context.Context, p verify.PushDeclaration, platform verify.Platform, live *verify.Credential) (stale bool, why string, err error) {
	what := "certificate of " + string(live.SID)
	if platform == verify.PlatformFCM {
		what = "service account of " + string(live.SID)
	}
	known, err := c.env.remembered(ctx, live.SID)
	if err != nil {
		return false, "", err
	}
	if p.Contents != verify.ContentsDeclared || c.env.absent[platform] || known == nil || c.env.Memory == nil {
		if known == nil {
			c.Notes = append(c.Notes, what+": what is in it is unknown: it cannot be read back, and was not uploaded from here")
		} else {
			c.Notes = append(c.Notes, fmt.Sprintf("%s: it cannot be read back; ours was uploaded %s%s", what, day(known.At), since(live, known)))
		}
		return false, "", nil
	}
	if err := c.sameProject(platform, live.SID); err != nil {
		return false, "", err
	}
	switch {
	case c.env.Memory.HashCredential(c.env.uploads[platform].contents) != known.Fingerprint:
		return true, describe(*known, nil), nil
	case live.DateUpdated.After(written(known)):
		return true, fmt.Sprintf("unknown: changed by somebody else %s, after ours was uploaded %s", verify.Stamp(live.DateUpdated), verify.Stamp(known.At)), nil
	}
	c.Notes = append(c.Notes, fmt.Sprintf("%s: it cannot be read back; ours was uploaded %s and is unchanged since", what, day(known.At)))
	return false, "", nil
}

func since(live *verify.Credential, known *verify.CredentialFile) string {
	if live.DateUpdated.After(written(known)) {
		return ", and the credential was changed " + verify.Stamp(live.DateUpdated)
	}
	return " and is unchanged since"
}

// written is when the credential was changed last by what is remembered, by Twilio's clock where that is known.
func written(known *verify.CredentialFile) time.Time {
	if known.Updated.IsZero() {
		return known.At
	}
	return known.Updated
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// remembered gives what this machine uploaded last as a credential, nil when it does not know.
func (e *Environment) remembered(ctx context.Context, credential verify.CredentialSID) (*verify.CredentialFile, error) {
	if e.Memory == nil {
		return nil, nil
	}
	for file, err := range e.Memory.CredentialFiles(ctx) {
		if err != nil {
			return nil, err
		}
		if verify.SameSID(file.CredentialSID, credential) {
			return &file, nil
		}
	}
	return nil, nil
}

// sameProject refuses the service account of another Firebase project than that of the credential, or of the one that the
// Service has: the tokens of its factors are of that project, and Google would refuse every push (52104).
func (c *comparison) sameProject(platform verify.Platform, credential verify.CredentialSID) error {
	if platform != verify.PlatformFCM || c.env.absent[platform] {
		return nil
	}
	candidates := []verify.CredentialSID{credential}
	if c.service != nil {
		candidates = append(candidates, c.service.CredentialSID(platform))
	}
	for _, sid := range candidates {
		known, err := c.env.remembered(context.Background(), sid)
		if err != nil {
			return err
		}
		if project := c.env.uploads[platform].file.Project; sid != "" && known != nil && known.Project != "" && known.Project != project {
			return verify.Refusedf("%s: the service account is of the Firebase project %s, and %s of %s: phones enrolled with it could not be pushed (52104)",
				c.env.Declares.Push[platform].ContentsAt, project, sid, known.Project).
				WithHint("take a service account of that project; another project needs a Service of its own, where users enrol again")
		}
	}
	return nil
}

func (u upload) describe() string { return describe(u.file, u.contents) }

// describe says what is in a credential file, so that everybody who reviews a plan can tell it from another.
func describe(file verify.CredentialFile, contents []byte) string {
	if file.Platform == verify.PlatformFCM {
		return fmt.Sprintf("service account of project %s, key %s", file.Project, file.KeyID)
	}
	text := "certificate"
	if len(file.Topics) > 0 {
		text += " of " + strings.Join(file.Topics, ", ")
	}
	text += " until " + day(file.NotAfter)
	if contents != nil {
		text += ", SHA-256 " + shortSum(contents)
	}
	return text
}
