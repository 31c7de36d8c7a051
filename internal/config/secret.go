package config

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
	"unicode"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Limits of a command that prints a secret or an identity. A person may have to touch a key or unlock a vault first.
const (
	commandTimeout = time.Minute
	commandGrace   = 2 * time.Second
	maxOutput      = 64 << 10
)

// fetch gets the text a reference stands for, without judging it. Errors name the source, never the text.
func (c *Config) fetch(ctx context.Context, r reference) (string, error) {
	switch r.kind {
	case inVariable:
		value := os.Getenv(r.name)
		if value == "" {
			return "", missing(r, "which is not set").WithHint("set %s where you run this", r.name)
		}
		return value, nil
	case fromCommand:
		out, err := runCommand(ctx, r.argv, nil, c.opts.Stderr)
		if err != nil {
			return "", &verify.Error{Kind: verify.KindAuth, Message: fmt.Sprintf("%s failed: %v", r, err), Cause: err}
		}
		return out, nil
	case inFile:
		return r.text.Reveal(), nil
	}
	value, err := c.keychain.get(ctx, r.name)
	if errors.Is(err, errNoEntry) {
		return "", missing(r, "which does not exist")
	}
	return value, err
}

func missing(r reference, why string) *verify.Error {
	return &verify.Error{Kind: verify.KindAuth, Message: fmt.Sprintf("the secret should be in %s, %s", r, why)}
}

// runCommand runs a program directly, never through a shell, and gives what it printed less one line end. Without input
// its standard input is empty; its standard error is ours.
func runCommand(ctx context.Context, argv []string, input io.Reader, stderr io.Writer) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	out := &cappedBuffer{}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, out, stderr
	cmd.WaitDelay = commandGrace // a grandchild that keeps the pipe open must not keep us
	err := cmd.Run()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "", fmt.Errorf("no answer within %s", commandTimeout)
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil:
		return "", err
	case out.overflowed:
		return "", fmt.Errorf("it printed more than %d bytes", maxOutput)
	}
	text := strings.TrimSuffix(string(out.kept), "\n")
	return strings.TrimSuffix(text, "\r"), nil
}

// cappedBuffer keeps the first maxOutput bytes and notes whether there were more.
type cappedBuffer struct {
	kept       []byte
	overflowed bool
}

func (b *cappedBuffer) Write(p []byte) (int, error) {
	room := maxOutput - len(b.kept)
	b.overflowed = b.overflowed || len(p) > room
	b.kept = append(b.kept, p[:min(len(p), room)]...)
	return len(p), nil
}

// checkKey refuses what cannot be the secret of account keys. Twilio's are letters and digits (twilio-go refuses others
// before sending); what is wrong is nearly always a line break or a space that came along when it was copied.
func checkKey(text, source string) (verify.Secret, error) {
	if text == "" {
		return "", badKey(source, "is empty")
	}
	for i, r := range []rune(text) {
		switch {
		case r == '\n' || r == '\r':
			return "", badKey(source, "has a line break in it").WithHint("store it without one: printf %%s instead of echo")
		case unicode.IsSpace(r):
			return "", badKey(source, "has a space in it").WithHint("store it without spaces around it")
		case r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r):
			return "", badKey(source, fmt.Sprintf("has a character that is not a letter or digit at position %d", i+1))
		}
	}
	return verify.Secret(text), nil
}

func badKey(source, problem string) *verify.Error {
	return &verify.Error{Kind: verify.KindAuth, Message: fmt.Sprintf("the secret from %s %s", source, problem)}
}
