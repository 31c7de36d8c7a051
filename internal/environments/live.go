package environments

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Reader reads what is set up in an account. Lists end with the first error.
type Reader interface {
	Services(ctx context.Context) iter.Seq2[verify.Service, error]
	Credentials(ctx context.Context) iter.Seq2[verify.Credential, error]
	Credential(ctx context.Context, credential verify.CredentialSID) (verify.Credential, error)
	Webhooks(ctx context.Context, service verify.ServiceSID) iter.Seq2[verify.Webhook, error]
}

// Account is what an account has, read once for all its environments. A list that is here is whole: what could not be read
// is an error, and never missing.
type Account struct {
	SID         verify.AccountSID
	services    []verify.Service
	credentials []verify.Credential
	webhooks    map[verify.ServiceSID][]verify.Webhook
	reader      Reader
}

// ReadAccount reads the Services and the push credentials of an account. It takes one request for each page of either list.
func ReadAccount(ctx context.Context, account verify.AccountSID, from Reader) (a *Account, err error) {
	a = &Account{SID: account, webhooks: map[verify.ServiceSID][]verify.Webhook{}, reader: from}
	if a.services, err = whole(from.Services(ctx)); err != nil {
		return nil, unread("the Services", account, err)
	}
	if a.credentials, err = whole(from.Credentials(ctx)); err != nil {
		return nil, unread("the push credentials", account, err)
	}
	return a, nil
}

// hooks reads the webhooks of a Service, once.
func (a *Account) hooks(ctx context.Context, service verify.ServiceSID) (hooks []verify.Webhook, err error) {
	hooks, read := a.webhooks[service]
	if read {
		return hooks, nil
	}
	if hooks, err = whole(a.reader.Webhooks(ctx, service)); err != nil {
		return nil, unread("the webhooks of "+string(service), a.SID, err)
	}
	a.webhooks[service] = hooks
	return hooks, nil
}

// unread says that nothing is concluded from what was not read.
func unread(what string, account verify.AccountSID, err error) error {
	return fmt.Errorf("%s of account %s could not be read, so nothing is known of them: %w", what, account, err)
}

func whole[T any](seq iter.Seq2[T, error]) (list []T, err error) {
	for v, err := range seq {
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

// service gives the Service that an environment means, nil when it is yet to be made.
func (a *Account) service(e *Environment) (*verify.Service, error) {
	name := e.Declares.Settings["friendly_name"]
	var found []*verify.Service
	for i := range a.services {
		s := &a.services[i]
		if e.ServiceSID != "" && verify.SameSID(s.SID, e.ServiceSID) || e.ServiceSID == "" && s.FriendlyName == name {
			found = append(found, s)
		}
	}
	switch {
	case e.ServiceSID != "" && len(found) == 0:
		return nil, verify.Refusedf("the Service %s of %s is not in account %s", e.ServiceSID, e.Name, a.SID).
			WithHint("correct service_sid; without it, a Service named as declared is looked for, and else made")
	case len(found) == 0:
		return nil, nil
	case len(found) > 1:
		return nil, verify.Refusedf("%s: account %s has %d Services named %q", e.Declares.At, a.SID, len(found), name).
			WithHint("say which one is meant: %s", e.Config.Command("env", "set", e.Name, "service_sid="+string(found[0].SID)))
	}
	for _, other := range e.Others {
		if other.Name != e.Name && e.ServiceSID == "" && verify.SameSID(other.ServiceSID, found[0].SID) {
			return nil, verify.Refusedf("%s: the Service named %q is %s, which is that of %s", e.Declares.At, name, found[0].SID, other.Name).
				WithHint("give %s a friendly_name of its own", e.Name)
		}
	}
	return found[0], nil
}

// credential gives the push credential that is declared for a platform, nil when it is yet to be made.
func (a *Account) credential(e *Environment, platform verify.Platform) (*verify.Credential, error) {
	p := e.Declares.Push[platform]
	var found []*verify.Credential
	for i := range a.credentials {
		c := &a.credentials[i]
		if p.SID != "" && verify.SameSID(c.SID, p.SID) || p.SID == "" && c.FriendlyName == p.Name && isOf(c, platform) {
			found = append(found, c)
		}
	}
	switch {
	case len(found) > 1:
		return nil, verify.Refusedf("%s: account %s has %d push credentials for %s named %q", p.At, a.SID, len(found), platform, p.Name).
			WithHint("say which one is meant by credential_sid; see them: %s", e.Command("credentials", "list"))
	case len(found) == 0:
		return nil, nil
	case !isOf(found[0], platform):
		return nil, verify.Refusedf("%s: %s is of type %q, not %s", p.At, found[0].SID, found[0].Type, platform)
	}
	return found[0], nil
}

// isOf tells whether a credential is of a platform: the types are spelled as the platforms.
func isOf(c *verify.Credential, platform verify.Platform) bool {
	return strings.EqualFold(c.Type, string(platform))
}

// users gives the Services that use a credential.
func (a *Account) users(credential verify.CredentialSID) (users []verify.Service) {
	for _, s := range a.services {
		if verify.SameSID(s.CredentialSID(verify.PlatformAPN), credential) || verify.SameSID(s.CredentialSID(verify.PlatformFCM), credential) {
			users = append(users, s)
		}
	}
	return users
}
