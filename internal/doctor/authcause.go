package doctor

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Twilio's codes for requests it refuses because of who sends them (api/errors/20003 and its neighbours).
const (
	codeAuthentication = 20003
	codeNotActive      = 20005
	codeAccessDenied   = 20006
	codeTestKey        = 20008
	codeSuspended      = 20403
)

type authCause struct {
	reason string
	fix    string
}

// diagnose walks the causes of a refused key and gives the one that fits what was read, the surest first.
func diagnose(snap *snapshot, err error) authCause {
	key := snap.Connection.KeySID
	switch {
	case verify.CodeOf(err) == codeTestKey:
		return authCause{"the key is a test credential, which Verify does not support (20008)",
			"use an API key or the auth token of the live account"}
	case snap.Account.ok() && snap.Account.Value.Status != "" && snap.Account.Value.Status != "active":
		return authCause{fmt.Sprintf("the account is %s", snap.Account.Value.Status), "reopen it in the Console, or ask Twilio's support"}
	case verify.CodeOf(err) == codeNotActive || verify.CodeOf(err) == codeSuspended:
		return authCause{fmt.Sprintf("the account is not active, or suspended (%d)", verify.CodeOf(err)), "add funds or reopen it in the Console"}
	case strings.HasPrefix(key, "AC") && snap.Env.AccountSID != "" && !strings.EqualFold(key, string(snap.Env.AccountSID)):
		return authCause{fmt.Sprintf("the auth token is the one of %s, the environment belongs to %s: a main account's key does not reach a subaccount, nor the reverse", key, snap.Env.AccountSID),
			"use a key of the environment's own account"}
	case isHome(snap.Connection.Region) && lacksPermission(err):
		return authCause{"the key is known but may not read Verify Services: most likely a restricted key without that permission",
			"grant it Verify: read, or use a standard key"}
	case !isHome(snap.Connection.Region):
		return authCause{fmt.Sprintf("requests go to region %s, and keys are good in one region only: this one may belong to us1", snap.Connection.Region),
			"use a key made in that region, or take region out of the environment; Verify Push is documented for us1 only"}
	case snap.Connection.Proxy != "":
		return authCause{fmt.Sprintf("requests go through the proxy %s, which may strip the Authorization header", snap.Connection.Proxy),
			"try with NO_PROXY=.twilio.com, and fix the proxy if that helps"}
	case snap.Account.ok():
		return authCause{"the key reaches the account but not Verify: it may be a restricted key, or one of another region", "grant it Verify: read, or use a standard key"}
	case otherKeyWorks(snap):
		return authCause{"another environment's key of the same account works: this key is wrong, deleted, or its secret belongs to another key", "store the key again, or make a new one (Console: Account > API keys)"}
	}
	return authCause{"the key or its secret is wrong, or the key was deleted", "make a new API key (Console: Account > API keys) and write it to the environment as api_key"}
}

// lacksPermission tells a key that Twilio knows and holds back from one that it does not know.
func lacksPermission(err error) bool {
	var e *verify.Error
	return errors.As(err, &e) && (e.TwilioCode == codeAccessDenied ||
		e.HTTPStatus == http.StatusForbidden && e.TwilioCode != codeAuthentication)
}

func isHome(region string) bool { return region == "" || region == "us1" }

func otherKeyWorks(snap *snapshot) bool {
	return slices.ContainsFunc(snap.accountPeers(), func(peer *snapshot) bool {
		return peer.Service.ok() && peer.Connection.KeySID != snap.Connection.KeySID
	})
}
