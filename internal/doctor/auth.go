package doctor

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const keyAge = 365 * 24 * time.Hour // when a key is old enough to be replaced

// The clock skew that is worth a warning, and the one that breaks: devices sign tokens that live ten minutes
// (twilio-verify-android, JwtGenerator).
const (
	skewWarn = 30 * time.Second
	skewFail = 300 * time.Second
)

func authChecks() []Check {
	return []Check{
		{ID: "AUTH-01", Title: "the key reads the environment's Service", Severity: severityFail, Certainty: certain, Reads: []resource{theService, theAccount},
			Heeds: []*Declaration{accountSID}, Remedy: "the answer names the cause", Judge: reachesService},
		{ID: "AUTH-02", Title: "the key is not a test credential", Severity: severityFail, Certainty: certain, Reads: []resource{theService},
			Remedy: "use a live key: Verify does not support test credentials", Judge: liveKey},
		{ID: "AUTH-03", Title: "an API key is used, not the auth token", Severity: severityWarn, Certainty: certain, Skip: unlessOwnKey,
			Remedy: "create an API key for verifyctl", Judge: apiKeyUsed},
		{ID: "AUTH-04", Title: "the key may not do more than it needs", Severity: severityInfo, Certainty: certain,
			Skip: unlessOwnKey, Needs: []resource{theService}, Reads: []resource{theAccount},
			Remedy: "prefer a restricted key with Verify and Monitor: read", Judge: leastPrivilege},
		{ID: "AUTH-05", Title: "the Service belongs to the declared account", Severity: severityFail, Certainty: declared, Needs: []resource{theService},
			RestsOn: []*Declaration{accountSID}, Remedy: "use a key of the declared account, or declare the account the Service is in", Judge: rightAccount},
		{ID: "AUTH-06", Title: "the account is active and not a trial", Severity: severityFail, Certainty: certain, Reads: []resource{theAccount, theService},
			Remedy: "add funds, upgrade or reopen the account", Judge: activeAccount},
		{ID: "AUTH-07", Title: "the key is younger than a year", Severity: severityWarn, Certainty: certain, Skip: unlessAPIKey, Needs: []resource{allKeys},
			Remedy: "make a new key and delete the old one", Judge: freshKey},
		{ID: "AUTH-08", Title: "the key may read what the other checks need", Severity: severityWarn, Certainty: certain,
			Needs: []resource{theService}, Reads: []resource{allCredentials, pushErrors, changes},
			Remedy: "grant the missing permission, or accept that the checks which need it are unknown", Judge: mayRead},
		{ID: "AUTH-09", Title: "the key belongs to the region that requests go to", Severity: severityFail, Certainty: measured, Reads: []resource{theService},
			Remedy: "use a key of the region", Judge: rightRegion},
		{ID: "AUTH-10", Title: "this machine's clock agrees with Twilio's", Severity: severityFail, Certainty: measured, Needs: []resource{oneRequest},
			Remedy: "set the clock by NTP", Judge: clockAgrees},
	}
}

func reachesService(snap *snapshot) answer {
	err := snap.Service.problem()
	about := string(snap.Env.ServiceSID)
	switch {
	case err == nil:
		return pass("%s was read", snap.Env.ServiceSID).about(about)
	case snap.NoLink != nil && isDenied(err):
		a := fail("there is no usable key: %s", describe(err)).about(about)
		var e *verify.Error
		if errors.As(err, &e) {
			a.Fix = e.Hint
		}
		return a
	case isNotFound(err):
		return fail("the account has no Service %s", snap.Env.ServiceSID).about(about).
			fix("it may be in another account or subaccount; these are the ones the key sees:").run(snap.command("services", "list"))
	case isDenied(err):
		cause := diagnose(snap, err)
		return fail("Twilio refuses the key (%s): %s", describe(err), cause.reason).about(about).fix("%s", cause.fix)
	}
	return cannot(theService, err)
}

func liveKey(snap *snapshot) answer {
	err := snap.Service.problem()
	switch {
	case err == nil:
		return pass("Verify accepts the key")
	case verify.CodeOf(err) == codeTestKey:
		return fail("the key is a test credential (20008)").fix("use an API key or the auth token of the live account; -e demo needs no account at all")
	}
	return cannot(theService, err)
}

func apiKeyUsed(snap *snapshot) answer {
	switch key := snap.Connection.KeySID; {
	case strings.HasPrefix(key, "SK"):
		return pass("%s is an API key", key)
	case strings.HasPrefix(key, "AC"):
		return warn("the account's auth token is used: it can do everything, and changing it breaks everybody who uses it").
			fix("create an API key (Console: Account > API keys) and write it to the environment as api_key")
	}
	return unknown("the connection does not say which key it uses")
}

var unlessOwnKey = unless(func(snap *snapshot) bool { return !snap.Env.Demo }, "the demo's key is built in")

var unlessAPIKey = unless(func(snap *snapshot) bool { return strings.HasPrefix(snap.Connection.KeySID, "SK") }, "no API key is used")

func leastPrivilege(snap *snapshot) answer {
	switch err := snap.Account.problem(); {
	case err == nil:
		return note("the key has the permissions of a main key: it can read the account itself").
			fix("a restricted key with Verify and Monitor: read is enough for reading; a standard key reads push credentials too")
	case isDenied(err):
		return pass("the key may not read the account itself, as it should be")
	default:
		return cannot(theAccount, err)
	}
}

func rightAccount(snap *snapshot) answer {
	got, want := snap.Service.Value.AccountSID, snap.Env.AccountSID
	switch {
	case got == "":
		return unknown("Twilio's reply does not say which account the Service belongs to")
	case !verify.SameSID(got, want):
		return fail("the Service belongs to %s, the environment declares %s: a subaccount may have been mixed up with its parent", got, want).about(string(got)).
			fix("use a key of %s, or declare the account the Service is in", want)
	}
	return pass("%s", got).about(string(got))
}

func activeAccount(snap *snapshot) answer {
	err := snap.Account.problem()
	if isDenied(err) {
		a := cannot(theAccount, err)
		if snap.Service.ok() {
			a.Reason = "the key may not read the account itself; since Verify answers, it is neither suspended nor closed, but whether it is a trial is not known"
			a.ReadFailed, a.cause = false, nil // being refused here is what a well chosen key gives
		}
		return a
	}
	if err != nil {
		return cannot(theAccount, err)
	}
	account := snap.Account.Value
	switch {
	case account.Status == "":
		return unknown("Twilio's reply does not say whether the account is active")
	case account.Status != "active":
		return fail("the account is %s", account.Status).about(string(account.SID)).fix("reopen it in the Console, or ask Twilio's support")
	case strings.EqualFold(account.Type, "Trial"):
		return warn("the account is a trial: it ends 30 days after sign-up, and Verify may refuse it (575001)").about(string(account.SID)).fix("upgrade it in the Console")
	}
	return pass("the account is %s and of type %s", account.Status, account.Type).about(string(account.SID))
}

func freshKey(snap *snapshot) answer {
	for _, key := range snap.Keys.Value {
		if !strings.EqualFold(string(key.SID), snap.Connection.KeySID) {
			continue
		}
		if key.DateCreated.IsZero() {
			return unknown("Twilio's reply does not say when %s was created", key.SID).about(string(key.SID))
		}
		if snap.Now.Sub(key.DateCreated) > keyAge {
			return warn("%s was created on %s, %s ago", key.SID, day(key.DateCreated), days(snap.Now.Sub(key.DateCreated))).about(string(key.SID)).
				fix("make a new API key, write it to the environment as api_key, and delete this one")
		}
		return pass("%s was created on %s", key.SID, day(key.DateCreated)).about(string(key.SID))
	}
	return unknown("%s is not in the account's list of keys", snap.Connection.KeySID)
}

func mayRead(snap *snapshot) answer {
	var refused []string
	tried := 0
	for _, what := range []resource{allCredentials, pushErrors, changes} {
		err := snap.problem(what)
		switch {
		case err == nil:
			tried++
		case isDenied(err):
			tried++
			refused = append(refused, fmt.Sprintf("%s (needs %s)", what, permissions[what]))
		}
	}
	switch {
	case len(refused) > 0:
		return warn("the key may not read %s", strings.Join(refused, "; ")).fix("grant the permission, or accept that the checks which need it are unknown")
	case tried == 0:
		return unknown("nothing could be tried")
	}
	return pass("nothing was refused")
}

func rightRegion(snap *snapshot) answer {
	err := snap.Service.problem()
	switch {
	case err == nil:
		return pass("the key works where requests go")
	case verify.CodeOf(err) != codeAuthentication:
		return cannot(theService, err)
	case !isHome(snap.Connection.Region):
		return fail("the key is refused in region %s (20003): a key works in one region only", snap.Connection.Region).
			fix("use a key made in that region, or take region out of the environment")
	}
	return cannot(theService, err)
}

func clockAgrees(snap *snapshot) answer {
	probe := snap.Probe.Value
	if !probe.HasDate {
		return unknown("the reply had no Date header to compare with")
	}
	skew := probe.Skew.Round(time.Second)
	direction := "ahead of"
	if skew < 0 {
		direction, skew = "behind", -skew
	}
	sentence := fmt.Sprintf("this machine's clock is %s %s Twilio's", skew, direction)
	switch {
	case skew > skewFail:
		return fail("%s", sentence).fix("set it by NTP: expiry dates and time windows computed here are wrong")
	case skew > skewWarn:
		return warn("%s", sentence).fix("set it by NTP")
	}
	return pass("the clocks agree within %s", skewWarn)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func days(d time.Duration) string { return verify.Count(int(d/(24*time.Hour)), "day") }

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
		return authCause{fmt.Sprintf("requests go to region %s, and a key works in one region only: this one may belong to us1", snap.Connection.Region),
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
