package verify

import (
	"errors"
	"strings"
	"testing"
)

func TestOnlyThisMachineIsLoopback(t *testing.T) {
	for _, host := range []string{"localhost", "LocalHost", "127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1", "::0001", "::ffff:127.0.0.1", "::FFFF:7f00:1"} {
		if !IsLoopback(host) {
			t.Errorf("%s is this machine", host)
		}
	}
	for _, host := range []string{
		"", ".", "localhost.", "127.0.0.1.", "127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.0.0.1.nip.io",
		"app.localhost", "localhost.localdomain", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.0.0.01",
		"128.0.0.1", "126.255.255.255", "0.0.0.0", "::", "::2", "::1%lo", "::1%25lo", "[::1]", "127.0.0.1:80", "::ffff:128.0.0.1",
		"::127.0.0.1", "10.0.0.1", "fe80::1", "１２７.0.0.1", "127。0。0。1", "localho\u017ft", "xn--localhost", " localhost", "localhost\x00",
	} {
		if IsLoopback(host) {
			t.Errorf("%q counts as this machine", host)
		}
	}
}

func TestWhereAccountKeysMayGo(t *testing.T) {
	const (
		always = iota
		whenAllowed
		refused
		wrong
	)
	for raw, want := range map[string]int{
		"https://verify.twilio.com":                     always,
		"https://VERIFY.Twilio.com/":                    always,
		"http://127.0.0.1:8080":                         always,
		"http://LOCALHOST:8080/":                        always,
		"https://[::1]:8443":                            always,
		"http://[::ffff:127.0.0.1]:80":                  always,
		"https://proxy.bank.example":                    whenAllowed,
		"http://127.evil.example":                       refused,
		"http://127.0.0.1.nip.io":                       refused,
		"http://app.localhost":                          refused,
		"http://localhost.:8080":                        refused,
		"http://[::1%25lo]:8080":                        refused,
		"http://0177.0.0.1":                             refused,
		"https://verify.twilio.com.":                    whenAllowed,
		"https://eviltwilio.com":                        whenAllowed,
		"https://twilio.com.evil.example":               whenAllowed,
		"https://verify。twilio。com":                     whenAllowed,
		"http://verify.twilio.com":                      refused,
		"":                                              wrong,
		"127.0.0.1:8080":                                wrong,
		"localhost":                                     wrong,
		"ftp://127.0.0.1":                               wrong,
		"http://":                                       wrong,
		"http://:8080":                                  wrong,
		"http://127.0.0.1:port":                         wrong,
		"http://127.0.0.1/twilio":                       wrong,
		"http://127.0.0.1?":                             wrong,
		"http://127.0.0.1?x=1":                          wrong,
		"http://127.0.0.1#x":                            wrong,
		"http://hunter2@127.0.0.1":                      wrong,
		"http://verify.twilio.com:hunter2@evil.example": wrong,
		"hunter2@evil.example":                          wrong,
		"https://evil.example\\.twilio.com":             wrong,
		"https://evil.example%2f.twilio.com":            wrong,
	} {
		for _, allowed := range []bool{false, true} {
			for _, production := range []bool{false, true} {
				u, err := ParseBaseURL(raw, allowed, production)
				var problem *Error
				errors.As(err, &problem)
				kind := KindFailed // for none
				switch {
				case want == wrong:
					kind = KindUsage
				case want == refused, want == whenAllowed && (!allowed || production):
					kind = KindRefused
				}
				if kind == KindFailed && (err != nil || u.Path != "" || u.User != nil) || kind != KindFailed && (problem == nil || problem.Kind != kind) {
					t.Errorf("%q, allowed %v, production %v: %v, %v", raw, allowed, production, u, err)
				}
				if err != nil && strings.Contains(err.Error(), "hunter2") {
					t.Errorf("a secret is shown: %v", err)
				}
			}
		}
	}
}
