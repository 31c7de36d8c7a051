package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/zalando/go-keyring"
)

// A key that Twilio refuses is said to come from where it really came from.
func TestARefusedKeyNamesItsPlace(t *testing.T) {
	keyring.MockInit()
	c := newClinic(t, `environments:
  in-keychain: {account_sid: $ACCOUNT, service_sid: $DEV, api_key: $BLIND, kind: development, base_url: $SERVER, secret: keychain}
  in-file: {account_sid: $ACCOUNT, service_sid: $DEV, api_key: $MAIN, kind: development, base_url: $SERVER}
  in-variable: {account_sid: $ACCOUNT, service_sid: $DEV, api_key: $MAIN, kind: development, base_url: $SERVER, secret_env: CLINIC_WRONG}
  by-command: {account_sid: $ACCOUNT, service_sid: $DEV, api_key: $MAIN, kind: development, base_url: $SERVER}
`)
	personal := strings.TrimSuffix(c.config, ".yaml") + ".local.yaml"
	machine{filepath.Dir(c.config)}.write(t, filepath.Base(personal), `environments:
  in-file: {secret: wrong0secret}
  by-command: {secret_command: [echo, wrong0secret]}
`)
	if err := keyring.Set("verifyctl", blindKey, "wrong0secret"); err != nil {
		t.Fatal(err)
	}
	for env, place := range map[string]string{
		"in-keychain": "the keychain entry " + blindKey,
		"in-file":     personal + ":2",
		"in-variable": "the environment variable CLINIC_WRONG",
		"by-command":  "the command echo",
	} {
		status, _, stderr := c.run("-e", env, "services", "list")
		if status != 4 || !strings.Contains(stderr, place) {
			t.Errorf("%s: status %d, want 4 and %q in\n%s", env, status, place, stderr)
		}
	}
}
