package simulator

import "time"

// DemoInstant is when the demo world's clock starts: a Monday morning on which iPhones have got no pushes since two.
var DemoInstant = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// The demo world's fixed SIDs. All of it belongs to the account of the options, [DefaultAccountSID] by default.
const (
	DemoDevServiceSID     = "VAbd6fa5d5520cb96cc47129a3b2d30cbe"
	DemoStagingServiceSID = "VAfb456706028491ae1f88636e04c8995b"
	DemoServiceSID        = "VA45b603de509ce4414c3a1408e794c864"

	DemoAPNCredentialSID        = "CR09b0e064645fdbe631d10397cc221d8d" // the live one, with the wrong sandbox setting
	DemoSpareCredentialSID      = "CR843c081ac3b5c0fceffec673a81d207a" // of the right kind, used by no Service
	demoSharedCredentialSID     = "CR86eeca810627ee1e18027fee1df87c16" // of demo-dev and demo-staging both
	DemoFCMCredentialSID        = "CR939ac02512e0086d8e16b2c68133dfe5"
	demoStagingFCMCredentialSID = "CR4ce085ff74a1956bcddb8561230b529a"
	DemoDevFCMCredentialSID     = "CRe20d841ed8bcf3b50fe93b9c02725143"

	// demoKeySID is a standard API key of the account, with the secret demoKeySecret.
	demoKeySID    = "SKb1e327ba877e755cba447468025ee6e2"
	demoKeySecret = "demo0key0secret0that0opens0nothing"
)

// The user whom the demo is about: three devices, one of them with a dead push token, and a challenge of every status.
const (
	DemoIdentity        = "user-1001-amara"
	DemoDeadFactorSID   = "YFdeaf3bf5746a672e2eeb5e50f10afabc" // her old phone: the app is gone, its push token refused
	DemoIPhoneFactorSID = "YFa728cd25f69d7c893427e286d6ccc0a1" // her phone: pushes refused because of the sandbox setting
	DemoTabletFactorSID = "YF175bce4252d9cd923eb483140f0a864b" // her tablet, in order

	DemoPendingChallengeSID  = "YC52bcb3c787af8cbe9af2a9a70f3c0fd6" // on the iPhone
	DemoExpiredChallengeSID  = "YC1c9f73e5b73c36ee409298d703cbf13c" // on the old phone
	DemoApprovedChallengeSID = "YC66378cfc35ad53fd5abe59aebc95cc4f" // on the tablet
	DemoDeniedChallengeSID   = "YC89c964c72670bb474b3e087041a08b15" // on the tablet
)

// DemoEnvironment is what a company would declare about one of its environments; no API shows it.
type DemoEnvironment struct {
	Name         string
	Kind         string // development, staging or production
	ServiceSID   string
	IOSBuild     Build
	Platforms    []string
	AppIDs       []string
	MaxFactors   int
	MetadataKeys []string
	WebhookURL   string
}

// DemoEnvironments are the environments of the demo world, the live one first.
func DemoEnvironments() []DemoEnvironment {
	platforms := []string{platformAPN, platformFCM}
	keys := []string{"app_version"}
	return []DemoEnvironment{
		{"demo", "production", DemoServiceSID, BuildDistribution, platforms, []string{demoApp}, 5, keys, "https://hooks.bank.example/verify"},
		{"demo-staging", "staging", DemoStagingServiceSID, BuildDebug, platforms, []string{demoTestApp}, 5, keys, "https://hooks.staging.bank.example/verify"},
		{"demo-dev", "development", DemoDevServiceSID, BuildDebug, platforms, []string{demoTestApp}, 5, keys, "https://hooks.dev.bank.example/verify"},
	}
}

const (
	demoApp     = "example.bank.mobile"
	demoTestApp = "example.bank.mobile.test"
)

// demoUser is one identity of a demo Service with its phones.
type demoUser struct {
	identity string
	phones   []demoPhone
}

// demoPhone is one factor; without a SID of its own it gets one by its model.
type demoPhone struct {
	sid        string
	model      string
	platform   string
	sdk, app   string // versions
	enrolled   time.Duration
	unverified bool
}

const (
	androidSDK = "0.9.0"
	iosSDK     = "3.0.2"
	day        = 24 * time.Hour
)

func android(model, app string, enrolled time.Duration) demoPhone {
	return demoPhone{model: model, platform: platformFCM, sdk: androidSDK, app: app, enrolled: enrolled}
}

func iPhone(model, app string, enrolled time.Duration) demoPhone {
	return demoPhone{model: model, platform: platformAPN, sdk: iosSDK, app: app, enrolled: enrolled}
}

func (p demoPhone) withSID(sid string) demoPhone { p.sid = sid; return p }

// demoLive are the users of the live Service.
func demoLive() []demoUser {
	huawei := android("Huawei P60", "8.4.1", 75*day)
	huawei.platform = platformNone
	unfinished := android("Pixel 9", "8.5.0", 40*time.Minute)
	unfinished.unverified = true
	old := iPhone("iPhone 15", "8.2.0", 310*day)
	old.sdk = "3.0.0"
	return []demoUser{
		{DemoIdentity, []demoPhone{
			android("Pixel 6", "7.9.2", 420*day).withSID(DemoDeadFactorSID),
			iPhone("iPhone 16", "8.4.1", 96*day).withSID(DemoIPhoneFactorSID),
			android("Galaxy Tab S9", "8.5.0", 12*day).withSID(DemoTabletFactorSID),
		}},
		{"user-1002-bilal", []demoPhone{old}},
		{"user-1003-chloe", []demoPhone{iPhone("iPhone 14", "8.5.0", 200*day)}},
		{"user-1004-dario", []demoPhone{android("Pixel 8", "8.5.0", 150*day)}},
		{"user-1005-elif", []demoPhone{iPhone("iPhone 16 Pro", "8.5.0", 33*day), android("Pixel 7", "8.1.0", 240*day)}},
		{"user-1006-farid", []demoPhone{android("Galaxy S24", "8.4.1", 61*day)}},
		{"user-1007-greta", []demoPhone{iPhone("iPhone SE", "8.3.0", 128*day)}},
		{"user-1008-hugo", []demoPhone{huawei}},
		{"user-1009-ines", []demoPhone{iPhone("iPhone 15 Pro", "8.5.0", 19*day)}},
		{"user-1010-jonas", []demoPhone{unfinished}},
		{"user-1011-keiko", []demoPhone{iPhone("iPhone 13", "8.4.1", 270*day)}},
		{"user-1012-lena", []demoPhone{android("Galaxy S23", "8.5.0", 88*day)}},
		{"user-1013-mateo", []demoPhone{android("Moto G84", "8.0.3", 300*day)}},
	}
}

func demoStaging() []demoUser {
	return []demoUser{
		{"tester-0001-stage", []demoPhone{iPhone("iPhone 15 (test rack)", "8.6.0", 45*day), android("Pixel 8 (test rack)", "8.6.0", 45*day)}},
		{"tester-0002-stage", []demoPhone{android("Galaxy S22 (test rack)", "8.6.0", 30*day)}},
		{"tester-0003-stage", []demoPhone{iPhone("iPhone 12 (test rack)", "8.6.0", 20*day)}},
	}
}

func demoDev() []demoUser {
	return []demoUser{
		{"developer-0001", []demoPhone{iPhone("iPhone 16 (desk)", "8.7.0", 9*day), android("Pixel 9 (desk)", "8.7.0", 9*day)}},
		{"developer-0002", []demoPhone{android("Pixel 7a (desk)", "8.7.0", 6*day)}},
	}
}
