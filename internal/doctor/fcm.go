package doctor

import (
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// fcmV1 is about when Twilio announced that credentials hold FCM v1 service accounts; Google shut the legacy keys down
// in June 2024.
var fcmV1 = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func fcmChecks() []Check {
	attached, spare := []resource{theService, fcmCredential}, []resource{allCredentials, allServices}
	return fcm.checks([]Check{
		{ID: "PUSH-FCM-00", Title: "an FCM credential is attached where Android is pushed to", Severity: severityFail, Certainty: declared,
			Needs: []resource{theService}, Reads: spare, RestsOn: []*Declaration{platforms}, Remedy: "attach an FCM credential to the Service", Judge: fcm.present},
		{ID: "PUSH-FCM-01", Title: "the FCM credential is of type fcm", Severity: severityFail, Certainty: certain, Needs: attached, Reads: spare,
			Remedy: "attach a credential of type fcm that holds a service account (FCM v1)", Judge: fcm.attached(fcm.rightType)},
		{ID: "PUSH-FCM-02", Title: "the FCM credential is newer than FCM v1", Severity: severityWarn, Certainty: heuristic, Needs: attached,
			Remedy: "upload a service account (FCM v1) as a new credential, and attach that", Judge: fcm.attached(newerThanV1)},
		{ID: "PUSH-FCM-03", Title: "Google accepts the credential", Severity: severityFail, Certainty: heuristic,
			Needs: []resource{theService, pushErrors}, Reads: []resource{fcmCredential},
			Remedy: "upload a valid service account as a new credential and attach that; leave the factors alone", Judge: fcm.accepted(52117, 52101, 52109, 52115, 52005)},
		{ID: "PUSH-FCM-04", Title: "the FCM credential is of the app's Firebase project", Severity: severityWarn, Certainty: heuristic,
			Needs: []resource{theService, pushErrors}, Reads: []resource{fcmCredential},
			Remedy: "google-services.json of the app and the credential have to be of one Firebase project", Judge: rightProject},
		{ID: "PUSH-FCM-05", Title: "the FCM credential exists in the Service's account", Severity: severityFail, Certainty: certain,
			Needs: []resource{theService}, Reads: []resource{fcmCredential, allCredentials, allServices},
			Remedy: "attach a credential of the Service's own account", Judge: fcm.bySID(fcm.exists)},
		{ID: "PUSH-FCM-06", Title: "no other environment uses the FCM credential", Severity: severityWarn, Certainty: certain,
			Needs: []resource{theService}, Reads: []resource{allServices},
			Remedy: "one Firebase project and one credential for each environment", Judge: fcm.bySID(fcm.unshared)},
	})
}

func newerThanV1(snap *snapshot, credential verify.Credential) answer {
	about := string(credential.SID)
	switch {
	case credential.DateUpdated.IsZero():
		return unknown("Twilio's reply does not say when %s was changed", credential.SID).about(about)
	case credential.DateUpdated.Before(fcmV1):
		return warn("%s was last changed on %s, before FCM v1: it probably holds a legacy server key, which Google shut down in June 2024", snap.named(credential), day(credential.DateUpdated)).
			about(about).fix("upload a service account as a new credential and attach it with %s", snap.command("doctor", "--fix", "--credential")+" CR…")
	}
	return pass("%s was last changed on %s", credential.SID, day(credential.DateUpdated)).about(about)
}

func rightProject(snap *snapshot) answer {
	current, _ := snap.push(52104)
	switch devices := devicesOf(current); {
	case devices > 1:
		return warn("tokens of another Firebase project: %s", tallied(snap, current)).about(current[0].CredentialSID).
			fix("google-services.json of the app and the credential have to be of one Firebase project. Do not delete factors")
	case len(current) > 0:
		return note("a token of another Firebase project: %s", tallied(snap, current))
	}
	return pass("no token of another project since %s", clock(snap.Since, snap.Now))
}
