package environments

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// effect says what changes of a Service mean for its users.
func (c *comparison) effect(ctx context.Context, fields []Field) (effect []string) {
	if c.service == nil {
		return nil
	}
	for _, f := range fields {
		for _, platform := range platforms {
			if f.Name == "push."+string(platform)+"_credential_sid" {
				effect = append(effect, c.pushedThrough(ctx, platform, f.New))
			}
		}
	}
	if len(effect) > 0 {
		effect = append(effect, "whether factors that exist follow a new credential is not documented: watch "+c.env.Command("debugger", "alerts"))
	}
	return effect
}

func (c *comparison) pushedThrough(ctx context.Context, platform verify.Platform, credential string) string {
	phones := map[verify.Platform]string{verify.PlatformAPN: "iPhones", verify.PlatformFCM: "Android phones"}[platform]
	through := credential
	if credential == KnownAfter {
		through = "the new credential"
	}
	if c.env.Factors != nil {
		if n, known := c.env.Factors(ctx, platform); known {
			return fmt.Sprintf("%s of %s will be pushed through %s", phones, thousands(n), through)
		}
	}
	return fmt.Sprintf("%s will be pushed through %s; number unknown: %s", phones, through, c.env.Command("fleet", "sync"))
}

// thousands writes a number of factors so that its size is seen: 12,304 factors.
func thousands(n int) string {
	text := verify.Count(n, "factor")
	digits, noun, _ := strings.Cut(text, " ")
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits + " " + noun
}

// shortSum tells one certificate from another; a certificate is no secret.
func shortSum(contents []byte) string {
	sum := sha256.Sum256(contents)
	return hex.EncodeToString(sum[:8])
}
