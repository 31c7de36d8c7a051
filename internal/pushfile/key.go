package pushfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
)

type privateKey struct {
	file   string
	signer crypto.Signer
	p8     bool // it is for Apple's provider tokens, not for a certificate
}

func (k privateKey) belongsTo(certificate *x509.Certificate) bool { return k.is(certificate.PublicKey) }

// is tells whether the key is the private one of a public key.
func (k privateKey) is(public crypto.PublicKey) bool {
	own, ok := k.signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && own.Equal(public)
}

// describeKey says what a key is, with its article.
func describeKey(public crypto.PublicKey) string {
	switch key := public.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("an RSA key of %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "an EC key (" + key.Params().Name + ")"
	case ed25519.PublicKey:
		return "an Ed25519 key"
	}
	return "a key of another type"
}

// addKey takes in a private key, and tells whether it was understood. Its form is "" when it is not from PEM text.
func (l *Lint) addKey(file, form string, der []byte) bool {
	signer, err := parsePrivateKey(der)
	if err != nil {
		l.say(file, Fail, "private key", "copy the file again, whole; if it stays so, export the key again", "it cannot be read: it is cut off or damaged")
		return false
	}
	ec, isEC := signer.Public().(*ecdsa.PublicKey)
	_, notPKCS8 := x509.ParsePKCS8PrivateKey(der)
	p8 := isEC && ec.Curve == elliptic.P256() && notPKCS8 == nil // as Apple gives them out
	if !slices.ContainsFunc(l.keys, func(have privateKey) bool { return have.is(signer.Public()) }) {
		l.keys = append(l.keys, privateKey{file: file, signer: signer, p8: p8})
	}
	if !labelled(form, der) {
		l.sayMendable(file, Fail, "private key", "its BEGIN line says %s, but the key is in another form: Twilio answers 20001, could not parse it", form)
	}
	if _, isRSA := signer.Public().(*rsa.PublicKey); isRSA && form == "PRIVATE KEY" {
		l.sayMendable(file, Warn, "private key", "it is in PKCS #8 form (BEGIN PRIVATE KEY), where Twilio's guide shows BEGIN RSA PRIVATE KEY; it is not known whether Twilio takes it as it is")
	}
	return true
}

// labelled tells whether a key is in the form that its BEGIN line says.
func labelled(form string, der []byte) (fits bool) {
	var err error
	switch form {
	case "RSA PRIVATE KEY":
		_, err = x509.ParsePKCS1PrivateKey(der)
	case "EC PRIVATE KEY":
		_, err = x509.ParseECPrivateKey(der)
	case "PRIVATE KEY":
		_, err = x509.ParsePKCS8PrivateKey(der)
	}
	return err == nil
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

// matchKeys holds every key against the certificates.
func (l *Lint) matchKeys() {
	for _, key := range l.keys {
		matches := slices.ContainsFunc(l.certificates, func(c pushCertificate) bool { return key.belongsTo(c.certificate) })
		switch {
		case matches:
			l.say(key.file, Pass, "private key", "", "it belongs to the certificate")
			if _, isRSA := key.signer.Public().(*rsa.PublicKey); !isRSA {
				l.say(key.file, Warn, "private key", "if Twilio refuses it, request a new certificate with an RSA key of 2048 bits",
					"it is %s, where Twilio's guide shows an RSA key; it is not known whether Twilio takes it", describeKey(key.signer.Public()))
			}
		case key.p8:
			l.say(key.file, Fail, "private key", "make an Apple Push Services certificate, and upload that with its key",
				"it looks like a key for Apple's provider tokens (.p8): Twilio's push credentials take a certificate with its key instead")
		case len(l.certificates) == 0:
			l.say(key.file, Pass, "private key", "", "%s", describeKey(key.signer.Public()))
			if len(l.others) == 0 {
				l.say(key.file, Unknown, "private key", "lint it together with its certificate", "there is no certificate to hold it against")
			}
		default:
			l.say(key.file, Fail, "private key", "find the key that the certificate's request was made with (on the Mac that made it: Keychain Access, My Certificates)",
				"it does not belong to the certificate (52145): it is %s, the certificate's is %s", describeKey(key.signer.Public()), describeKey(l.certificates[0].certificate.PublicKey))
		}
	}
	if len(l.certificates) > 0 && len(l.keys) == 0 {
		l.say(l.certificates[0].file, Unknown, "private key", "lint the certificate together with its key", "there is no private key")
	}
}
