package pushfile

import (
	"crypto/x509"
	"encoding/asn1"
	"slices"
	"strings"
	"time"
)

// expiresSoon is when a certificate's end is near: Apple's last a year, and a month is the least that a renewal needs.
const expiresSoon = 30 * 24 * time.Hour

// Apple's extensions of push certificates.
var (
	oidSandbox    = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 1} // serves Apple's sandbox
	oidProduction = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 2} // serves production
	oidTopics     = asn1.ObjectIdentifier{1, 2, 840, 113635, 100, 6, 3, 6} // a universal certificate, and its topics
	oidUserID     = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1} // UID in the subject: the bundle id
)

// pushCertificate is a certificate as a push credential holds it.
type pushCertificate struct {
	file                string
	certificate         *x509.Certificate
	sandbox, production bool
	topics              []pushTopic
}

// pushTopic is one topic of a certificate; kind is app, voip or complication.
type pushTopic struct{ id, kind string }

func (l *Lint) addCertificate(file string, certificate *x509.Certificate) {
	const what = "certificate"
	c := readPushCertificate(file, certificate)
	if !c.isForPush() {
		if !slices.ContainsFunc(l.others, certificate.Equal) {
			l.others = append(l.others, certificate)
			l.otherFiles = append(l.otherFiles, file)
		}
		return
	}
	if slices.ContainsFunc(l.certificates, func(have pushCertificate) bool { return have.certificate.Equal(certificate) }) {
		l.say(file, Pass, what, "", "it is there twice")
		return
	}
	l.certificates = append(l.certificates, c)
	c.lintDates(l)
	switch {
	case c.voipOnly():
		l.say(file, Fail, what, "make an Apple Push Services certificate", "it is for VoIP only: Verify Push sends ordinary notifications (52143)")
	case c.sandbox && c.production:
		l.say(file, Pass, what, "", "it is universal: the credential's sandbox decides alone; true for debug builds, false for distribution builds")
	case c.sandbox:
		l.say(file, Pass, what, "", "it serves the sandbox only: for debug builds, with sandbox true")
	default:
		l.say(file, Pass, what, "", "it serves production only: for distribution builds, with sandbox false")
	}
	if topics := c.pushTopics(); len(topics) > 0 {
		l.say(file, Pass, what, "", "bundle id %s", strings.Join(topics, ", "))
	} else if !c.voipOnly() {
		l.say(file, Warn, what, "look up in Apple's developer portal which app it is for", "it does not say for which bundle id it is")
	}
}

// lintOthers says what the certificates are that are not for push. Beside one that is, an authority's does no harm.
func (l *Lint) lintOthers() {
	const what, take = "certificate", "take the one called Apple Push Services"
	for i, certificate := range l.others {
		file, name := l.otherFiles[i], certificate.Subject.String()
		switch {
		case certificate.IsCA && len(l.certificates) > 0:
			l.sayMendable(file, Warn, what, "beside the push certificate there is that of an authority, %s; it is not known whether Twilio takes both", name)
		case certificate.IsCA:
			l.say(file, Fail, what, take, "it is the certificate of an authority, not a push certificate: %s", name)
		case slices.ContainsFunc(signingNames, func(prefix string) bool { return strings.HasPrefix(certificate.Subject.CommonName, prefix) }):
			l.say(file, Fail, what, take, "it signs apps, and is no push certificate: %s", name)
		default:
			l.say(file, Fail, what, take, "it is no push certificate: %s", name)
		}
	}
}

// signingNames begin the names of Apple's certificates for signing apps.
var signingNames = []string{"Apple Development", "Apple Distribution", "iPhone Developer", "iPhone Distribution", "iOS Development", "iOS Distribution", "Mac Developer", "Developer ID"}

func (c pushCertificate) lintDates(l *Lint) {
	const what, renew = "certificate", "renew it in Apple's developer portal, and upload it as a new credential"
	from, until := c.certificate.NotBefore.UTC(), c.certificate.NotAfter.UTC()
	switch left := until.Sub(l.options.Now); {
	case l.options.Now.Before(from):
		l.say(c.file, Fail, what, "wait for that day, or set this machine's clock right", "it is not valid before %s", day(from))
	case left <= 0:
		l.say(c.file, Fail, what, renew, "it expired on %s (52131)", day(until))
	case left < expiresSoon:
		l.say(c.file, Warn, what, renew, "it expires on %s, in %d days", day(until), int(left/(24*time.Hour)))
	default:
		l.say(c.file, Pass, what, "", "it expires on %s", day(until))
	}
}

func readPushCertificate(file string, certificate *x509.Certificate) pushCertificate {
	c := pushCertificate{file: file, certificate: certificate}
	for _, extension := range certificate.Extensions {
		switch {
		case extension.Id.Equal(oidSandbox):
			c.sandbox = true
		case extension.Id.Equal(oidProduction):
			c.production = true
		case extension.Id.Equal(oidTopics):
			c.topics = parseTopics(extension.Value)
		}
	}
	return c
}

// parseTopics reads Apple's list of topics: a sequence in which each topic, a string, is followed by a sequence of the
// kinds it is for. Whatever does not fit ends the list.
func parseTopics(der []byte) []pushTopic {
	var list asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &list); err != nil || len(rest) > 0 || list.Tag != asn1.TagSequence {
		return nil
	}
	var topics []pushTopic
	for rest := list.Bytes; len(rest) > 0; {
		var id string
		var kinds []string
		var err error
		if rest, err = asn1.Unmarshal(rest, &id); err != nil {
			break
		}
		if rest, err = asn1.Unmarshal(rest, &kinds); err != nil {
			break
		}
		for _, kind := range kinds {
			topics = append(topics, pushTopic{id, kind})
		}
	}
	return topics
}

func (c pushCertificate) isForPush() bool {
	return c.sandbox || c.production || len(c.topics) > 0 || c.isVoIPByName()
}

func (c pushCertificate) isVoIPByName() bool {
	return strings.HasPrefix(c.certificate.Subject.CommonName, "VoIP Services")
}

// voipOnly tells a certificate that serves no ordinary notifications.
func (c pushCertificate) voipOnly() bool {
	return c.isVoIPByName() || len(c.topics) > 0 && !slices.ContainsFunc(c.topics, func(t pushTopic) bool { return t.kind == "app" })
}

// pushTopics gives the bundle ids that ordinary notifications can be sent for.
func (c pushCertificate) pushTopics() []string {
	var ids []string
	for _, topic := range c.topics {
		if topic.kind == "app" && !slices.Contains(ids, topic.id) {
			ids = append(ids, topic.id)
		}
	}
	if len(ids) > 0 || len(c.topics) > 0 || c.isVoIPByName() {
		return ids
	}
	for _, name := range c.certificate.Subject.Names {
		if id, ok := name.Value.(string); ok && name.Type.Equal(oidUserID) {
			return []string{id}
		}
	}
	return nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }
