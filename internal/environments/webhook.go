package environments

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func (c *comparison) webhooks(ctx context.Context) (err error) {
	if len(c.env.Declares.Webhooks) == 0 {
		return nil
	}
	if c.service != nil {
		if c.hooks, err = c.account.hooks(ctx, c.service.SID); err != nil {
			return err
		}
	}
	for _, declared := range c.env.Declares.Webhooks {
		if err := c.webhook(declared); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) webhook(declared verify.WebhookDeclaration) error {
	want := declared.Webhook
	var found []verify.Webhook
	for _, hook := range c.hooks {
		if want.SID != "" && verify.SameSID(hook.SID, want.SID) || want.SID == "" && hook.FriendlyName == want.FriendlyName {
			found = append(found, hook)
		}
	}
	change := Change{Kind: KindWebhook, Name: want.FriendlyName, At: declared.At, Action: Create}
	switch {
	case len(found) > 1:
		return verify.Refusedf("%s: Service %s has %d webhooks named %q", declared.At, c.ServiceSID, len(found), want.FriendlyName).
			WithHint("say which one is meant by its sid: %s", string(found[0].SID)+", …")
	case declared.Absent && len(found) == 0:
		return nil
	case len(found) == 0 && (want.URL == "" || len(want.EventTypes) == 0 || want.FriendlyName == ""):
		return verify.Refusedf("%s: Service %s has no webhook %s, and its name, url and events are not all declared to make it", declared.At, c.ServiceSID, want.SID).
			WithHint("correct its sid, or declare them")
	case len(found) == 0:
		change.Fields = hookFields(verify.Webhook{}, want)
		if want.SID != "" {
			change.Effect = []string{fmt.Sprintf("%s, which is declared, is not there any more", want.SID)}
		}
		c.Changes = append(c.Changes, change)
		return nil
	}
	live := found[0]
	change.SID, change.Updated, change.ByName = string(live.SID), live.DateUpdated, want.SID == ""
	if declared.Absent {
		change.Action, change.Fields = Delete, []Field{}
		change.Effect = []string{fmt.Sprintf("%s are no longer posted to %s", strings.Join(live.EventTypes, ", "), live.URL)}
		c.deletions = append(c.deletions, change)
		return nil
	}
	if change.Action, change.Fields = Update, hookFields(live, want); len(change.Fields) > 0 {
		c.Changes = append(c.Changes, change)
	}
	return nil
}

// hookFields compares what is stated of a webhook. Event types are a set.
func hookFields(live, want verify.Webhook) (fields []Field) {
	for _, f := range []Field{
		{"friendly_name", live.FriendlyName, want.FriendlyName}, {"webhook_url", live.URL, want.URL},
		{"event_types", eventSet(live.EventTypes), eventSet(want.EventTypes)}, {"version", live.Version, want.Version}, {"status", live.Status, want.Status},
	} {
		if f.New != "" && f.Old != f.New {
			fields = append(fields, f)
		}
	}
	return fields
}

func eventSet(types []string) string {
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(types))), ",")
}
