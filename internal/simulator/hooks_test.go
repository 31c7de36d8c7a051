package simulator

import (
	"testing"

	vocabulary "github.com/verifyctl/verifyctl/internal/verify"
)

func TestTheSimulatorHasTheLoopbackRuleOfTheRest(t *testing.T) {
	for _, host := range []string{"localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]", "localhost.", "127.1",
		"127.evil.example", "app.localhost", "127.0.0.1.nip.io", "0177.0.0.1", "2130706433", "[::1%25lo]", "[::]", "0.0.0.0", "10.0.0.1"} {
		u := "http://user@" + host + ":8080/hook"
		bare := host
		if host[0] == '[' {
			bare = host[1 : len(host)-1]
		}
		if got, want := isLoopback(u), vocabulary.IsLoopback(bare); got != want {
			t.Errorf("a webhook at %s is called: %v, want %v", u, got, want)
		}
	}
}
