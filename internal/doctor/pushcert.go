package doctor

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"path/filepath"
	"slices"
	"strings"
)

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
		l.say(file, Fail, what, "take the one called Apple Push Services", "it is no push certificate: %s", certificate.Subject)
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
		l.say(file, Warn, what, "", "it does not say for which bundle id it is")
	}
}

func (c pushCertificate) lintDates(l *Lint) {
	const what, renew = "certificate", "renew it in Apple's developer portal, and upload it as a new credential"
	from, until := c.certificate.NotBefore.UTC(), c.certificate.NotAfter.UTC()
	switch left := until.Sub(l.now); {
	case l.now.Before(from):
		l.say(c.file, Fail, what, "", "it is not valid before %s", day(from))
	case left <= 0:
		l.say(c.file, Fail, what, renew, "it expired on %s (52131)", day(until))
	case left < expiresSoon:
		l.say(c.file, Warn, what, renew, "it expires on %s, in %s", day(until), days(left))
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

func (c pushCertificate) belongsTo(key privateKey) bool {
	public, ok := key.public.(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.certificate.PublicKey)
}

func (l *Lint) addKey(file string, block *pem.Block) {
	key, err := parsePrivateKey(block.Bytes)
	if err != nil {
		l.say(file, Fail, "private key", "export it again", "it cannot be read: %v", err)
		return
	}
	_, elliptic := key.Public().(*ecdsa.PublicKey)
	l.keys = append(l.keys, privateKey{file: file, public: key.Public(), p8: elliptic && strings.EqualFold(filepath.Ext(file), ".p8")})
}

// parsePrivateKey reads a key in any of the forms that PEM files hold.
func parsePrivateKey(der []byte) (crypto.Signer, error) {
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("it cannot sign")
	}
	return signer, nil
}
