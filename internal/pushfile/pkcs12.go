package pushfile

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"strings"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const pkcs12Words = "PKCS #12"

// maxIterations bounds how slow a PKCS #12 file may make the way from its pass phrase to its key: a few seconds here.
const maxIterations = 10_000_000

// looksLikePKCS12 tells the start of a PFX: a sequence whose first member is the version 3 (RFC 7292).
func looksLikePKCS12(text []byte) bool {
	return len(text) > 8 && text[0] == 0x30 && bytes.Contains(text[:8], []byte{0x02, 0x01, 0x03})
}

// addPKCS12 opens a PKCS #12 file, with an empty pass phrase first, and reads what is in it as if it were PEM text.
func (l *Lint) addPKCS12(file string, text []byte) error {
	const what = pkcs12Words
	if !isDER(text) && len(text) > 2 && text[1] != 0x80 { // 0x80 is BER without a length
		l.say(file, Fail, what, wholeAgain, "it is cut off or damaged")
		return nil
	}
	if tooSlow(text, 0) {
		l.say(file, Fail, what, "export it again", "it asks for more than %d rounds of its key derivation", maxIterations)
		return nil
	}
	err := l.openPKCS12(file, text, "")
	if errors.Is(err, pkcs12.ErrIncorrectPassword) {
		passphrase, given, asked := l.passphrase(file)
		if asked != nil {
			return asked
		}
		if given {
			if err = l.openPKCS12(file, text, passphrase); errors.Is(err, pkcs12.ErrIncorrectPassword) {
				l.sayWrongPassphrase(file, what)
				return nil
			}
		}
	}
	if err == nil {
		l.sayMendable(file, Warn, what, "it is a PKCS #12 file; Twilio takes the certificate and the key as PEM text")
		return nil
	}
	l.sayPKCS12(file, err)
	return nil
}

// passphrase asks for the pass phrase of a file. Given is false when there is nobody to ask.
func (l *Lint) passphrase(file string) (passphrase string, given bool, err error) {
	if l.options.Passphrase == nil {
		return "", false, nil
	}
	passphrase, err = l.options.Passphrase(file)
	if err != nil && verify.KindOf(err) == verify.KindRefused {
		return "", false, nil
	}
	return passphrase, err == nil, err
}

func (l *Lint) sayWrongPassphrase(file, what string) {
	l.say(file, Fail, what, "give the pass phrase that it was exported with", "the pass phrase does not open it")
}

// sayPKCS12 says why a PKCS #12 file could not be read, and what then to do.
func (l *Lint) sayPKCS12(file string, err error) {
	const what, both = pkcs12Words, "export the certificate together with its key: in Keychain Access, choose both under My Certificates"
	switch message := err.Error(); {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		l.say(file, Unknown, what, l.options.Config.Command("credentials", "lint", file, "--passphrase-env", "NAME")+", with the pass phrase in that variable",
			"it needs its pass phrase: nothing was checked")
	case strings.Contains(message, "private key missing"):
		l.say(file, Fail, what, both, "there is no private key in it")
	case strings.Contains(message, "certificate missing"):
		l.say(file, Fail, what, both, "there is no certificate in it")
	case strings.Contains(message, "exactly one key bag"):
		l.say(file, Fail, what, "export the push certificate alone with its key", "there are several private keys in it")
	default:
		q := verify.Quote(file)
		l.say(file, Unknown, what, "with OpenSSL 3: openssl pkcs12 -legacy -in "+q+" -nodes -out cert.pem; with LibreSSL (macOS): openssl pkcs12 -in "+q+" -nodes -out cert.pem; then lint cert.pem",
			"it is in a form that cannot be read here (%s): nothing was checked", strings.TrimPrefix(message, "pkcs12: "))
	}
}

// openPKCS12 takes in what is in the file. The library speaks no BER and reads one key with its certificates.
func (l *Lint) openPKCS12(file string, text []byte, passphrase string) (err error) {
	defer func() {
		if broken := recover(); broken != nil { // bytes from outside must never end the program
			err = errors.New("it is damaged")
		}
	}()
	key, certificate, chain, err := pkcs12.DecodeChain(text, passphrase)
	if err != nil {
		return err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return errors.New("its key cannot sign")
	}
	l.addCertificate(file, certificate)
	for _, authority := range chain {
		l.addCertificate(file, authority)
	}
	l.keys = append(l.keys, privateKey{file: file, signer: signer})
	return nil
}

// tooSlow looks for the counts of rounds in a PKCS #12 file: in each of its forms the number behind a salt.
func tooSlow(der []byte, depth int) bool {
	const maxDepth = 16
	afterSalt := false
	for len(der) > 0 && depth < maxDepth {
		var part asn1.RawValue
		rest, err := asn1.Unmarshal(der, &part)
		if err != nil {
			return false
		}
		der = rest
		if part.Class == asn1.ClassUniversal && part.Tag == asn1.TagInteger && afterSalt {
			var rounds int
			if _, err := asn1.Unmarshal(part.FullBytes, &rounds); err != nil || rounds > maxIterations {
				return true
			}
		}
		afterSalt = part.Class == asn1.ClassUniversal && part.Tag == asn1.TagOctetString
		if (part.IsCompound || afterSalt) && tooSlow(part.Bytes, depth+1) {
			return true
		}
	}
	return false
}
