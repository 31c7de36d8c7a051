package event

import (
	"slices"
	"strconv"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Attribution tells which configured environment an event is of. The zero value knows none. It is safe for concurrent
// use once it is filled.
type Attribution struct {
	file         verify.ConfigFile // of the environments, for the commands in events
	chosen       string
	byService    map[string][]string // lower-case SID → environments
	byAccount    map[string][]string
	byCredential map[string]string // credential → Service; "" when several Services use it
}

// NewAttribution knows the environments by their Service and account. Where an event fits several of them it is of the
// chosen one, "" for none; if that is not among them, of none.
func NewAttribution(environments []verify.Environment, chosen string) *Attribution {
	a := &Attribution{chosen: chosen, byService: map[string][]string{}, byAccount: map[string][]string{}, byCredential: map[string]string{}}
	for _, env := range environments {
		a.file = env.Config
		service, account := strings.ToLower(string(env.ServiceSID)), strings.ToLower(string(env.AccountSID))
		a.byService[service] = append(a.byService[service], env.Name)
		a.byAccount[account] = append(a.byAccount[account], env.Name)
	}
	return a
}

// Owner gives the environment of a Service, nil when none has it or several have and the chosen one is not among them;
// names are all that have it.
func (a *Attribution) Owner(service string) (env *string, names []string) {
	names = a.byService[strings.ToLower(service)]
	return a.one(names), names
}

// one gives the environment that is meant of several, nil when that cannot be told.
func (a *Attribution) one(names []string) *string {
	switch {
	case slices.Contains(names, a.chosen):
		return &a.chosen
	case len(names) == 1:
		return &names[0]
	}
	return nil
}

// AddCredentials says which push credentials a Service uses, so that an event that names a credential only can be
// attributed. A credential of several Services attributes nothing.
func (a *Attribution) AddCredentials(service verify.Service) {
	if service.Push == nil {
		return
	}
	for _, cr := range []verify.CredentialSID{service.Push.APNCredentialSID, service.Push.FCMCredentialSID} {
		if cr != "" {
			if have, ok := a.byCredential[strings.ToLower(string(cr))]; ok && !verify.SameSID(have, string(service.SID)) {
				a.byCredential[strings.ToLower(string(cr))] = ""
				continue
			}
			a.byCredential[strings.ToLower(string(cr))] = string(service.SID)
		}
	}
}

// Apply sets the event's environment, by its Service, else by the push credential it names, else by its account. What
// was not read from the event itself is marked [Event.Inferred] and is never evidence.
func (a *Attribution) Apply(e *Event) {
	defer func() { e.Next = e.next(a.file) }()
	if e.ServiceSID == "" && e.Product != ProductVoice {
		if service := a.byCredential[strings.ToLower(e.CredentialSID)]; service != "" {
			e.ServiceSID = service
			e.infer("the Service is inferred from the push credential")
		}
	}
	if e.ServiceSID != "" {
		var names []string
		switch e.Environment, names = a.Owner(e.ServiceSID); {
		case len(names) == 0:
			e.because("its Service belongs to no configured environment")
		case e.Environment == nil:
			e.because("its Service belongs to several environments: " + strings.Join(names, ", "))
		}
		return
	}
	if environment := a.one(a.byAccount[strings.ToLower(e.AccountSID)]); environment != nil {
		e.Environment = environment
		e.infer("the environment is inferred from the account")
	}
}

func (e *Event) infer(reason string) {
	e.Inferred = true
	e.PruneEvidence = EvidenceNone
	e.because(reason)
}

// next gives the command to paste: what to look at, never what to delete.
func (e *Event) next(file verify.ConfigFile) string {
	env := verify.Environment{Config: file}
	if e.Environment != nil {
		env.Name = *e.Environment
	}
	switch {
	case e.Verdict == NotPush:
		return ""
	case env.Name == "":
		return e.explain()
	case e.Action == fixCredential, e.Action == checkEnvironment, e.Action == checkApp, e.Action == fixWebhook:
		return env.Command("doctor")
	case e.Action == refreshToken && isExact(e.FactorSID, "YF") && isIdentity(e.Identity) && !e.Ambiguous:
		return env.Command("factors", "show", e.Identity, e.FactorSID)
	case e.Action == refreshToken && isIdentity(e.Identity) && !e.Ambiguous:
		return env.Command("factors", "list", e.Identity)
	}
	return e.explain()
}

func (e *Event) explain() string {
	if e.ErrorCode == nil || find(*e.ErrorCode) == nil {
		return ""
	}
	return "verifyctl debugger explain " + strconv.Itoa(*e.ErrorCode)
}

func isIdentity(text string) bool {
	_, err := verify.ParseIdentity(text)
	return err == nil
}
