package environments

import (
	"fmt"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// promotable are the settings that one environment may take over from another: how long codes are and how strict factors are.
// Names, push credentials, relying parties and webhooks are each environment's own.
var promotable = []string{
	"code_length", "lookup_enabled", "totp.time_step", "totp.code_length", "totp.skew", "passkeys.authenticator_attachment",
	"passkeys.discoverable_credentials", "passkeys.user_verification", "verify_event_subscription_enabled",
}

// Live is an environment, and the account that its Service is in.
type Live struct {
	Env      verify.Environment
	Declares *verify.ServiceDeclaration // nil when it declares none
	Account  *Account
}

// Promotion is one setting in both environments. A value is "" where it is not set.
type Promotion struct {
	Setting string `json:"setting"`
	From    string `json:"from_now"`
	To      string `json:"to_now"`
	Then    string `json:"to_then"`
	Changes bool   `json:"changes"`
	Note    string `json:"note"` // why it stays, or what is odd about it
}

// Promote compares the settings that can be promoted, and gives as a declaration what is to change. The error is a refusal
// where that would contradict what the environment's file declares: the next drift would find it.
func Promote(from, to Live) (rows []Promotion, then verify.ServiceDeclaration, err error) {
	source, err := from.Account.service(&Environment{Environment: from.Env})
	if err != nil {
		return nil, then, err
	}
	target, err := to.Account.service(&Environment{Environment: to.Env})
	if err != nil {
		return nil, then, err
	}
	then.Settings = verify.ServiceSettings{}
	for _, setting := range promotable {
		row := promote(setting, from, to, source, target)
		if rows = append(rows, row); row.Changes {
			then.Settings[setting] = row.Then
		}
	}
	return rows, then, to.agrees(from, then.Settings)
}

// relyingParty is without what a Service has no passkeys, and no reply documents what their other settings would then do.
const relyingParty = "passkeys.relying_party.id"

func promote(setting string, from, to Live, source, target *verify.Service) Promotion {
	has, hasKnown := source.Settings[setting]
	now, nowKnown := target.Settings[setting]
	row := Promotion{Setting: setting, From: has, To: now, Then: now}
	switch {
	case !hasKnown:
		row.Note = "unknown: not in Twilio's reply about " + from.Env.Name
	case !nowKnown:
		row.Note = "unknown: not in Twilio's reply about " + to.Env.Name
	case has == now:
	case has == "":
		row.Note = "not set in " + from.Env.Name + "; no request unsets it"
	case strings.HasPrefix(setting, "passkeys.") && target.Settings[relyingParty] == "":
		row.Note = to.Env.Name + " has no passkeys: no relying_party"
	default:
		row.Then, row.Changes = has, true
		if declared, stated := from.declares(setting); stated && declared != has {
			row.Note = fmt.Sprintf("%s declares %s (%s)", from.Env.Name, declared, from.Declares.Places[setting])
		}
	}
	return row
}

func (l Live) declares(setting string) (value string, stated bool) {
	if l.Declares == nil {
		return "", false
	}
	value, stated = l.Declares.Settings[setting]
	return value, stated
}

// agrees refuses settings that are other ones than the file declares, with the lines to change.
func (l Live) agrees(from Live, settings verify.ServiceSettings) error {
	var lines, changes []string
	for _, setting := range promotable {
		value, promoted := settings[setting]
		declared, stated := l.declares(setting)
		if !promoted || !stated || declared == value {
			continue
		}
		at := l.Declares.Places[setting]
		lines = append(lines, fmt.Sprintf("%s: %s declares %s: %s, and %s has %s", at, l.Env.Name, setting, declared, from.Env.Name, value))
		changes = append(changes, fmt.Sprintf("%s to %s: %s", at, setting[strings.LastIndex(setting, ".")+1:], value))
	}
	if len(lines) == 0 {
		return nil
	}
	return verify.Refusedf("%s", strings.Join(lines, "; ")).
		WithHint("change %s; then run the same command again", strings.Join(changes, ", "))
}
