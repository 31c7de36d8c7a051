package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/verifyctl/verifyctl/internal/config"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// maxIdentityLine bounds what is read from standard input for an identity, in bytes.
const maxIdentityLine = 4096

// identity reads an IDENTITY argument: an identity, user:NAME mapped as the environment says, or - for standard input.
func (c *connection) identity(ctx context.Context, arg string) (verify.Identity, error) {
	return c.shell.identityIn(ctx, c.target, arg)
}

// identityIn reads an IDENTITY argument for an environment that need not be connected to.
func (s *shell) identityIn(ctx context.Context, target *config.Target, arg string) (verify.Identity, error) {
	if arg == "-" {
		line, err := readLine(s.standardInput("the identity"))
		if err != nil {
			return "", err
		}
		arg = line
		s.learnWords(arg)
	}
	identity, err := target.Identity(ctx, arg)
	s.names.Learn(string(identity))
	return identity, err
}

// readLine reads the one line that stands for an argument.
func readLine(in io.Reader) (string, error) {
	r := bufio.NewReader(io.LimitReader(in, maxIdentityLine+1))
	text, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("cannot read standard input: %w", err)
	}
	lines := strings.Fields(strings.TrimPrefix(string(text), "\ufeff")) // PowerShell may send a byte order mark
	if len(text) > maxIdentityLine || len(lines) != 1 {
		return "", verify.Usagef("standard input must hold exactly one identity, got %d words", len(lines))
	}
	return lines[0], nil
}
