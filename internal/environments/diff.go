package environments

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Action is what a change does.
type Action string

// The actions. A push credential is replaced by making a new one beside it: the old one stays.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
)

// Kind is what is changed.
type Kind string

// The kinds, in the order in which they are made: a Service names credentials, and webhooks are of a Service.
const (
	KindCredential Kind = "credential"
	KindService    Kind = "service"
	KindWebhook    Kind = "webhook"
)

// KnownAfter stands for the SID of what is yet to be made.
const KnownAfter = "(known after apply)"

// Change is one difference between what is declared and what is there, which one request removes.
type Change struct {
	Action   Action          `json:"action"`
	Kind     Kind            `json:"kind"`
	Platform verify.Platform `json:"platform,omitempty"` // of a credential
	Name     string          `json:"name"`
	SID      string          `json:"sid,omitempty"` // of what is there; "" for what is to be made
	Fields   []Field         `json:"fields"`
	Updated  time.Time       `json:"date_updated,omitzero"` // of what is there
	ByName   bool            `json:"found_by_name,omitempty"`
	Effect   []string        `json:"effect,omitempty"` // what it means for users
	At       verify.Place    `json:"declared"`
}

// Field is a property before and after; Old is "" for what is yet to be made.
type Field struct {
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Diff is how one environment differs from what it declares.
type Diff struct {
	Environment string            `json:"environment"`
	AccountSID  verify.AccountSID `json:"account_sid"`
	ServiceSID  verify.ServiceSID `json:"service_sid"` // "" before it is made
	ServiceName string            `json:"service_name"`
	Changes     []Change          `json:"changes"`
	Notes       []string          `json:"notes"` // what is not known, or is worth knowing

	credentials map[verify.Platform]*verify.Credential // that are there
	hooks       []verify.Webhook
}

// DeletedCredentials gives the push credentials that the changes delete.
func (d *Diff) DeletedCredentials() (deleted []verify.Credential) {
	for _, c := range d.Changes {
		if c.Kind == KindCredential && c.Action == Delete {
			deleted = append(deleted, verify.Credential{SID: verify.CredentialSID(c.SID), FriendlyName: c.Name})
		}
	}
	return deleted
}

// Compare gives the changes that make of what is there what an environment declares, in the order in which they can be made.
// The error is a refusal where it would have to guess, or why something could not be read.
func Compare(ctx context.Context, e *Environment, a *Account) (*Diff, error) {
	service, err := a.service(e)
	if err != nil {
		return nil, err
	}
	d := &Diff{Environment: e.Name, AccountSID: e.AccountSID, ServiceName: e.Declares.Settings["friendly_name"], Changes: []Change{}, Notes: []string{},
		credentials: map[verify.Platform]*verify.Credential{}}
	if service != nil {
		d.ServiceSID, d.ServiceName = service.SID, service.FriendlyName
	}
	c := &comparison{Diff: d, env: e, account: a, service: service, attach: map[verify.Platform]string{}}
	for _, platform := range platforms {
		if _, declared := e.Declares.Push[platform]; declared {
			if err := c.credential(ctx, platform); err != nil {
				return nil, err
			}
		}
	}
	if err := c.ofService(ctx); err != nil {
		return nil, err
	}
	if err := c.webhooks(ctx); err != nil {
		return nil, err
	}
	d.Changes = append(d.Changes, c.deletions...)
	return d, nil
}

// comparison is a Compare under way.
type comparison struct {
	*Diff
	env       *Environment
	account   *Account
	service   *verify.Service            // nil when it is yet to be made
	attach    map[verify.Platform]string // the credential that the Service is to have
	deletions []Change
}

func (c *comparison) ofService(ctx context.Context) error {
	states := c.env.Declares
	change := Change{Kind: KindService, Name: c.ServiceName, Action: Create, At: states.At}
	live := verify.ServiceSettings{}
	if c.service != nil {
		live = c.service.Settings
		change.Action, change.SID, change.Updated, change.ByName = Update, string(c.service.SID), c.service.DateUpdated, c.env.ServiceSID == ""
	}
	wanted := maps.Clone(states.Settings)
	for platform, sid := range c.attach {
		wanted["push."+string(platform)+"_credential_sid"] = sid
	}
	for _, setting := range verify.ServiceSettingNames {
		want, stated := wanted[setting.Name]
		if !stated {
			continue
		}
		has, known := live[setting.Name]
		switch {
		case c.service == nil:
			change.Fields = append(change.Fields, Field{Name: setting.Name, New: want})
		case !known:
			return &verify.Error{Kind: verify.KindFailed, Message: fmt.Sprintf("Twilio's reply about Service %s has no %s, so whether it is as declared is unknown", c.service.SID, setting.Name)}
		case !strings.EqualFold(has, want) || !isSID(want) && has != want:
			change.Fields = append(change.Fields, Field{setting.Name, has, want})
		}
	}
	if len(change.Fields) > 0 {
		if at, stated := states.Places[change.Fields[0].Name]; stated {
			change.At = at
		}
		change.Effect = c.effect(ctx, change.Fields)
		c.Changes = append(c.Changes, change)
	}
	return nil
}

func isSID(s string) bool {
	_, ok := verify.SIDPrefix(s)
	return ok
}
