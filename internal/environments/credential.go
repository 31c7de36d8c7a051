package environments

import (
	"context"
	"fmt"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func (c *comparison) credential(ctx context.Context, platform verify.Platform) error {
	p := c.env.Declares.Push[platform]
	live, err := c.account.credential(c.env, platform)
	if err != nil {
		return err
	}
	c.credentials[platform] = live
	switch {
	case p.Absent && live == nil:
		return nil
	case p.Absent:
		return c.deleteCredential(p, platform, live)
	case live == nil:
		return c.createCredential(p, platform)
	}
	c.attach[platform] = string(live.SID)
	stale, why, err := c.contents(ctx, p, platform, live)
	if err != nil {
		return err
	}
	if stale {
		c.replaceCredential(p, platform, live, why)
		return nil
	}
	return c.updateCredential(p, platform, live)
}

// replaceCredential makes a new credential beside one that was made of something else.
func (c *comparison) replaceCredential(p verify.PushDeclaration, platform verify.Platform, live *verify.Credential, why string) {
	change := Change{Action: Replace, Kind: KindCredential, Platform: platform, Name: c.nameOf(p, live), SID: string(live.SID),
		Fields:  append(c.inPlace(p, platform, live), Field{"contents", why, c.env.uploads[platform].describe()}),
		Updated: live.DateUpdated, ByName: p.SID == "", At: p.At}
	if !c.env.Drift {
		c.attach[platform] = KnownAfter
		change.Effect = []string{fmt.Sprintf("the old credential %s stays as it is, until %s", live.SID, c.env.Command("credentials", "retire", string(live.SID)))}
	}
	c.Changes = append(c.Changes, change)
}

func (c *comparison) nameOf(p verify.PushDeclaration, live *verify.Credential) string {
	if p.Name == "" {
		return live.FriendlyName
	}
	return p.Name
}

// made are the fields of a credential that is to be made, without its contents.
func (c *comparison) made(platform verify.Platform) []Field {
	if platform == verify.PlatformAPN {
		return []Field{{Name: "sandbox", New: string(c.env.IOSBuild.WantedSandbox())}}
	}
	return nil
}

func (c *comparison) createCredential(p verify.PushDeclaration, platform verify.Platform) error {
	switch p.Contents {
	case verify.ContentsUndeclared:
		return verify.Usagef("%s: there is no push credential for %s %s, and no file is declared to make it of", p.At, platform, called(p)).
			WithHint("declare its %s", map[verify.Platform]string{verify.PlatformAPN: "certificate_file", verify.PlatformFCM: "service_account_file"}[platform])
	case verify.ContentsPlaceholder:
		return verify.Refusedf("%s: there is no push credential for %s %s, and a placeholder has nothing to make it of", p.ContentsAt, platform, called(p)).
			WithHint("put the name of the file in the place of the placeholder")
	}
	if p.Name == "" {
		return verify.Refusedf("%s: the push credential %s of %s is not in account %s", p.At, p.SID, c.env.Name, c.AccountSID).
			WithHint("correct credential_sid, or declare a name for a new one")
	}
	if err := c.sameProject(platform, ""); err != nil {
		return err
	}
	if !c.env.Drift {
		c.attach[platform] = KnownAfter
	}
	change := Change{Action: Create, Kind: KindCredential, Platform: platform, Name: p.Name, At: p.At,
		Fields: append(c.made(platform), Field{Name: "contents", New: c.described(platform)})}
	if p.SID != "" {
		change.Effect = []string{fmt.Sprintf("%s, which is declared, is not in the account any more", p.SID)}
	}
	c.Changes = append(c.Changes, change)
	return nil
}

// described says what a credential would be made of.
func (c *comparison) described(platform verify.Platform) string {
	if c.env.absent[platform] {
		return "unknown: its file is not on this machine"
	}
	return c.env.uploads[platform].describe()
}

// called says which credential is declared.
func called(p verify.PushDeclaration) string {
	if p.SID != "" {
		return "of SID " + string(p.SID)
	}
	return fmt.Sprintf("named %q", p.Name)
}

// inPlace are the name and, for Apple, the sandbox of a credential where they differ: the two that can be changed in place.
func (c *comparison) inPlace(p verify.PushDeclaration, platform verify.Platform, live *verify.Credential) (fields []Field) {
	if p.Name != "" && p.Name != live.FriendlyName {
		fields = append(fields, Field{"friendly_name", live.FriendlyName, p.Name})
	}
	if want := c.env.IOSBuild.WantedSandbox(); platform == verify.PlatformAPN && live.Sandbox != want {
		fields = append(fields, Field{"sandbox", string(live.Sandbox), string(want)})
	}
	return fields
}

// updateCredential changes in place what can be. The sandbox of a credential that another Service uses too is not: its own
// pushes would fail.
func (c *comparison) updateCredential(p verify.PushDeclaration, platform verify.Platform, live *verify.Credential) error {
	fields := c.inPlace(p, platform, live)
	if len(fields) == 0 {
		return nil
	}
	change := Change{Action: Update, Kind: KindCredential, Platform: platform, Name: c.nameOf(p, live), SID: string(live.SID), Fields: fields,
		Updated: live.DateUpdated, ByName: p.SID == "", At: p.At}
	if fields[len(fields)-1].Name == "sandbox" {
		want := c.env.IOSBuild.WantedSandbox()
		for _, user := range c.account.users(live.SID) {
			if c.service == nil || !verify.SameSID(user.SID, c.service.SID) {
				return verify.Refusedf("%s: %s has sandbox %s, %s needs %s, and Service %s (%s) uses it too", p.At, live.SID, live.Sandbox, c.env.Name, want, user.SID, user.FriendlyName).
					WithHint("declare a push credential of its own for %s: another name, and its certificate_file", c.env.Name)
			}
		}
		change.Effect = []string{"pushes through it go to Apple's " + map[verify.Sandbox]string{verify.SandboxTrue: "sandbox", verify.SandboxFalse: "production"}[want] + " from then on"}
	}
	c.Changes = append(c.Changes, change)
	return nil
}

func (c *comparison) deleteCredential(p verify.PushDeclaration, platform verify.Platform, live *verify.Credential) error {
	for _, user := range c.account.users(live.SID) {
		return verify.Refusedf("%s: %s cannot be deleted: Service %s (%s) uses it, and would push nothing any more", p.At, live.SID, user.SID, user.FriendlyName).
			WithHint("attach another credential to that Service first; no documented request detaches one")
	}
	c.deletions = append(c.deletions, Change{Action: Delete, Kind: KindCredential, Platform: platform, Name: live.FriendlyName, SID: string(live.SID), Fields: []Field{},
		Updated: live.DateUpdated, ByName: p.SID == "", At: p.At,
		Effect: []string{"no Verify Service of this account uses it; whether another product does, such as Voice, is not visible here"}})
	return nil
}
