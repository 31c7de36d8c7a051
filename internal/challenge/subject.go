package challenge

import (
	"strings"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// Subject is what somebody asks why about. The zero value asks what fails now.
type Subject struct {
	Identity   verify.Identity
	Factor     verify.FactorSID
	Challenge  verify.ChallengeSID
	Credential verify.CredentialSID
	Service    verify.ServiceSID
	Alert      verify.AlertSID
	Event      *event.Event // a decoded payload; nil for none
}

// ParseSubject reads the arguments of why: SIDs that start with YC, YF, CR, VA or NO, and everything else as an
// identity, by mapIdentity. Each kind may come once, so that "YC… IDENTITY" names one challenge.
func ParseSubject(refs []string, mapIdentity func(string) (verify.Identity, error)) (Subject, error) {
	var s Subject
	for _, ref := range refs {
		if err := s.add(ref, mapIdentity); err != nil {
			return Subject{}, err
		}
	}
	return s, nil
}

func (s *Subject) add(ref string, mapIdentity func(string) (verify.Identity, error)) (err error) {
	prefix, isSID := verify.SIDPrefix(ref)
	if !isSID && looksLikeSID(ref) {
		_, err := parsers[ref[:2]](ref)
		return err
	}
	if !isSID || parsers[prefix] == nil {
		if s.Identity != "" {
			return verify.Usagef("two identities are given, %s and %s", s.Identity, ref).
				WithHint("ask about one at a time")
		}
		s.Identity, err = mapIdentity(ref)
		return err
	}
	place := map[string]*string{"YC": (*string)(&s.Challenge), "YF": (*string)(&s.Factor), "CR": (*string)(&s.Credential),
		"VA": (*string)(&s.Service), "NO": (*string)(&s.Alert)}[prefix]
	if *place != "" {
		return verify.Usagef("%s is the second %s, ask about one at a time", ref, verify.ResourceName(prefix))
	}
	*place = ref
	return nil
}

// parsers say what is wrong with a SID of a kind that can be asked about.
var parsers = map[string]func(string) (string, error){
	"YC": func(s string) (string, error) { v, err := verify.ParseChallengeSID(s); return string(v), err },
	"YF": func(s string) (string, error) { v, err := verify.ParseFactorSID(s); return string(v), err },
	"CR": func(s string) (string, error) { v, err := verify.ParseCredentialSID(s); return string(v), err },
	"VA": func(s string) (string, error) { v, err := verify.ParseServiceSID(s); return string(v), err },
	"NO": func(s string) (string, error) { v, err := verify.ParseAlertSID(s); return string(v), err },
}

// looksLikeSID tells a SID that was cut or masked from an identity: the prefix of a kind that can be asked about and
// nothing but digits, hex letters and the usual masks behind it, at a SID's length or nearly.
func looksLikeSID(ref string) bool {
	const nearly = 20
	if len(ref) < nearly || parsers[ref[:2]] == nil {
		return false
	}
	return strings.Trim(ref[2:], "0123456789abcdefABCDEFxX*.…") == ""
}

// SubjectOf gives what an event can be asked about: the SIDs it names exactly. What is masked or can be read in several
// ways is left out, so that nothing is looked up that the event may not mean.
func SubjectOf(e event.Event) Subject {
	s := Subject{Event: &e}
	if e.Masked || e.Ambiguous {
		return s
	}
	s.Identity = orNone(verify.ParseIdentity(e.Identity))
	s.Factor = orNone(verify.ParseFactorSID(e.FactorSID))
	s.Challenge = orNone(verify.ParseChallengeSID(e.ChallengeSID))
	s.Credential = orNone(verify.ParseCredentialSID(e.CredentialSID))
	s.Service = orNone(verify.ParseServiceSID(e.ServiceSID))
	return s
}

func orNone[T ~string](id T, err error) T {
	if err != nil {
		return ""
	}
	return id
}
