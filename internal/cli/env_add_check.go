package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/verifyctl/verifyctl/internal/prompt"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// reach connects with the keys that were given, which are stored nowhere yet.
func (o *envAddOptions) reach(ctx context.Context) (*connection, error) {
	cfg, err := o.shell.config()
	if err != nil {
		return nil, err
	}
	target, err := cfg.Trial(o.addition)
	if err != nil {
		return nil, err
	}
	c, err := o.shell.connect(ctx, target)
	return c, o.untried(err)
}

// keyAttempts is how often keys that somebody types may be refused.
const keyAttempts = 3

// tryKeys uses the keys, and where they are refused asks again for what was asked of them: a mistyped secret must not cost the other
// answers.
func (o *envAddOptions) tryKeys(ctx context.Context, use func(context.Context) error) error {
	for {
		err := use(ctx)
		if o.attempts++; o.attempts == keyAttempts || !o.mistyped(err) {
			return err
		}
		o.shell.note("the keys were refused; type them again, or press Ctrl-C to end: %v", err)
		delete(o.shell.opened.byName, o.name)
		asked := o.asked
		o.asked = nil
		for _, ask := range asked {
			if err := ask(ctx, o.shell.prompter()); err != nil {
				return err
			}
		}
	}
}

// mistyped tells whether an error may be of keys that somebody typed.
func (o *envAddOptions) mistyped(err error) bool {
	e, ok := errors.AsType[*verify.Error](err)
	return ok && e.Kind == verify.KindAuth && e.HTTPStatus != http.StatusForbidden && len(o.asked) > 0 && o.addition.Credentials.Source.Secret != ""
}

// askedFor notes a question about the keys that is put to somebody.
func (o *envAddOptions) askedFor(ask func(context.Context, *prompt.Prompter) error) {
	o.asked = append(o.asked, ask)
}

// check reads the Service with the keys, so that what is stored works.
func (o *envAddOptions) check(ctx context.Context) error {
	if o.noCheck {
		return nil
	}
	c, err := o.reach(ctx)
	if err != nil {
		return err
	}
	service, err := c.client.Service(ctx, o.addition.Environment.ServiceSID)
	if verify.KindOf(err) == verify.KindNotFound {
		return o.noSuchService(ctx, c)
	}
	if err != nil {
		return o.untried(err)
	}
	if err := o.checkAccount(service.AccountSID); err != nil {
		return err
	}
	o.shell.note("the keys work: they read the Service %s", serviceLabel(service))
	return nil
}

// services lists the account's Services to pick from: none where there are none, or the keys may not list them.
func (o *envAddOptions) services(ctx context.Context) ([]verify.Service, error) {
	c, err := o.reach(ctx)
	if err != nil {
		return nil, err
	}
	services, err := collect(limited(mostPicks, c.client.Services(ctx)))
	var e *verify.Error
	switch {
	case err == nil && len(services) > 0:
		return services, o.checkAccount(services[0].AccountSID)
	case err == nil:
		o.shell.note("the account has no Verify Service that these keys can see")
		return nil, nil
	case errors.As(err, &e) && e.HTTPStatus != http.StatusForbidden:
		return nil, o.untried(err)
	}
	o.shell.note("%v", err)
	return nil, nil
}

func serviceLabel(s verify.Service) string { return fmt.Sprintf("%s, %s", s.FriendlyName, s.SID) }

// checkAccount refuses keys of another account than the environment's, which Twilio tells by the account of a reply.
func (o *envAddOptions) checkAccount(of verify.AccountSID) error {
	want := o.addition.Environment.AccountSID
	if of == "" || verify.SameSID(of, want) {
		return nil
	}
	return verify.Refusedf("the account keys %s belong to %s, not to %s; nothing was stored", o.username(), of, want).
		WithHint("sign in with keys of %s, or add an environment with --account-sid %s", want, of)
}

// noSuchService says what a 404 was about: the keys may be of another account, or the SID wrong.
func (o *envAddOptions) noSuchService(ctx context.Context, c *connection) error {
	const most = 5
	env := o.addition.Environment
	services, _ := collect(limited(most, c.client.Services(ctx))) // that they cannot be listed leaves the error as it is
	if len(services) > 0 {
		if err := o.checkAccount(services[0].AccountSID); err != nil {
			return err
		}
	}
	err := notFound("the account %s has no Service %s; nothing was stored", env.AccountSID, env.ServiceSID)
	if len(services) == 0 {
		return err.WithHint("see which there are in the Twilio Console, and whether they are in this account and region")
	}
	labels := make([]string, len(services))
	for i, s := range services {
		labels[i] = serviceLabel(s)
	}
	return err.WithHint("it has %s", strings.Join(labels, "; "))
}

// untried adds to why keys could not be tried that nothing was stored, and how to store them all the same where that makes
// sense: not when Twilio refuses them.
func (o *envAddOptions) untried(err error) error {
	var e *verify.Error
	if !errors.As(err, &e) {
		return err
	}
	e.Message += "; nothing was stored"
	source := o.addition.Credentials.Source
	isLocal := e.Kind == verify.KindAuth && e.HTTPStatus == 0 // no secret, or one that cannot be
	switch {
	case e.Kind == verify.KindInterrupted, e.HTTPStatus == http.StatusUnauthorized, isLocal && source.Secret != "":
		return err
	case isLocal && source.Variable == "" && source.Command == nil:
		e.Hint = "give the secret: --secret-stdin, --secret-env or --secret-command"
	}
	e.Hint = strings.TrimPrefix(e.Hint+"; to store it untested: --no-check", "; ")
	return err
}
