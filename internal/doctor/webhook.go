package doctor

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The event types of a Verify webhook (twilio_verify_v2.json, verify.v2.service.webhook; verify/api/webhooks).
var (
	answerEvents = []string{"challenge.approved", "challenge.denied"}
	factorEvents = []string{"factor.created", "factor.verified", "factor.deleted"}
)

const everyEvent = "*"

const (
	webhookEnabled  = "enabled"
	webhookDisabled = "disabled"
)

func webhookChecks() []Check {
	needs := []resource{allWebhooks}
	return []Check{
		{ID: "HOOK-01", Title: "a webhook of the Service is enabled", Severity: severityFail, Certainty: certain, Needs: needs, Heeds: []*Declaration{webhookURL},
			Remedy: "enable or create one: otherwise the backend learns of answers only by polling", Judge: someEnabled},
		{ID: "HOOK-02", Title: "webhooks report approved and denied challenges", Severity: severityFail, Certainty: certain, Needs: needs, Heeds: []*Declaration{webhookURL},
			Remedy: "subscribe the missing event types", Judge: covers(answerEvents, fail)},
		{ID: "HOOK-03", Title: "webhooks report created, verified and deleted factors", Severity: severityWarn, Certainty: certain, Needs: needs, Heeds: []*Declaration{webhookURL},
			Remedy: "subscribe the missing event types: the local index is kept up to date by them", Judge: covers(factorEvents, warn)},
		{ID: "HOOK-04", Title: "webhooks are of version v2", Severity: severityWarn, Certainty: certain, Needs: needs,
			Remedy: "v1 is legacy: update the webhook to v2", Judge: version2},
		{ID: "HOOK-05", Title: "webhooks are posted to a public https address", Severity: severityFail, Certainty: declared, Needs: needs,
			RestsOn: []*Declaration{kind, iosBuild}, Remedy: "correct the webhook's URL", Judge: publicAddress},
		{ID: "HOOK-06", Title: "webhooks go to the declared address, which no other environment uses", Severity: severityWarn, Certainty: declared, Needs: needs,
			RestsOn: []*Declaration{webhookURL}, Remedy: "one address for each environment", Judge: ownAddress},
		{ID: "HOOK-07", Title: "webhooks are answered", Severity: severityFail, Certainty: heuristic, Needs: []resource{pushErrors}, Reads: []resource{theService},
			Remedy: "the endpoint has to accept POST and answer 200", Judge: answered},
		{ID: "HOOK-08", Title: "no webhook is disabled", Severity: severityWarn, Certainty: certain, Needs: needs, Heeds: []*Declaration{webhookURL},
			Remedy: "enable or delete it", Judge: noneDisabled},
	}
}

func (snap *snapshot) enabledWebhooks() []verify.Webhook {
	return slices.DeleteFunc(slices.Clone(snap.Webhooks.Value), func(h verify.Webhook) bool { return h.Status != webhookEnabled })
}

func someEnabled(snap *snapshot) answer {
	if enabled := snap.enabledWebhooks(); len(enabled) > 0 {
		return pass("%s enabled", verify.Count(len(enabled), "is", "are"))
	}
	if len(snap.Webhooks.Value) == 0 {
		a := fail("the Service has no webhook: the backend learns of answers only by polling").
			fix("create one for challenge.approved, challenge.denied and factor.* (Console: Verify > Services > Webhooks)")
		if snap.Env.WebhookURL != "" {
			a.Fix += ", posting to " + snap.Env.WebhookURL
		}
		return a
	}
	return snap.enable(fail("no webhook of the Service is enabled: the backend learns of answers only by polling"), snap.Webhooks.Value)
}

// enable proposes to enable a webhook where it is clear which one.
func (snap *snapshot) enable(a answer, disabled []verify.Webhook) answer {
	for _, hook := range disabled {
		if hook.Status != webhookDisabled {
			return unknown("the webhook %s has the status %q, which is unknown", hook.SID, hook.Status).about(string(hook.SID))
		}
	}
	hook, ok := snap.obvious(disabled)
	if !ok {
		return a.fix("enable one of %s", hookNames(disabled))
	}
	change := Change{Environment: snap.Env.Name, ServiceSID: snap.Env.ServiceSID, Webhook: hook, Status: webhookEnabled}
	a.changes = append(a.changes, change)
	return a.fix("enable %s (%s)", hook.SID, hook.URL)
}

// obvious gives the webhook that a change is about: the only one, or the one with the declared URL.
func (snap *snapshot) obvious(hooks []verify.Webhook) (verify.Webhook, bool) {
	if len(hooks) > 1 {
		hooks = slices.DeleteFunc(slices.Clone(hooks), func(h verify.Webhook) bool { return h.URL == "" || h.URL != snap.Env.WebhookURL })
	}
	if len(hooks) == 1 {
		return hooks[0], true
	}
	return verify.Webhook{}, false
}

func hookNames(hooks []verify.Webhook) string {
	names := make([]string, len(hooks))
	for i, hook := range hooks {
		names[i] = fmt.Sprintf("%s (%s)", hook.SID, hook.URL)
	}
	return strings.Join(names, ", ")
}

// covers judges that the enabled webhooks together tell of some events.
func covers(wanted []string, bad func(string, ...any) answer) func(*snapshot) answer {
	return func(snap *snapshot) answer {
		enabled := snap.enabledWebhooks()
		if len(enabled) == 0 {
			return skip("no webhook is enabled; HOOK-01 says so")
		}
		var missing []string
		for _, event := range wanted {
			if !slices.ContainsFunc(enabled, func(h verify.Webhook) bool {
				return slices.Contains(h.EventTypes, everyEvent) || slices.Contains(h.EventTypes, event)
			}) {
				missing = append(missing, event)
			}
		}
		if len(missing) == 0 {
			return pass("%s", strings.Join(wanted, ", "))
		}
		a := bad("no enabled webhook reports %s", strings.Join(missing, ", "))
		hook, ok := snap.obvious(enabled)
		if !ok {
			return a.fix("subscribe one of %s to them", hookNames(enabled))
		}
		a.changes = append(a.changes, Change{Environment: snap.Env.Name, ServiceSID: snap.Env.ServiceSID, Webhook: hook,
			EventTypes: slices.Concat(hook.EventTypes, missing)})
		return a.fix("subscribe %s (%s) to them", hook.SID, hook.URL)
	}
}

func version2(snap *snapshot) answer {
	for _, hook := range snap.enabledWebhooks() {
		if hook.Version != "v2" {
			return warn("the webhook %s is of version %s", hook.SID, hook.Version).about(string(hook.SID)).fix("update it to v2; the payload differs, so look at the backend first")
		}
	}
	return pass("all enabled ones are")
}

func publicAddress(snap *snapshot) answer {
	for _, hook := range snap.enabledWebhooks() {
		about := string(hook.SID)
		address, err := url.Parse(hook.URL)
		switch {
		case err != nil || address.Host == "":
			return fail("the webhook %s has no usable URL: %q", hook.SID, hook.URL).about(about).fix("correct it")
		case hook.Method != "" && hook.Method != "POST":
			return fail("the webhook %s is sent by %s", hook.SID, hook.Method).about(about).fix("make a new one: new webhooks are sent by POST")
		case isLocal(address.Hostname()):
			return fail("the webhook %s goes to %s, which Twilio cannot reach", hook.SID, address.Hostname()).about(about).fix("point it at a public address")
		case address.Scheme != "https":
			return fail("the webhook %s goes to %s, unencrypted", hook.SID, hook.URL).about(about).fix("use https")
		case isTunnel(address.Hostname()) && (snap.Env.IsProduction() || snap.Env.IOSBuild == verify.IOSDistribution):
			return fail("the webhook %s goes to %s, a tunnel to somebody's machine", hook.SID, address.Hostname()).about(about).fix("point it at the backend")
		}
	}
	return pass("all enabled ones are")
}

func isLocal(host string) bool {
	if host = strings.ToLower(host); verify.IsLoopback(host) || strings.HasSuffix(host, ".localhost") || strings.HasSuffix(host, ".local") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && (ip.IsPrivate() || ip.IsLinkLocalUnicast() || ip.IsUnspecified())
}

// isTunnel knows the services that developers use to reach their own machine.
func isTunnel(host string) bool {
	tunnels := []string{"ngrok.io", "ngrok.app", "ngrok.dev", "ngrok-free.app", "ngrok-free.dev", "loca.lt", "trycloudflare.com", "serveo.net"}
	return slices.ContainsFunc(tunnels, func(tunnel string) bool { return strings.HasSuffix("."+host, "."+tunnel) })
}

func ownAddress(snap *snapshot) answer {
	enabled := snap.enabledWebhooks()
	if len(enabled) == 0 {
		return skip("no webhook is enabled; HOOK-01 says so")
	}
	for _, hook := range enabled {
		for _, peer := range snap.neighbours() {
			if verify.SameSID(peer.Env.ServiceSID, snap.Env.ServiceSID) {
				continue // SVC-04 tells of that
			}
			if slices.ContainsFunc(peer.enabledWebhooks(), func(other verify.Webhook) bool { return other.URL == hook.URL }) {
				return warn("the webhooks of %s go to %s too", peer.Env.Name, hook.URL).about(string(hook.SID)).fix("give each environment its own address")
			}
		}
	}
	if !slices.ContainsFunc(enabled, func(h verify.Webhook) bool { return h.URL == snap.Env.WebhookURL }) {
		return warn("no enabled webhook goes to the declared %s, but to %s", snap.Env.WebhookURL, hookNames(enabled)).fix("correct the webhook or webhook_url")
	}
	return pass("%s", snap.Env.WebhookURL)
}

func answered(snap *snapshot) answer {
	current, _ := snap.push(codeWebhook)
	if len(current) > 0 {
		return fail("Twilio could not deliver to the webhook: %s", tallied(snap, current)).about(string(snap.Env.ServiceSID)).
			fix("the endpoint has to be reachable, accept POST and answer 200").run(snap.Env.Config.Command("debugger", "explain", fmt.Sprint(codeWebhook)))
	}
	return pass("no delivery failed since %s", clock(snap.Since, snap.Now))
}

func noneDisabled(snap *snapshot) answer {
	disabled := slices.DeleteFunc(slices.Clone(snap.Webhooks.Value), func(h verify.Webhook) bool { return h.Status == webhookEnabled })
	if len(disabled) == 0 {
		return pass("none is")
	}
	return snap.enable(warn("%s disabled: %s", verify.Count(len(disabled), "webhook is", "webhooks are"), hookNames(disabled)).about(string(disabled[0].SID)), disabled)
}
