package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// recentChange is how far back a change of the Service is worth mentioning.
const recentChange = 24 * time.Hour

func serviceChecks() []Check {
	return []Check{
		{ID: "SVC-01", Title: "the Service can send pushes", Severity: severityFail, Certainty: declared,
			Skip: unlessPushing, Needs: []resource{theService}, Reads: []resource{allCredentials, allServices},
			RestsOn: []*Declaration{platforms}, Heeds: []*Declaration{iosBuild}, Remedy: "attach a push credential", Judge: canPush},
		{ID: "SVC-02", Title: "the Service is unique and its name does not mislead", Severity: severityWarn, Certainty: heuristic,
			Needs: []resource{theService, allServices}, RestsOn: []*Declaration{kind}, Remedy: "rename the Service in the Console", Judge: plainName},
		{ID: "SVC-03", Title: "every Service with push credentials is in the environment file", Severity: severityInfo, Certainty: certain, PerAccount: true,
			Needs: []resource{allServices}, Remedy: "add it to the file, or retire it", Judge: knownServices},
		{ID: "SVC-04", Title: "no other environment uses the Service", Severity: severityWarn, Certainty: declared,
			Heeds: []*Declaration{kind}, Remedy: "one Service for each environment", Judge: ownService},
		{ID: "SVC-05", Title: "the Service does not send dates in push details", Severity: severityWarn, Certainty: certain, Needs: []resource{theService},
			Remedy: "leave Push.IncludeDate false: deprecated since 2022-05", Judge: noIncludedDate},
		{ID: "SVC-06", Title: "the Service is used for push alone", Severity: severityInfo, Certainty: certain, Needs: []resource{theService, sampleFactors},
			Remedy: "filter lists by factor type; limits are per type", Judge: pushAlone},
		{ID: "SVC-07", Title: "the Service was not changed in the last day", Severity: severityWarn, Certainty: heuristic,
			Needs: []resource{theService}, Reads: []resource{changes}, Remedy: "find out who changed what, and whether it was intended", Judge: unchanged},
	}
}

func unlessPushing(snap *snapshot) string {
	if apn.intent(snap.Env) == unused && fcm.intent(snap.Env) == unused {
		return "the environment declares that its apps only poll"
	}
	return ""
}

func canPush(snap *snapshot) answer {
	push := snap.Service.Value.Push
	switch {
	case push == nil:
		return noPush()
	case push.APNCredentialSID != "" || push.FCMCredentialSID != "":
		return pass("the Service has a push credential")
	}
	return fail("the Service has no push credential: challenges are created, but no push is ever sent (52004)").
		fix("attach one for each platform; PUSH-APN-00 and PUSH-FCM-00 say which would do")
}

// The words in a Service's name that tell which environment it is meant for.
var kindWords = map[verify.EnvironmentKind][]string{
	verify.Production:  {"prod", "production", "live", "prd"},
	verify.Staging:     {"staging", "stage", "stg", "uat", "preprod"},
	verify.Development: {"dev", "development", "test", "sandbox", "debug"},
}

func plainName(snap *snapshot) answer {
	name := snap.Service.Value.FriendlyName
	twins := 0
	for _, service := range snap.Services.Value {
		if service.FriendlyName == name {
			twins++
		}
	}
	kind := snap.Env.Kind
	for _, other := range []verify.EnvironmentKind{verify.Production, verify.Staging, verify.Development} {
		if other != kind && hasWord(name, kindWords[other]) && !hasWord(name, kindWords[kind]) {
			return warn("the Service of a %s environment is called %q, like a %s one", kind, name, other).about(string(snap.Service.Value.SID)).
				fix("rename the Service in the Console, or correct kind in the environment file")
		}
	}
	if twins > 1 {
		return warn("%d Services of the account are called %q", twins, name).about(string(snap.Service.Value.SID)).fix("rename them in the Console")
	}
	return pass("the Service is called %q", name)
}

func hasWord(name string, words []string) bool {
	parts := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r == ' ' || r == '-' || r == '_' || r == '.' })
	return slices.ContainsFunc(parts, func(part string) bool { return slices.Contains(words, part) })
}

func knownServices(snap *snapshot) answer {
	var strangers []string
	for _, service := range snap.Services.Value {
		known := slices.ContainsFunc(snap.Declared, func(env verify.Environment) bool { return verify.SameSID(env.ServiceSID, service.SID) }) ||
			slices.ContainsFunc(snap.Peers, func(peer *snapshot) bool { return verify.SameSID(peer.Env.ServiceSID, service.SID) })
		if !known && (service.CredentialSID(verify.PlatformAPN) != "" || service.CredentialSID(verify.PlatformFCM) != "") {
			strangers = append(strangers, fmt.Sprintf("%s %q", service.SID, service.FriendlyName))
		}
	}
	if len(strangers) > 0 {
		return note("%s with push credentials in no environment of the file: %s", verify.Count(len(strangers), "Service"), strings.Join(strangers, ", ")).
			fix("add them to the environment file, or retire them")
	}
	return pass("all are")
}

func ownService(snap *snapshot) answer {
	if snap.Env.ServiceSID == "" {
		return skip("the environment has no Service yet")
	}
	var others []string
	guard := "" // the production environment whose confirmation a write here needs
	for _, env := range snap.Declared {
		if env.Name != snap.Env.Name && verify.SameSID(env.ServiceSID, snap.Env.ServiceSID) {
			others = append(others, env.Name)
			if env.IsProduction() && !snap.Env.IsProduction() {
				guard = fmt.Sprintf("; %s is production, so every write here needs its confirmation", env.Name)
			}
		}
	}
	for _, peer := range snap.neighbours() {
		if verify.SameSID(peer.Env.ServiceSID, snap.Env.ServiceSID) && !slices.Contains(others, peer.Env.Name) {
			others = append(others, peer.Env.Name)
		}
	}
	if len(others) > 0 {
		return warn("%s is the Service of %s too%s", snap.Env.ServiceSID, strings.Join(others, " and "), guard).about(string(snap.Env.ServiceSID)).
			fix("make a Service for each environment: a Service has one credential for each platform, so it cannot serve debug and distribution builds at once")
	}
	return pass("%s is used by this environment alone", snap.Env.ServiceSID)
}

func noIncludedDate(snap *snapshot) answer {
	push := snap.Service.Value.Push
	switch {
	case push == nil:
		return noPush()
	case push.IncludeDate:
		return warn("push.include_date is on: deprecated, and the Android SDK reads the date it adds").about(string(snap.Service.Value.SID)).
			fix("set Push.IncludeDate to false, and test the Android app before and after")
	}
	return pass("push.include_date is off")
}

// pushAlone looks at factors: every Service has settings for the other types, used or not.
func pushAlone(snap *snapshot) answer {
	others := map[string]int{}
	for _, user := range snap.Factors.Value.Users {
		for _, factor := range user.Items {
			if !factor.IsPush() {
				others[string(factor.Type)]++
			}
		}
	}
	if len(others) > 0 {
		return snap.aboutSample(note("there are factors of other types: %s; lists and limits mix", tallyText(others)), nil).fix("filter lists with --type push")
	}
	return snap.aboutSample(pass("there are no factors of other types"), nil)
}

func unchanged(snap *snapshot) answer {
	updated := snap.Service.Value.DateUpdated
	switch {
	case updated.IsZero():
		return unknown("Twilio's reply does not say when the Service was changed")
	case snap.Now.Sub(updated) > recentChange:
		return pass("last changed on %s", day(updated))
	}
	a := warn("the Service was changed at %s", verify.Stamp(updated)).about(string(snap.Service.Value.SID)).
		fix("find out whether it was intended; %s shows what was written from here", "verifyctl audit show")
	for _, change := range snap.Changes.Value {
		if strings.EqualFold(change.ResourceSID, string(snap.Service.Value.SID)) {
			a = a.seen(fmt.Sprintf("%s %s by %s %s (%s)", verify.Stamp(change.EventDate), change.EventType, change.ActorType, change.ActorSID, change.Source))
		}
	}
	return a
}
