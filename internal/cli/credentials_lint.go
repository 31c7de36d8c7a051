package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/pushfile"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

type credentialsLintOptions struct {
	shell      *shell
	record     string
	credential string
	extract    string
	passphrase passphraseFlag

	files  []string
	attach verify.CredentialSID
}

func newCredentialsLintCmd(s *shell) *cobra.Command {
	o := credentialsLintOptions{shell: s, passphrase: passphraseFlag{shell: s}}
	cmd := &cobra.Command{
		Use:   "lint FILE…|-",
		Short: "Check a certificate, its key, or a service account before you upload it",
		Long: `Read the files of a push credential offline, before they are uploaded: no API gives their contents back.

Of an APNs certificate: expiry, bundle ids, which of Apple's environments it serves, whether it is for VoIP only, and
whether the private key belongs to it. Of an FCM service account: project, client, whether its key parses. What is
neither is named: an app's google-services.json, a .p8 key, a request for a certificate. Nothing is sent anywhere; - is what
stands on standard input, such as a paste.

A .p12 is opened with an empty pass phrase, that of --passphrase-env, or one that is asked for at the terminal; so is an
encrypted key.

--extract DIR writes what was read as Twilio wants it: cert.pem and key.pem (BEGIN RSA PRIVATE KEY), or
service-account.json. It repairs text that was changed on its way here: on one line, indented, in base64, with Bag
Attributes, in rich text. The files are for their owner only; nothing is written over a file or through a link.

--record notes expiry and bundle ids in the environment file, so that doctor warns a month before (PUSH-APN-11).

` + exitHelp(0, 1, 6),
		Example: `  # apns.pem and apns.key are yours: the certificate and the key that Twilio is to get
  verifyctl credentials lint apns.pem apns.key

  # apns.p12 is yours too, and its pass phrase is in P12_PASSPHRASE
  verifyctl credentials lint apns.p12 --passphrase-env P12_PASSPHRASE --extract clean

  # service-account.json is from the Firebase console; note its facts in the environment staging
  verifyctl credentials lint service-account.json --record staging`,
		Args: argsBetween(1, -1),
		RunE: parseThenRun(o.parse, o.run),
	}
	cmd.Flags().StringVar(&o.record, "record", "", "note what the files tell in this `environment` of the file")
	o.passphrase.register(cmd.Flags())
	cmd.Flags().StringVar(&o.extract, "extract", "", "write clean files for Twilio into this `folder`")
	cmd.Flags().StringVar(&o.credential, "credential", "", "with --record, the push credential CR… that was made of them")
	return cmd
}

func (o *credentialsLintOptions) parse(args []string) (err error) {
	o.files = args
	if o.credential != "" {
		if o.record == "" {
			return verify.Usagef("--credential goes with --record")
		}
		if o.attach, err = verify.ParseCredentialSID(o.credential); err != nil {
			return err
		}
	}
	return o.passphrase.parse()
}

func (o *credentialsLintOptions) run(ctx context.Context) error {
	now := time.Now()
	p := o.shell.printer(func() time.Time { return now })
	in := o.shell.input
	if slices.Contains(o.files, "-") {
		in = o.shell.standardInput("the credential")
	}
	lint, err := pushfile.LintFiles(o.files, pushfile.Options{Now: now, Config: o.shell.file(), Stdin: in, Passphrase: o.passphrase.of(ctx)})
	if err != nil {
		return err
	}
	if o.passphrase.value != nil && !o.passphrase.used {
		o.shell.note("the passphrase was not needed")
	}
	var written []string
	var extractErr error
	if o.extract != "" { // before it is told: what is mended then no longer fails
		written, extractErr = lint.Extract(o.extract)
	}
	if err := o.print(p, lint.Lines); err != nil {
		return err
	}
	if len(written) > 0 {
		o.shell.note("wrote %s", strings.Join(written, ", "))
	}
	if extractErr != nil {
		return extractErr
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
	return o.note(ctx, lint)
}

// print lists the lines; on a terminal it writes a page, because a table would cut off the sentences that tell.
func (o *credentialsLintOptions) print(p *render.Printer, lines []pushfile.Line) error {
	if !p.ForPeople() || o.shell.flags.columns != nil {
		return listAll(p, lintResource, lines)
	}
	words := map[pushfile.Status]string{pushfile.Pass: "ok     ", pushfile.Warn: "WARN   ", pushfile.Fail: "FAIL   ", pushfile.Unknown: "UNKNOWN"}
	for i, line := range lines {
		if i == 0 || lines[i-1].File != line.File {
			fmt.Fprintln(o.shell.out, render.Sanitize(line.File))
		}
		fmt.Fprintf(o.shell.out, "  %s  %s: %s\n", p.Paint(words[line.Status], statusTone(doctor.Status(line.Status))), line.What, render.Sanitize(line.Reason))
		if line.Fix != "" && (i+1 == len(lines) || lines[i+1].Fix != line.Fix || lines[i+1].File != line.File) {
			fmt.Fprintf(o.shell.out, "           fix: %s\n", render.Sanitize(line.Fix))
		}
	}
	return nil
}

// note records what the files tell in the environment file, and where it is known of which credential, on this machine too.
func (o *credentialsLintOptions) note(ctx context.Context, lint *pushfile.Lint) error {
	if lint.Platform == "" {
		return verify.Usagef("nothing to record: the files are neither a push certificate nor a service account")
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
	if o.attach != "" && lint.Contents() != nil {
		if err := o.remember(ctx, lint); err != nil {
			return err
		}
	}
	what := "the service account"
	if note.Expires != "" {
		what = "the certificate's expiry, " + note.Expires
	}
	o.shell.note("recorded %s in %s", what, strings.Join(change.Files, ", "))
	return nil
}

// remember keeps what the files tell of the credential that was made of them.
func (o *credentialsLintOptions) remember(ctx context.Context, lint *pushfile.Lint) error {
	memory, err := o.shell.openMemoryOf(ctx, o.record)
	if err != nil {
		return err
	}
	defer memory.Close()
	file := lint.File
	file.CredentialSID, file.Fingerprint = o.attach, memory.HashCredential(lint.Contents())
	return memory.RememberCredentialFile(ctx, file)
}

var lintResource = render.Resource[pushfile.Line]{
	Columns: []render.Column[pushfile.Line]{
		{Name: "file", Text: func(l pushfile.Line) string { return l.File }},
		{Name: "status", Text: func(l pushfile.Line) string { return string(l.Status) }, Tone: func(l pushfile.Line) render.Tone { return statusTone(doctor.Status(l.Status)) }},
		{Name: "what", Text: func(l pushfile.Line) string { return l.What }},
		{Name: "reason", Text: func(l pushfile.Line) string { return l.Reason }, Flex: true},
		{Name: "fix", Text: func(l pushfile.Line) string { return l.Fix }, Flex: true},
	},
}
