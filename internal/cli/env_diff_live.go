package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// compareLive compares what Twilio has for two environments, read side by side, and tells what could not be read.
func (o *envDiffOptions) compareLive(ctx context.Context, a, b *config.Target) (rows []envDifference, problems []string) {
	setups := make([]liveSetup, 2)
	var group errgroup.Group
	for i, target := range []*config.Target{a, b} {
		if target.Environment.ServiceSID == "" {
			setups[i].fail(target, "the Service", noService(target.Environment))
			continue
		}
		c, err := o.shell.connect(ctx, target) // not side by side: connections of one run are shared
		if err != nil {
			setups[i].fail(target, "the environment", err)
			continue
		}
		group.Go(func() error {
			setups[i].read(ctx, c)
			return nil
		})
	}
	_ = group.Wait() // what failed is in the set-ups
	return compareFacts("twilio", setups[0].facts(), setups[1].facts()), append(setups[0].problems, setups[1].problems...)
}

// liveSetup is how Twilio has one environment's Service set up. What is nil could not be read.
type liveSetup struct {
	service     *verify.Service
	credentials map[verify.Platform]*verify.Credential
	webhooks    *[]verify.Webhook
	problems    []string
}

func (l *liveSetup) fail(t *config.Target, what string, err error) {
	l.problems = append(l.problems, fmt.Sprintf("%s of %s: %v", what, t.Environment.Name, err))
}

func (l *liveSetup) read(ctx context.Context, c *connection) {
	service, err := c.client.Service(ctx, c.service())
	if err != nil {
		l.fail(c.target, "the Service", err)
		return
	}
	l.service = &service
	l.credentials = map[verify.Platform]*verify.Credential{}
	for _, platform := range []verify.Platform{verify.PlatformAPN, verify.PlatformFCM} {
		sid := service.CredentialSID(platform)
		if sid == "" {
			continue
		}
		credential, err := c.client.Credential(ctx, sid)
		if err != nil {
			l.fail(c.target, "the "+string(platform)+" credential", err)
			continue
		}
		l.credentials[platform] = &credential
	}
	webhooks, err := collect(c.client.Webhooks(ctx, c.service()))
	if err != nil {
		l.fail(c.target, "the webhooks", err)
		return
	}
	l.webhooks = &webhooks
}

func (l *liveSetup) facts() []fact {
	facts := []fact{{"service_name", unread}}
	if l.service != nil {
		facts[0].value = l.service.FriendlyName
	}
	for _, platform := range []verify.Platform{verify.PlatformAPN, verify.PlatformFCM} {
		facts = append(facts, l.credentialFacts(platform)...)
	}
	return append(facts, l.webhookFacts()...)
}

func (l *liveSetup) credentialFacts(platform verify.Platform) []fact {
	prefix := string(platform) + "_credential_"
	sid, kind, sandbox := unread, unread, unread
	switch {
	case l.service == nil:
	case l.service.CredentialSID(platform) == "":
		sid, kind, sandbox = "none", "", ""
	default:
		sid = string(l.service.CredentialSID(platform))
		if credential := l.credentials[platform]; credential != nil {
			kind, sandbox = credential.Type, string(credential.Sandbox)
		}
	}
	facts := []fact{{prefix + "sid", sid}, {prefix + "type", kind}}
	if platform == verify.PlatformAPN {
		facts = append(facts, fact{prefix + "sandbox", sandbox}) // a setting of Apple's alone
	}
	return facts
}

// webhookFacts writes where events are posted, and which of them, so that equal set-ups give equal texts.
func (l *liveSetup) webhookFacts() []fact {
	if l.webhooks == nil {
		return []fact{{"webhook_urls", unread}, {"webhook_events", unread}}
	}
	var urls, events []string
	for _, hook := range *l.webhooks {
		url := hook.URL
		if hook.Status != "enabled" {
			url += " (" + hook.Status + ")"
		}
		urls, events = append(urls, url), append(events, hook.EventTypes...)
	}
	return []fact{{"webhook_urls", listed(urls)}, {"webhook_events", listed(events)}}
}

// listed writes words sorted, each once.
func listed(words []string) string {
	slices.Sort(words)
	return cmp.Or(strings.Join(slices.Compact(words), " "), "none")
}
