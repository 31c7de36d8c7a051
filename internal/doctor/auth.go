package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// keyAge is when a key is old enough to be replaced.
const keyAge = 365 * 24 * time.Hour

// The clock skew that is worth a warning, and the one that breaks: devices sign tokens that live ten minutes
// (twilio-verify-android, JwtGenerator).
const (
	skewWarn = 30 * time.Second
	skewFail = 300 * time.Second
)

func authChecks() []Check {
	return []Check{
		{ID: "AUTH-01", Title: "the key reads the environment's Service", Severity: severityFail, Certainty: certain,
			Reads: []resource{theService, theAccount}, Remedy: "the answer names the cause", Judge: reachesService},
		{ID: "AUTH-02", Title: "the key is not a test credential", Severity: severityFail, Certainty: certain,
			Reads: []resource{theService}, Remedy: "use a live key: Verify does not support test credentials", Judge: liveKey},
		{ID: "AUTH-03", Title: "an API key is used, not the auth token", Severity: severityWarn, Certainty: certain,
			Skip: unlessOwnKey, Remedy: "create an API key for verifyctl", Judge: apiKeyUsed},
		{ID: "AUTH-04", Title: "the key may not do more than it needs", Severity: severityInfo, Certainty: certain,
			Skip: unlessOwnKey, Needs: []resource{theService}, Reads: []resource{theAccount},
			Remedy: "prefer a restricted key with Verify and Monitor: read", Judge: leastPrivilege},
		{ID: "AUTH-05", Title: "the Service belongs to the declared account", Severity: severityFail, Certainty: certain,
			Needs: []resource{theService}, Remedy: "use a key of the declared account, or declare the account the Service is in", Judge: rightAccount},
		{ID: "AUTH-06", Title: "the account is active and not a trial", Severity: severityFail, Certainty: certain,
			Reads: []resource{theAccount, theService}, Remedy: "add funds, upgrade or reopen the account", Judge: activeAccount},
		{ID: "AUTH-07", Title: "the key is younger than a year", Severity: severityWarn, Certainty: certain,
			Skip: unlessAPIKey, Needs: []resource{allKeys}, Remedy: "make a new key and delete the old one", Judge: freshKey},
		{ID: "AUTH-08", Title: "the key may read what the other checks need", Severity: severityWarn, Certainty: certain,
			Needs:  []resource{theService},
			Reads:  []resource{allCredentials, pushErrors, changes},
			Remedy: "grant the missing permission, or accept that the checks which need it are unknown", Judge: mayRead},
		{ID: "AUTH-09", Title: "the key belongs to the region that requests go to", Severity: severityFail, Certainty: measured,
			Reads: []resource{theService}, Remedy: "use a key of the region", Judge: rightRegion},
		{ID: "AUTH-10", Title: "this machine's clock agrees with Twilio's", Severity: severityFail, Certainty: measured,
			Needs: []resource{oneRequest}, Remedy: "set the clock by NTP", Judge: clockAgrees},
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
		return note("the key has the power of a main key: it reads the account itself").
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
	case want == "":
		return unknown("the environment does not declare its account_sid").fix("declare account_sid; the Service's is %s", got)
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
		return unknown("nothing of it could be tried")
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
		return fail("the key is refused in region %s (20003): keys are good in one region only", snap.Connection.Region).
			fix("use a key made in that region, or take region out of the environment")
	}
	return cannot(theService, err)
}

func clockAgrees(snap *snapshot) answer {
	probe := snap.Probe.Value
	if !probe.HasDate {
		return unknown("the reply had no Date to compare with")
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
