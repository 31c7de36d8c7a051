package doctor

func fcmChecks() []Check {
	return []Check{
		{ID: "PUSH-FCM-00", Title: "an FCM credential is attached where Android is pushed to", Severity: SeverityFail, Certainty: Declared,
			Skip: fcm.unless, Needs: []Resource{TheService}, Reads: []Resource{AllCredentials, AllServices},
			Remedy: "attach an FCM credential to the Service", Judge: fcm.present},
		{ID: "PUSH-FCM-01", Title: "the FCM credential is of type fcm", Severity: SeverityFail, Certainty: Certain,
			Skip: fcm.unless, Needs: []Resource{TheService, FCMCredential}, Reads: []Resource{AllCredentials, AllServices},
			Remedy: "attach a credential of type fcm that holds a service account (FCM v1)", Judge: fcm.rightType},
		{ID: "PUSH-FCM-05", Title: "the FCM credential exists in the Service's account", Severity: SeverityFail, Certainty: Certain,
			Skip: fcm.unless, Needs: []Resource{TheService}, Reads: []Resource{FCMCredential, AllCredentials, AllServices},
			Remedy: "attach a credential of the Service's own account", Judge: fcm.exists},
		{ID: "PUSH-FCM-06", Title: "no other environment uses the FCM credential", Severity: SeverityWarn, Certainty: Certain,
			Skip: fcm.unless, Needs: []Resource{TheService}, Reads: []Resource{AllServices},
			Remedy: "one Firebase project and one credential for each environment", Judge: fcm.unshared},
	}
}
