package doctor

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Declaration is a key of the environment file, which tells what no API does.
type Declaration struct {
	Key    string
	tells  string // what it is, for whoever has to declare it
	made   func(verify.Environment) bool
	set    func(env *verify.Environment, value string) // to what env set takes, "" for nothing
	values func(*snapshot) []string                    // what it may be, going by what was read: together they stand for every value
}

// The values of keys that can be anything: other stands for each that nothing suggests, the examples for what was not read.
const (
	other           = "…"
	exampleApp      = "com.example.app"
	exampleMetadata = "app_version"
)

// notDeclared ends the reason of an answer that waits for a declaration.
const notDeclared = " is not declared"

var (
	accountSID = &Declaration{"account_sid", "the account of the Service",
		func(env verify.Environment) bool { return env.AccountSID != "" },
		func(env *verify.Environment, value string) { env.AccountSID = verify.AccountSID(value) },
		func(snap *snapshot) []string { return suggestions(string(snap.Service.Value.AccountSID), other) }}
	kind = &Declaration{"kind", "whom the environment is for",
		func(env verify.Environment) bool { return env.Kind != "" },
		func(env *verify.Environment, value string) { env.Kind = verify.EnvironmentKind(value) },
		oneOf(string(verify.Production), string(verify.Staging), string(verify.Development))}
	iosBuild = &Declaration{"ios_build", "how the iOS app is signed: debug when run from Xcode, distribution for TestFlight, Ad Hoc and the store",
		func(env verify.Environment) bool {
			return env.IOSBuild != "" || len(env.Platforms) > 0 && !env.Uses(verify.PlatformAPN)
		},
		func(env *verify.Environment, value string) { env.IOSBuild = verify.IOSBuild(value) },
		oneOf(string(verify.IOSDebug), string(verify.IOSDistribution))}
	platforms = &Declaration{"platforms", "what the apps are pushed to by; none if they only poll",
		func(env verify.Environment) bool { return len(env.Platforms) > 0 },
		func(env *verify.Environment, value string) { env.Platforms = listOf[verify.Platform](value) },
		oneOf("apn,fcm", "apn", "fcm", "none")}
	appIDs = &Declaration{"app_ids", "the bundle ids and package names of the apps",
		func(env verify.Environment) bool { return len(env.AppIDs) > 0 },
		func(env *verify.Environment, value string) { env.AppIDs = listOf[string](value) },
		func(snap *snapshot) []string { return append(seenApps(snap), other) }}
	maxFactors = &Declaration{"max_factors", "how many push factors a user may have",
		func(env verify.Environment) bool { return env.MaxFactors > 0 },
		func(env *verify.Environment, value string) { env.MaxFactors, _ = strconv.Atoi(value) },
		func(snap *snapshot) []string {
			most := min(max(1, mostFactors(snap)), manyFactors)
			if most == 1 || most == manyFactors {
				return []string{strconv.Itoa(most)}
			}
			return []string{strconv.Itoa(most), strconv.Itoa(most - 1)}
		}}
	metadataKeys = &Declaration{"metadata_keys", "what the app writes into the metadata of each factor",
		func(env verify.Environment) bool { return len(env.MetadataKeys) > 0 },
		func(env *verify.Environment, value string) { env.MetadataKeys = listOf[string](value) },
		func(snap *snapshot) []string { return []string{cmp.Or(commonMetadata(snap), exampleMetadata), other} }}
	webhookURL = &Declaration{"webhook_url", "where the backend takes Twilio's webhooks",
		func(env verify.Environment) bool { return env.WebhookURL != "" },
		func(env *verify.Environment, value string) { env.WebhookURL = value },
		func(snap *snapshot) []string {
			var urls []string
			for _, hook := range snap.enabledWebhooks() {
				urls = append(urls, hook.URL)
			}
			return suggestions(append(urls, other)...)
		}}
)

// declarations are the keys that a check sees only when it lists them.
var declarations = []*Declaration{accountSID, kind, iosBuild, platforms, appIDs, maxFactors, metadataKeys, webhookURL}

func oneOf(values ...string) func(*snapshot) []string {
	return func(*snapshot) []string { return values }
}

func listOf[T ~string](value string) (list []T) {
	for word := range strings.SplitSeq(value, ",") {
		if word != "" {
			list = append(list, T(word))
		}
	}
	return list
}

// suggestions gives values once each, without empty ones.
func suggestions(values ...string) (list []string) {
	for _, value := range values {
		if value != "" {
			list = including(list, value)
		}
	}
	return list
}

// seenApps are the apps that the given build, the recorded certificate and the sampled factors tell of.
func seenApps(snap *snapshot) []string {
	var apps, enrolled []string
	if snap.App != nil {
		apps = append(apps, snap.App.AppID())
	}
	for _, factor := range snap.pushFactors("") {
		enrolled = append(enrolled, factor.Config.AppID)
	}
	slices.Sort(enrolled)
	certified, _ := snap.certificateFile()
	apps = suggestions(append(apps, strings.Join(certified.Topics, ","), strings.Join(suggestions(enrolled...), ","))...)
	if len(apps) == 0 {
		return []string{exampleApp}
	}
	return apps
}

func mostFactors(snap *snapshot) (most int) {
	for _, user := range snap.Factors.Value.Users {
		most = max(most, pushCount(user))
	}
	return most
}

// commonMetadata are the keys that every sampled push factor has.
func commonMetadata(snap *snapshot) string {
	count, factors := map[string]int{}, snap.pushFactors("")
	for _, factor := range factors {
		for key, value := range factor.Metadata {
			if value != "" {
				count[key]++
			}
		}
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return n < len(factors) })
	return strings.Join(slices.Sorted(maps.Keys(count)), ",")
}

// Keys names declarations as the environment file does.
func Keys(list []*Declaration) []string {
	keys := make([]string, len(list))
	for i, d := range list {
		keys[i] = d.Key
	}
	return keys
}

// view is the snapshot with the declarations that the check lists, and no others: it cannot rest on one unnoticed.
func (c Check) view(snap *snapshot) *snapshot {
	seen := *snap
	for _, d := range declarations {
		if !slices.Contains(c.RestsOn, d) && !slices.Contains(c.Heeds, d) {
			d.set(&seen.Env, "")
		}
	}
	return &seen
}

// outcome is what a check would say under some values of a declaration.
type outcome struct {
	values []string
	answer
}

// without judges where a declaration is missing, under each value that it may have. What is so under all of them is the
// answer; where only what to do differs, the answer says both; else it is unknown.
func (c Check) without(missing *Declaration, snap *snapshot) answer {
	outcomes := c.outcomes(missing, snap)
	a := outcomes[0].answer
	if len(outcomes) == 1 {
		return a
	}
	agreed := !slices.ContainsFunc(outcomes, func(o outcome) bool { return o.Status != a.Status || o.Reason != a.Reason })
	if !agreed {
		a = unknown("%s", missing.Key+notDeclared).about(missing.Key)
	}
	a.Commands, a.changes = nil, nil // they are those of one value
	a.Undeclared, a.Fix = missing.Key, fmt.Sprintf("declare %s, %s", missing.Key, missing.tells)
	for _, o := range outcomes {
		would := fmt.Sprintf(" it would %s: %s", verbs[o.Status], o.Reason)
		if agreed {
			would = ": " + o.Fix
		}
		with := missing.Key + "=" + strings.Join(o.values, " or ")
		a = a.seen("with " + strings.Replace(with, missing.Key+"="+other, "any other "+missing.Key, 1) + would)
	}
	switch {
	case snap.Env.Demo:
		a.Fix = "in an environment of your own, " + a.Fix
	case snap.Env.Name == "":
		a = a.run(snap.Env.Config.Command("env", "add", "NAME"))
	default:
		for _, value := range missing.values(snap) {
			if value != other {
				a = a.run(snap.Env.Config.Command("env", "set", snap.Env.Name, missing.Key+"="+value))
			}
		}
	}
	return a
}

var verbs = map[Status]string{Pass: "pass", Warn: "warn", Fail: "fail", Unknown: "be unknown", Skipped: "be skipped"}

// outcomes tries the values of a declaration, and puts those together under which the answer is the same.
func (c Check) outcomes(missing *Declaration, snap *snapshot) (outcomes []outcome) {
	for _, value := range missing.values(snap) {
		assumed := *snap
		missing.set(&assumed.Env, value)
		a := c.judge(&assumed)
		i := slices.IndexFunc(outcomes, func(o outcome) bool { return o.Status == a.Status && o.Reason == a.Reason && o.Fix == a.Fix })
		if i < 0 {
			outcomes = append(outcomes, outcome{[]string{value}, a})
			continue
		}
		outcomes[i].values = append(outcomes[i].values, value)
	}
	return outcomes
}
