package pushfile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// The names of what Extract writes, as in Twilio's guide.
const (
	certificateFile = "cert.pem"
	keyFile         = "key.pem"
	accountFile     = "service-account.json"
)

// Extract writes what was read as Twilio wants it into a folder: the push certificate alone, its key in the form of
// Twilio's guide, the service account as Google gave it. The files are their owner's alone. It makes the folder, and
// refuses to write over a file or through a link. It gives the files written; what it mended counts as mended from then on.
func (l *Lint) Extract(dir string) ([]string, error) {
	pieces, err := l.pieces()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, verify.Usagef("--extract: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() {
		return nil, verify.Refusedf("--extract %s: it is a link or a file, not a folder; nothing was written", dir)
	}
	folder, err := os.OpenRoot(dir)
	if err != nil {
		return nil, verify.Usagef("--extract: %w", err)
	}
	defer folder.Close()
	if opened, err := folder.Stat("."); err != nil || !os.SameFile(info, opened) {
		return nil, verify.Refusedf("--extract %s: it has just been exchanged; nothing was written", dir)
	}
	written := slices.Sorted(maps.Keys(pieces))
	for i, name := range written {
		if err := writeNew(folder, name, pieces[name]); err != nil {
			for _, done := range written[:i] {
				err = errors.Join(err, folder.Remove(done))
			}
			failed := &verify.Error{Kind: verify.KindFailed, Cause: err, Message: fmt.Sprintf("--extract %s: %s cannot be written: %v; nothing was written", dir, name, err)}
			if errors.Is(err, fs.ErrExist) {
				failed.Kind, failed.Hint = verify.KindRefused, "choose a new folder, or move what is there away"
			}
			return nil, failed
		}
	}
	for i, name := range written {
		written[i] = filepath.Join(dir, name)
	}
	l.mended(written)
	return written, nil
}

func writeNew(folder *os.Root, name string, content []byte) error {
	f, err := folder.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, folder.Remove(name))
	}
	return nil
}

// pieces gives what there is to write. It refuses to choose: of two certificates or keys it would be a guess.
func (l *Lint) pieces() (map[string][]byte, error) {
	pieces := map[string][]byte{}
	certificates := l.candidates()
	switch {
	case len(l.keys) > 1:
		return nil, verify.Refusedf("there are %d private keys in the files; nothing was written", len(l.keys)).WithHint("give the certificate and its own key")
	case len(certificates) > 1:
		return nil, verify.Refusedf("there are %d certificates in the files; nothing was written", len(certificates)).WithHint("give one with its own key")
	case len(l.accounts) > 1:
		return nil, verify.Refusedf("there are %d service accounts in the files; nothing was written", len(l.accounts)).WithHint("give one")
	case len(certificates) == 1 && len(l.keys) == 1 && !l.keys[0].belongsTo(certificates[0]):
		return nil, verify.Refusedf("the private key does not belong to the certificate; nothing was written").WithHint("give the certificate with its own key")
	}
	if len(certificates) == 1 {
		pieces[certificateFile] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificates[0].Raw})
	}
	if len(l.keys) == 1 && !l.keys[0].p8 {
		text, err := encodeKey(l.keys[0].signer)
		if err != nil {
			return nil, err
		}
		pieces[keyFile] = text
	}
	if len(l.accounts) == 1 {
		pieces[accountFile] = l.accounts[0]
	}
	if len(pieces) == 0 {
		return nil, &verify.Error{Kind: verify.KindFailed, Message: "there is nothing to extract: no certificate, no key and no service account could be read; nothing was written"}
	}
	return pieces, nil
}

// candidates gives the certificates that the key may belong to: those for push, and only where there is none any other
// that is not an authority's. Where one belongs to the key, it is the one.
func (l *Lint) candidates() []*x509.Certificate {
	var all []*x509.Certificate
	for _, c := range l.certificates {
		all = append(all, c.certificate)
	}
	if len(all) == 0 {
		all = slices.DeleteFunc(slices.Clone(l.others), func(c *x509.Certificate) bool { return c.IsCA })
	}
	if len(l.keys) == 1 {
		own := slices.DeleteFunc(slices.Clone(all), func(c *x509.Certificate) bool { return !l.keys[0].belongsTo(c) })
		if len(own) > 0 {
			return own
		}
	}
	return all
}

// encodeKey writes a key as Twilio's guide shows it: as RSA PRIVATE KEY (PKCS #1), or what its type has in that place.
func encodeKey(key crypto.Signer) ([]byte, error) {
	var block pem.Block
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		block.Type, block.Bytes = "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key)
	case *ecdsa.PrivateKey:
		block.Type = "EC PRIVATE KEY"
		block.Bytes, err = x509.MarshalECPrivateKey(key)
	default:
		block.Type = "PRIVATE KEY"
		block.Bytes, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		return nil, fmt.Errorf("the key cannot be written: %w", err)
	}
	return pem.EncodeToMemory(&block), nil
}

// mended turns what was wrong with the text of the files into what was mended.
func (l *Lint) mended(files []string) {
	var quoted []string
	for _, file := range files {
		quoted = append(quoted, verify.Quote(file))
	}
	for i, line := range l.Lines {
		if line.mends {
			l.Lines[i].Status, l.Lines[i].Fix = Warn, "upload "+strings.Join(quoted, " and ")+", which are repaired"
		}
	}
}
