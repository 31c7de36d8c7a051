package pushfile

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"

	"github.com/youmark/pkcs8"
)

// addEncryptedKey opens a private key that stands encrypted in PEM text, and tells whether it was understood. Twilio takes
// keys without a pass phrase only.
func (l *Lint) addEncryptedKey(file string, block pemBlock) (understood bool, err error) {
	const what = "private key"
	if tooSlow(block.der, 0) {
		l.say(file, Fail, what, "export it again", "it asks for more than %d rounds of its key derivation", maxIterations)
		return false, nil
	}
	passphrase, given, err := l.passphrase(file)
	if err != nil {
		return false, err
	}
	if !given {
		l.say(file, Fail, what, l.options.Config.Command("credentials", "lint", file, "--passphrase-env", "NAME")+", with the pass phrase in that variable",
			"it is encrypted, and Twilio takes it without a pass phrase only; it was not opened")
		return true, nil
	}
	signer := block.decrypt(passphrase)
	if signer == nil {
		l.sayWrongPassphrase(file, what)
		return true, nil
	}
	l.keys = append(l.keys, privateKey{file: file, signer: signer})
	l.sayMendable(file, Warn, what, "it is encrypted; Twilio takes it without a pass phrase only")
	return true, nil
}

// decrypt gives the key of an encrypted block, nil when the pass phrase does not open it or it is none that can sign.
func (b pemBlock) decrypt(passphrase string) (signer crypto.Signer) {
	defer func() {
		if broken := recover(); broken != nil { // bytes from outside must never end the program
			signer = nil
		}
	}()
	if b.headers["DEK-Info"] == "" {
		key, err := pkcs8.ParsePKCS8PrivateKey(b.der, []byte(passphrase))
		if err != nil {
			return nil
		}
		signer, _ = key.(crypto.Signer)
		return signer
	}
	//lint:ignore SA1019 people still have keys that OpenSSL encrypted in this way; nothing here rests on their secrecy
	der, err := x509.DecryptPEMBlock(&pem.Block{Type: b.kind, Headers: b.headers, Bytes: b.der}, []byte(passphrase))
	if err != nil {
		return nil
	}
	signer, err = parsePrivateKey(der)
	if err != nil {
		return nil
	}
	return signer
}
