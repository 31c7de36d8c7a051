package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type credentialsLintOptions struct {
	shell      *shell
	record     string
	credential string

	files  []string
	attach verify.CredentialSID
}

func newCredentialsLintCmd(s *shell) *cobra.Command {
	o := credentialsLintOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "lint FILE…",
		Short: "Check a certificate, its key, or a service account before it is uploaded",
		Long: `Read the files of a push credential offline, before they are uploaded: no API gives their contents back.

Of an APNs certificate: expiry, bundle ids, which of Apple's environments it serves, whether it is for VoIP only, and
whether the private key belongs to it. Of an FCM service account: project, client, whether its key parses. A legacy server
key, an encrypted key, a .p8 key and an app's google-services.json are told apart. Nothing is sent anywhere.

--record notes expiry and bundle ids in the environment file, so that doctor warns a month before (PUSH-APN-11).

` + exitHelp(0, 1),
		Example: "  verifyctl credentials lint apns.pem apns.key\n  verifyctl credentials lint service-account.json --record staging",
		Args:    argsBetween(1, -1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.files = args
			if err := o.parse(); err != nil {
				return err
			}
			return o.run()
		},
	}
	cmd.Flags().StringVar(&o.record, "record", "", "note what the files tell in this `environment` of the file")
	cmd.Flags().StringVar(&o.credential, "credential", "", "with --record, the push credential CR… that was made of them")
	return cmd
}

func (o *credentialsLintOptions) parse() error {
	var err error
	if o.credential != "" {
		if o.record == "" {
			return verify.Usagef("--credential goes with --record")
		}
		if o.attach, err = verify.ParseCredentialSID(o.credential); err != nil {
			return err
		}
	}
	return nil
}

func (o *credentialsLintOptions) run() error {
	now := time.Now()
	p, err := o.shell.printer(func() time.Time { return now }, lintResource)
	if err != nil {
		return err
	}
	lint, err := doctor.LintFiles(o.files, now)
	if err != nil {
		return err
	}
	if _, err := render.List(p, lintResource, each(lint.Lines)); err != nil {
		return err
	}
	if err := lint.Outcome(); err != nil {
		if o.record != "" {
			o.shell.note("nothing was recorded")
		}
		return status{verify.KindOf(err)}
	}
	if o.record == "" {
		return nil
	}
	return o.note(lint)
}

// note records what the files tell in the environment file.
func (o *credentialsLintOptions) note(lint *doctor.Lint) error {
	if lint.Platform == "" {
		return verify.Usagef("there is nothing to record: the files are neither a push certificate nor a service account")
	}
	cfg, err := o.shell.config()
	if err != nil {
		return err
	}
	note := lint.Note
	note.CredentialSID = o.attach
	change, err := cfg.NoteCredential(o.record, lint.Platform, note)
	if err != nil {
		return err
	}
	what := "the service account"
	if note.Expires != "" {
		what = "the certificate's expiry, " + note.Expires
	}
	o.shell.note("recorded %s in %s", what, strings.Join(change.Files, ", "))
	return nil
}

var lintResource = render.Resource[doctor.LintLine]{
	Columns: []render.Column[doctor.LintLine]{
		{Name: "file", Text: func(l doctor.LintLine) string { return l.File }},
		{Name: "status", Text: func(l doctor.LintLine) string { return string(l.Status) }, Tone: func(l doctor.LintLine) render.Tone { return statusTone(l.Status) }},
		{Name: "what", Text: func(l doctor.LintLine) string { return l.What }},
		{Name: "reason", Text: func(l doctor.LintLine) string { return l.Reason }, Flex: true},
		{Name: "fix", Text: func(l doctor.LintLine) string { return l.Fix }, Flex: true},
	},
}
