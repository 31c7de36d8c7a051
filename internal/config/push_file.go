package config

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxPushFile bounds a certificate, a key or a service account, in bytes. One has some 5 KiB.
const maxPushFile = 1 << 20

// PushFile reads what the environment's push credential for a platform is to be made of, and the pass phrase that opens it.
// The error is a usage [verify.Error] that names where the reference stands; nothing of a content is in it. A placeholder
// has no content, and is refused.
func (t *Target) PushFile(ctx context.Context, platform verify.Platform) (verify.PushFile, error) {
	var declared verify.PushDeclaration
	if t.Service != nil {
		declared = t.Service.Push[platform]
	}
	file := verify.PushFile{At: declared.ContentsAt}
	switch declared.Contents {
	case verify.ContentsUndeclared:
		return file, verify.Usagef("%s declares no file for its %s credential", t.Environment.Name, platform)
	case verify.ContentsPlaceholder:
		return file, verify.Refusedf("%s: %s is a placeholder, which stands for a file that no API gives back", declared.ContentsAt, declared.Description).
			WithHint("put the name of the file in its place")
	}
	from := t.push[platform]
	for _, f := range []located{from.certificate, from.key, from.account} {
		if f.value == "" {
			continue
		}
		path := resolvePath(f.value, f.at.file)
		content, err := readWhole(path)
		if err != nil {
			return file, verify.Usagef("%s: the credential file %s cannot be read: %w", f.at, path, err)
		}
		file.Files = append(file.Files, verify.PushContent{Name: path, Content: verify.Secret(content)})
	}
	if from.accountFrom != nil {
		text, err := t.fetchFor(ctx, *from.accountFrom)
		if err != nil {
			return file, err
		}
		file.Files = append(file.Files, verify.PushContent{Name: from.accountFrom.words(), Content: verify.Secret(text)})
	}
	return t.withPassphrase(ctx, file, from)
}

func (t *Target) withPassphrase(ctx context.Context, file verify.PushFile, from pushReferences) (verify.PushFile, error) {
	switch {
	case from.passphraseFile.value != "":
		path := resolvePath(from.passphraseFile.value, from.passphraseFile.at.file)
		text, err := readWhole(path)
		if err != nil {
			return file, verify.Usagef("%s: the pass phrase's file %s cannot be read: %w", from.passphraseFile.at, path, err)
		}
		line := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		file.Passphrase, file.HasPass, file.PassphraseAt = verify.Secret(line), true, path
	case from.passphrase != nil:
		text, err := t.fetchFor(ctx, *from.passphrase)
		if err != nil {
			return file, err
		}
		file.Passphrase, file.HasPass, file.PassphraseAt = verify.Secret(text), true, from.passphrase.words()
	}
	return file, nil
}

// fetchFor fetches what a reference of the file stands for; what is missing is wrong usage that names the line.
func (t *Target) fetchFor(ctx context.Context, r reference) (string, error) {
	text, err := t.config.fetch(ctx, r)
	if known, ok := errors.AsType[*verify.Error](err); ok && known.Kind == verify.KindAuth {
		return "", &verify.Error{Kind: verify.KindUsage, Message: known.Message, Hint: known.Hint, Cause: err}
	}
	return text, err
}

func readWhole(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, withoutPath(err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxPushFile+1))
	switch {
	case err != nil:
		return nil, withoutPath(err)
	case len(content) > maxPushFile:
		return nil, errors.New("it is larger than 1 MiB, which no credential is")
	}
	return content, nil
}

// withoutPath leaves out the path, which the message has already.
func withoutPath(err error) error {
	if inFile, ok := errors.AsType[*fs.PathError](err); ok {
		return inFile.Err
	}
	return err
}
