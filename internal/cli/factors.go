package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/fleet"
	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/verify"
)

func newFactorsCmd(s *shell) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "factors",
		Aliases: []string{"factor"},
		Short:   "List, show and delete factors: the devices of users",
		Long: `A factor is one registered device of an entity. An entity is addressed by its identity, the name your backend gave it.

Deleting a factor cannot be undone: Twilio returns its public key only on creation, so the user has to enrol again.`,
	}
	cmd.AddCommand(newFactorsListCmd(s), newFactorsShowCmd(s), newFactorsDeleteCmd(s), newFactorsDeletedCmd(s),
		newFactorsFindCmd(s), newFactorsPruneCmd(s))
	return cmd
}

// factorView is the JSON form of a factor: Twilio's names, the push token replaced by a keyed hash that tells two apart.
type factorView struct {
	verify.Factor
	TokenHash string `json:"notification_token_hash,omitempty"`
}

func factorResource(hash func(verify.PushToken) string) render.Resource[verify.Factor] {
	return render.Resource[verify.Factor]{
		SID: func(f verify.Factor) string { return string(f.SID) },
		View: func(f verify.Factor) any {
			return factorView{Factor: f, TokenHash: hash(f.Config.Token)}
		},
		Columns: []render.Column[verify.Factor]{
			{Name: "sid", Text: func(f verify.Factor) string { return string(f.SID) }},
			{Name: "identity", Text: func(f verify.Factor) string { return string(f.Identity) }, Named: true},
			{Name: "friendly_name", Text: func(f verify.Factor) string { return f.FriendlyName }, Flex: true, Named: true},
			{Name: "status", Text: func(f verify.Factor) string { return string(f.Status) }, Tone: factorTone},
			{Name: "platform", Text: func(f verify.Factor) string { return string(f.Config.Platform) }},
			{Name: "app_id", Text: func(f verify.Factor) string { return f.Config.AppID }, Flex: true},
			{Name: "sdk_version", Text: func(f verify.Factor) string { return f.Config.SDKVersion }},
			{Name: "created", Time: func(f verify.Factor) time.Time { return f.DateCreated }},
			{Name: "updated", Time: func(f verify.Factor) time.Time { return f.DateUpdated }, Wide: true},
			{Name: "type", Text: func(f verify.Factor) string { return string(f.Type) }, Wide: true},
			{Name: "metadata", Text: func(f verify.Factor) string { return keyValues(f.Metadata) }, Flex: true, Wide: true, Named: true},
			{Name: "token_hash", Text: func(f verify.Factor) string { return hash(f.Config.Token) }, Wide: true},
			{Name: "entity_sid", Text: func(f verify.Factor) string { return string(f.EntitySID) }, Wide: true},
			{Name: "service_sid", Text: func(f verify.Factor) string { return string(f.ServiceSID) }, Wide: true},
			{Name: "account_sid", Text: func(f verify.Factor) string { return string(f.AccountSID) }, Wide: true},
		},
	}
}

func factorTone(f verify.Factor) render.Tone {
	if f.Status == verify.FactorVerified {
		return render.Good
	}
	return render.Warn
}

// --- factors list

type factorsListOptions struct {
	shell *shell

	identityArg string
	status      string
	platform    string
	kind        string
	appID       string
	limit       int
	all         bool
	where       string

	filter fleet.Filter
}

func newFactorsListCmd(s *shell) *cobra.Command {
	o := factorsListOptions{shell: s}
	cmd := &cobra.Command{
		Use:     "list [IDENTITY]",
		Aliases: []string{"ls"},
		Short:   "List the factors of an identity, or of the whole Service",
		Long: `List factors with status, platform, app, SDK version and age.

With an IDENTITY (or user:NAME, mapped as the environment says, or - for standard input) it costs one request. Without,
every entity of the Service is read, which costs one request each: Twilio has no list of factors per Service. In
production that stops at 1,000 entities unless --limit or --all is given. With --where the index of this machine answers
("fleet sync" fills it), without a request.

` + exitHelp(readStatuses...),
		Example: `  verifyctl -e demo factors list
  verifyctl -e demo factors list user-1001-amara
  verifyctl -e demo factors list --platform apn --status verified -o csv`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: s.completeIdentity,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.parse(args); err != nil {
				return err
			}
			if o.where != "" {
				return s.listIndexed(cmd.Context(), o.limit, func(now time.Time) (verify.Condition, error) { return where(o.where, now) })
			}
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.status, "status", "", "only verified or unverified factors")
	flags.StringVar(&o.platform, "platform", "", "only factors of apn, fcm or none")
	flags.StringVar(&o.kind, "type", "", "only factors of the type push, totp or passkeys")
	flags.StringVar(&o.appID, "app-id", "", "only factors of this app, such as com.example.app")
	flags.IntVar(&o.limit, "limit", 0, "stop after this many factors")
	flags.BoolVar(&o.all, "all", false, "read every entity, in production too")
	flags.StringVar(&o.where, "where", "", whereHelp)
	s.completeValues(cmd, "status", "verified", "unverified")
	s.completeValues(cmd, "platform", "apn", "fcm", "none")
	s.completeValues(cmd, "type", "push", "totp", "passkeys")
	return cmd
}

func (o *factorsListOptions) parse(args []string) error {
	if len(args) > 0 {
		o.identityArg = args[0]
	}
	if o.where != "" {
		return o.checkWhere()
	}
	var err error
	o.filter = fleet.Filter{AppID: o.appID}
	o.filter.Status, err = oneOf("--status", o.status, verify.FactorVerified, verify.FactorUnverified)
	if err != nil {
		return err
	}
	o.filter.Platform, err = oneOf("--platform", o.platform, verify.PlatformAPN, verify.PlatformFCM, verify.PlatformNone)
	if err != nil {
		return err
	}
	o.filter.Type, err = oneOf("--type", o.kind, verify.FactorPush, verify.FactorTOTP, verify.FactorPasskeys)
	if err != nil {
		return err
	}
	if o.limit < 0 {
		return verify.Usagef("--limit %d is negative", o.limit)
	}
	return factorResource(noHash).CheckColumns(o.shell.flags.columns)
}

// checkWhere refuses flags that --where makes superfluous: they would not be looked at.
func (o *factorsListOptions) checkWhere() error {
	if o.identityArg != "" || o.status != "" || o.platform != "" || o.kind != "" || o.appID != "" || o.all {
		return verify.Usagef("--where asks the index and says everything: it goes with --limit only").
			WithHint("such as --where 'identity = user-1001-amara and status = verified'")
	}
	return nil
}

func (o *factorsListOptions) run(ctx context.Context) error {
	c, p, err := o.shell.startService(ctx)
	if err != nil {
		return err
	}
	if o.identityArg == "" {
		return o.walk(ctx, c, p)
	}
	identity, err := c.identity(ctx, o.identityArg)
	if err != nil {
		return err
	}
	r := factorResource(c.hashToken)
	if p.ForPeople() {
		r = r.Without("identity") // it is the same in every line
	}
	n, err := render.List(p, r, limited(o.limit, matching(o.filter, c.client.Factors(ctx, c.service(), identity))))
	if err != nil {
		return c.explainIdentity(err, identity)
	}
	switch {
	case n == 0:
		o.shell.note("%s has no factor%s", identity, forFilter(o.filter))
	case n > 1:
		o.shell.note("each phone's app shows only its own factor; this list has all %d", n)
	}
	return nil
}

// walk lists the factors of every entity. Identities that could not be read are named, and make the result partial.
func (o *factorsListOptions) walk(ctx context.Context, c *connection, p *render.Printer) error {
	progress := o.shell.progress("reading entities", c.now)
	var seen fleet.WalkProgress
	walk := fleet.Walk(ctx, c.client, c.service(), o.filter, fleet.WalkOptions{
		Limit: o.limit, All: o.all, Production: c.env.IsProduction(),
		Progress: func(w fleet.WalkProgress) {
			seen = w
			progress.Set(int64(w.Entities), 0, fmt.Sprintf("%d factors", w.Factors))
		},
	})
	var failed []error
	n, err := render.List(p, factorResource(c.hashToken), setAside(walk, &failed))
	progress.Close()
	if n == 0 && err == nil && len(failed) == 0 {
		o.shell.note("no factor%s in %s of %s", forFilter(o.filter), counted(seen.Entities, "entity"), c.label())
	}
	if o.limit > 0 && n == o.limit {
		o.shell.note("stopped at --limit %d; there may be more", o.limit)
	}
	for _, e := range failed {
		o.shell.note("not read: %v", e)
	}
	if len(failed) > 0 && err == nil {
		return &verify.Error{Kind: verify.KindPartial,
			Message: fmt.Sprintf("%d of %s could not be read; their factors are missing above", len(failed), counted(seen.Entities, "entity"))}
	}
	return err
}

// setAside gives the factors of a walk and keeps aside the errors that concern one identity only.
func setAside(walk iter.Seq2[verify.Factor, error], failed *[]error) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) {
		for f, err := range walk {
			if err != nil && f.Identity != "" {
				*failed = append(*failed, fmt.Errorf("%s: %w", f.Identity, err))
				continue
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

func matching(filter fleet.Filter, factors iter.Seq2[verify.Factor, error]) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) {
		for f, err := range factors {
			if err != nil || filter.Match(f) {
				if !yield(f, err) {
					return
				}
			}
		}
	}
}

func forFilter(f fleet.Filter) string {
	if f == (fleet.Filter{}) {
		return ""
	}
	return " that fits"
}

// --- factors show

type factorsShowOptions struct {
	shell *shell

	identityArg string

	factor verify.FactorSID
}

func newFactorsShowCmd(s *shell) *cobra.Command {
	o := factorsShowOptions{shell: s}
	return &cobra.Command{
		Use:     "show IDENTITY YF…",
		Aliases: []string{"get"},
		Short:   "Show one factor with everything Twilio tells of it",
		Long: `Show one factor. Its push token is shown as a keyed hash: two factors with one token have the same hash.

` + exitHelp(readStatuses...),
		Example:           "  verifyctl -e demo factors show user-1001-amara YFa728cd25f69d7c893427e286d6ccc0a1",
		Args:              argsBetween(2, 2),
		ValidArgsFunction: s.completeIdentityThenFactors,
		RunE: func(cmd *cobra.Command, args []string) error {
			var err error
			o.identityArg = args[0]
			if o.factor, err = verify.ParseFactorSID(args[1]); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
}

func (o *factorsShowOptions) run(ctx context.Context) error {
	c, p, err := o.shell.startService(ctx)
	if err != nil {
		return err
	}
	identity, err := c.identity(ctx, o.identityArg)
	if err != nil {
		return err
	}
	factor, err := c.client.Factor(ctx, c.service(), identity, o.factor)
	if err != nil {
		return c.explainIdentity(err, identity)
	}
	return render.One(p, factorResource(c.hashToken), factor)
}

// --- factors delete

type factorsDeleteOptions struct {
	shell *shell
	write writeFlags

	identityArg string
	device      string
	all         bool

	factors []verify.FactorSID
	bulk    factorsBulkOptions
}

func newFactorsDeleteCmd(s *shell) *cobra.Command {
	o := factorsDeleteOptions{shell: s, bulk: factorsBulkOptions{shell: s}}
	cmd := &cobra.Command{
		Use:     "delete (IDENTITY [YF…] | --where EXPRESSION | --from FILE | --apply FILE)",
		Aliases: []string{"rm"},
		Short:   "Delete factors of an identity, or of many, for good",
		Long: `Delete the named factors, those whose friendly name fits --device, or --all of an identity.

Each factor is read first and shown. A deleted factor cannot be brought back: the user has to enrol again. What it was is
kept on this machine; "verifyctl factors deleted" shows it. --all keeps the entity and its challenge history.

Challenges still pending on a deleted factor cannot be cancelled; they are named afterwards.

In an incident, --where takes the factors of any identity that fit an expression (it asks the index of "fleet sync"), and --from
those of a list. With --plan they are written into a file for review, which --apply then works through: each factor is read
again just before its delete, and must still fit. It goes in stages of 10, 100, 1,000 and the rest; in production each stage
ends with status 3 and the command that goes on, unless --through. Stopping at any point is safe. The identities are listed,
so that the users can be told.

` + exitHelp(writeStatuses...),
		Example: `  verifyctl -e demo factors delete user-1001-amara --device 'Pixel*' --dry-run
  verifyctl -e demo factors delete user-1001-amara YFdeaf3bf5746a672e2eeb5e50f10afabc --yes
  verifyctl -e demo factors delete --where 'platform = apn and sdk_version < 3.0.1' --plan incident.ndjson
  verifyctl -e demo factors delete --apply incident.ndjson --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if o.bulk.given() {
				return noArgs(cmd, args)
			}
			return argsBetween(1, -1)(cmd, args)
		},
		ValidArgsFunction: s.completeIdentityThenFactors,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.bulk.given() {
				return o.bulk.run(cmd.Context(), o.write)
			}
			if err := o.parse(args); err != nil {
				return err
			}
			return o.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	o.bulk.register(cmd)
	flags.StringVar(&o.device, "device", "", "factors whose friendly name fits this `glob`, letter case aside")
	flags.BoolVar(&o.all, "all", false, "all factors of the identity; the entity stays")
	o.write.register(flags)
	return cmd
}

func (o *factorsDeleteOptions) parse(args []string) error {
	o.identityArg = args[0]
	for _, arg := range args[1:] {
		sid, err := verify.ParseFactorSID(arg)
		if err != nil {
			return err
		}
		o.factors = append(o.factors, sid)
	}
	chosen := 0
	for _, given := range []bool{len(o.factors) > 0, o.device != "", o.all} {
		if given {
			chosen++
		}
	}
	switch {
	case chosen == 0:
		return verify.Usagef("which factors? Name their SIDs, or use --device GLOB or --all").
			WithHint("see them: %s", verify.Command(o.shell.flags.env, "factors", "list", o.identityArg))
	case chosen > 1:
		return verify.Usagef("factor SIDs, --device and --all exclude each other")
	}
	if _, err := path.Match(o.device, ""); err != nil {
		return verify.Usagef("--device %q is not a glob: %w", o.device, err)
	}
	return nil
}

func (o *factorsDeleteOptions) run(ctx context.Context) error {
	c, p, err := o.shell.startService(ctx)
	if err != nil {
		return err
	}
	identity, err := c.identity(ctx, o.identityArg)
	if err != nil {
		return err
	}
	every, err := collect(distinct(c.client.Factors(ctx, c.service(), identity)))
	if err != nil {
		return c.explainIdentity(err, identity)
	}
	doomed, err := o.choose(c, identity, every)
	if err != nil {
		return err
	}
	if err := o.show(c, identity, doomed, every); err != nil {
		return err
	}
	if o.write.dryRun {
		o.shell.note("dry run: nothing was deleted")
		return nil
	}
	question := fmt.Sprintf("Delete %s of %s in %s? This cannot be undone.", counted(len(doomed), "factor"), identity, c.label())
	w, err := c.writer(ctx, o.write, question, destructive)
	if err != nil {
		return err
	}
	return o.delete(ctx, c, w, p, identity, doomed)
}

// distinct leaves out a factor that the list names again: pages can overlap while the list changes.
func distinct(factors iter.Seq2[verify.Factor, error]) iter.Seq2[verify.Factor, error] {
	return func(yield func(verify.Factor, error) bool) {
		seen := map[verify.FactorSID]bool{}
		for f, err := range factors {
			if err == nil && seen[f.SID] {
				continue
			}
			seen[f.SID] = true
			if !yield(f, err) {
				return
			}
		}
	}
}

// choose picks the factors to delete out of all of the identity's.
func (o *factorsDeleteOptions) choose(c *connection, identity verify.Identity, every []verify.Factor) ([]verify.Factor, error) {
	if o.all || o.device != "" {
		var fit []verify.Factor
		for _, f := range every {
			name, glob := strings.ToLower(f.FriendlyName), strings.ToLower(o.device)
			if matched, _ := path.Match(glob, name); o.all || matched {
				fit = append(fit, f)
			}
		}
		if len(fit) == 0 {
			return nil, &verify.Error{Kind: verify.KindNotFound, Message: fmt.Sprintf("%s has no factor to delete%s", identity, forDevice(o.device)),
				Hint: "see what there is: " + verify.Command(c.env.Name, "factors", "list", string(identity))}
		}
		return fit, nil
	}
	bySID := map[string]verify.Factor{}
	for _, f := range every {
		bySID[strings.ToLower(string(f.SID))] = f
	}
	var fit []verify.Factor
	for _, sid := range o.factors {
		key := strings.ToLower(string(sid))
		f, ok := bySID[key]
		if !ok {
			return nil, &verify.Error{Kind: verify.KindNotFound, Message: fmt.Sprintf("%s has no factor %s; nothing was deleted", identity, sid),
				Hint: "see what there is: " + verify.Command(c.env.Name, "factors", "list", string(identity))}
		}
		delete(bySID, key)
		fit = append(fit, f)
	}
	return fit, nil
}

func forDevice(glob string) string {
	if glob == "" {
		return ""
	}
	return fmt.Sprintf(" whose friendly name fits %q", glob)
}

// show tells on standard error what will go, and warns when no verified push factor would be left.
func (o *factorsDeleteOptions) show(c *connection, identity verify.Identity, doomed, every []verify.Factor) error {
	o.shell.note("to be deleted in %s:", c.label())
	if err := o.shell.showOnErr(c.now, func(p *render.Printer) error {
		_, err := render.List(p, factorResource(c.hashToken), each(doomed))
		return err
	}); err != nil {
		return err
	}
	if had, loses := usable(every), usable(doomed); had > 0 && had == loses {
		o.shell.note("warning: %s will have no verified push factor left and cannot approve logins by push", identity)
	}
	return nil
}

func usable(factors []verify.Factor) int {
	n := 0
	for _, f := range factors {
		if f.CanBeChallenged() {
			n++
		}
	}
	return n
}

// deletion is one line of the result.
type deletion struct {
	SID      string          `json:"sid"` // of the factor, or of an entity with all its factors
	Identity verify.Identity `json:"identity"`
	Name     string          `json:"friendly_name"`
	Outcome  string          `json:"outcome"` // deleted, already gone, failed, unknown, not tried
	Error    string          `json:"error,omitempty"`
}

var deletionResource = render.Resource[deletion]{
	SID: func(d deletion) string { return d.SID },
	Columns: []render.Column[deletion]{
		{Name: "sid", Text: func(d deletion) string { return d.SID }},
		{Name: "friendly_name", Text: func(d deletion) string { return d.Name }, Flex: true, Named: true},
		{Name: "outcome", Text: func(d deletion) string { return d.Outcome }},
		{Name: "error", Text: func(d deletion) string { return d.Error }, Flex: true},
	},
}

// delete deletes one factor after the other and reports each after its own call returned. After Ctrl-C, and after an answer
// that the next request would get as well, no other is begun.
func (o *factorsDeleteOptions) delete(ctx context.Context, c *connection, w *writer, p *render.Printer, identity verify.Identity, doomed []verify.Factor) error {
	var failures []error
	gone := map[verify.FactorSID]bool{} // or perhaps gone
	var rest []string
	var hopeless bool
	results := func(yield func(deletion, error) bool) {
		open := true // a reader that goes away does not end the batch
		for _, f := range doomed {
			d := deletion{SID: string(f.SID), Identity: identity, Name: f.FriendlyName, Outcome: "not tried"}
			if ctx.Err() != nil || hopeless {
				rest = append(rest, string(f.SID))
			} else {
				outcome, err := w.DeleteFactor(ctx, f)
				d.Outcome = outcome
				gone[f.SID] = outcome != "failed"
				if err != nil {
					d.Error = err.Error()
					failures = append(failures, err)
					hopeless = verify.KindOf(err) == verify.KindAuth || verify.KindOf(err) == verify.KindRefused
				}
			}
			open = open && yield(d, nil)
		}
	}
	_, err := render.List(p, deletionResource, results)
	if ctx.Err() != nil && len(rest) > 0 {
		stopped := &verify.Error{Kind: verify.KindInterrupted, Message: fmt.Sprintf("interrupted: %d of %s not tried", len(rest), counted(len(doomed), "factor")),
			Hint: "go on with the rest: " + verify.Command(c.env.Name, append([]string{"factors", "delete", string(identity)}, rest...)...)}
		return errors.Join(append([]error{stopped}, failures...)...)
	}
	if ctx.Err() == nil {
		o.namePending(ctx, c, identity, gone)
	}
	return errors.Join(append(failures, err)...)
}

// namePending names the challenges that can still be answered on paper but not in practice: Twilio cannot cancel them.
func (o *factorsDeleteOptions) namePending(ctx context.Context, c *connection, identity verify.Identity, gone map[verify.FactorSID]bool) {
	for ch, err := range c.client.Challenges(ctx, c.service(), identity, verify.ChallengeFilter{Status: verify.ChallengePending}) {
		switch {
		case verify.KindOf(err) == verify.KindNotFound && err != nil:
			return
		case err != nil:
			o.shell.note("whether challenges are still pending is unknown: %v", err)
			return
		case gone[ch.FactorSID]:
			o.shell.note("challenge %s on %s is still pending and cannot be cancelled; it expires %s", ch.SID, ch.FactorSID,
				render.Age(ch.ExpirationDate, c.now()))
		}
	}
}

// --- factors deleted

type factorsDeletedOptions struct {
	shell *shell

	identityArg string
	limit       int
}

func newFactorsDeletedCmd(s *shell) *cobra.Command {
	o := factorsDeletedOptions{shell: s}
	cmd := &cobra.Command{
		Use:   "deleted [IDENTITY]",
		Short: "Show the factors deleted from this machine, as they last were",
		Long: `Show what "factors delete" and "factors prune" deleted from this machine. Twilio keeps nothing of a deleted factor, so
this record is all that is left. Push tokens are kept as keyed hashes only.

` + exitHelp(0, 5),
		Example: "  verifyctl -e demo factors deleted",
		Args:    argsBetween(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				o.identityArg = args[0]
			}
			return o.run(cmd.Context())
		},
	}
	cmd.Flags().IntVar(&o.limit, "limit", 0, "stop after this many")
	return cmd
}

var deletedResource = render.Resource[verify.Deletion]{
	SID: func(d verify.Deletion) string { return string(d.Factor.SID) },
	Columns: []render.Column[verify.Deletion]{
		{Name: "sid", Text: func(d verify.Deletion) string { return string(d.Factor.SID) }},
		{Name: "identity", Text: func(d verify.Deletion) string { return string(d.Factor.Identity) }, Named: true},
		{Name: "friendly_name", Text: func(d verify.Deletion) string { return d.Factor.FriendlyName }, Flex: true, Named: true},
		{Name: "platform", Text: func(d verify.Deletion) string { return string(d.Factor.Config.Platform) }},
		{Name: "outcome", Text: deletionOutcome},
		{Name: "deleted", Time: func(d verify.Deletion) time.Time { return d.At }},
		{Name: "by", Text: func(d verify.Deletion) string { return d.By }},
		{Name: "reason", Text: func(d verify.Deletion) string { return d.Reason }, Flex: true},
		{Name: "created", Time: func(d verify.Deletion) time.Time { return d.Factor.DateCreated }, Wide: true},
		{Name: "token_hash", Text: func(d verify.Deletion) string { return d.TokenHash }, Wide: true},
	},
}

// deletionOutcome says what became of a delete; one that was never finished may have happened.
func deletionOutcome(d verify.Deletion) string {
	if d.Outcome == "" {
		return "unknown"
	}
	return d.Outcome
}

func (o *factorsDeletedOptions) run(ctx context.Context) error {
	if err := deletedResource.CheckColumns(o.shell.flags.columns); err != nil {
		return err
	}
	c, p, err := o.shell.start(ctx)
	if err != nil {
		return err
	}
	filter := verify.DeletionFilter{Limit: o.limit}
	if o.identityArg != "" {
		if filter.Identity, err = c.identity(ctx, o.identityArg); err != nil {
			return err
		}
	}
	memory, err := c.memory(ctx)
	if err != nil {
		return err
	}
	n, err := render.List(p, deletedResource, memory.Deletions(ctx, filter))
	if err == nil && n == 0 {
		o.shell.note("no factor of %s was deleted from this machine", c.label())
	}
	return err
}
