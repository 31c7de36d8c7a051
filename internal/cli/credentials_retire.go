package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/verify"
)

type credentialsRetireOptions struct {
	shell    *shell
	write    writeFlags
	deletion deletionFlag

	credential verify.CredentialSID
}

func newCredentialsRetireCmd(s *shell) *cobra.Command {
	o := credentialsRetireOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "retire CR…",
		Short: "Delete a push credential that no Verify Service uses",
		Long: `Delete a push credential for good, such as the old one after "verifyctl credentials rotate".

It is refused while any Verify Service of the account uses the credential, or while a rotation that may put it back has not
ended. Whether another Twilio product uses it (Notify, Conversations, Voice) cannot be seen from here, so its name is typed to
confirm, or given by --confirm-delete. Certificate and key cannot be read back: without their file they are lost.

` + exitHelp(writeStatuses...),
		Example: `  verifyctl -e demo credentials list
  verifyctl -e demo credentials retire CR843c081ac3b5c0fceffec673a81d207a --dry-run`,
		Args: argsBetween(1, 1),
		ValidArgsFunction: completeLive(s, func(ctx context.Context, c *connection) rowsOf[verify.Credential] { return c.client.Credentials(ctx) },
			func(v verify.Credential) string { return described(string(v.SID), v.FriendlyName) }),
		RunE: parseThenRun(o.parse, o.run),
	}
	o.deletion.register(cmd.Flags())
	o.write.register(cmd.Flags())
	return cmd
}

func (o *credentialsRetireOptions) parse(args []string) (err error) {
	o.credential, err = verify.ParseCredentialSID(args[0])
	return err
}

func (o *credentialsRetireOptions) run(ctx context.Context) error {
	c, _, err := o.shell.begin(ctx, needsAccount)
	if err != nil {
		return err
	}
	credential, err := c.client.Credential(ctx, o.credential)
	if err != nil {
		return err
	}
	if err := o.check(ctx, c, credential); err != nil {
		return err
	}
	what := fmt.Sprintf("delete push credential %s (%s, %s)", credential.SID, credential.FriendlyName, credential.Type)
	if o.write.dryRun {
		o.shell.note("dry run: would %s; other products' use of it cannot be seen", what)
		return nil
	}
	c.rules = o.shell.strictestOfAccount(c.target)
	w, err := c.writer(ctx, o.write, strings.ToUpper(what[:1])+what[1:]+"?", destructive)
	if err != nil {
		return err
	}
	if err := o.deletion.confirm(ctx, o.shell, credential); err != nil {
		return err
	}
	if err := w.DeleteCredential(ctx, credential); err != nil {
		return err
	}
	o.shell.note("deleted push credential %s", credential.SID)
	return nil
}

// check refuses to delete what is in use, as far as that can be seen.
func (o *credentialsRetireOptions) check(ctx context.Context, c *connection, credential verify.Credential) error {
	services, err := collect(c.client.Services(ctx))
	if err != nil {
		return err
	}
	if use := usedBy(credential, services); len(use.UsedBy) > 0 {
		return verify.Refusedf("push credential %s is used by the Service %s (%s): its pushes would fail", credential.SID, use.UsedBy[0], use.names[0]).
			WithHint("attach another one first: %s", c.env.Command("credentials", "rotate", credential.Type, "--file", "FILE"))
	}
	if c.service() == "" {
		return nil
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	for _, platform := range []verify.Platform{verify.PlatformAPN, verify.PlatformFCM} {
		r, found, err := memory.UnfinishedRotation(ctx, c.service(), platform)
		if err != nil {
			return err
		}
		if found && slices.ContainsFunc([]verify.CredentialSID{r.Old, r.New}, func(sid verify.CredentialSID) bool { return verify.SameSID(sid, credential.SID) }) {
			return verify.Refusedf("push credential %s belongs to a rotation that began %s and has not ended", credential.SID, verify.Stamp(r.Began)).
				WithHint("end it first: %s", c.env.Command("credentials", "rotate", string(platform), "--file", "FILE"))
		}
	}
	return nil
}
