package config

import (
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

func TestUserNamesBecomeIdentities(t *testing.T) {
	t.Setenv("IDENTITY_KEY", "key")
	const jane = "user:jane@bank.example"
	for _, tc := range []struct {
		name, rule, arg string
		want            string
		problem         string
	}{
		{"an identity stays", "identity: {from: sha256}", "User-1001", "User-1001", ""},
		{"raw", "identity: {from: raw}", "user:user-1001", "user-1001", ""},
		{"raw by default", "kind: staging", "user:user-1001", "user-1001", ""},
		// printf %s jane@bank.example | sha256sum
		{"sha256", "identity: {from: sha256}", jane, "299aefcd5f0de3b4515e6549222b730387765ee476e0a5878dab4458740ff16b", ""},
		// printf %s jane@bank.example | openssl dgst -sha256 -hmac key
		{"hmac", "identity: {from: hmac-sha256, key: {env: IDENTITY_KEY}}", jane, "9dce4b1de93a881fc2b795ff458236a38cd27bb601d495dc56eac5079946e83c", ""},
		{"nothing is normalised", "identity: {from: sha256}", "user:Jane@bank.example", "b15c4589a23572783d5371878f9e7c890ec43eee7647aa40e9f8baa04d46bc13", ""},
		{"command", "identity: {from: command, command: [tr, -dc, a-z]}", jane, "janebankexample", ""},
		{"command alone", "identity: {command: [tr, -dc, a-z]}", jane, "janebankexample", ""},
		{"raw is no identity", "kind: staging", jane, "", "cannot become an identity of the environment s as it is: character 5, '@'"},
		{"command makes none", "identity: {command: [cat]}", jane, "", `made "jane@bank.example" of "user:jane@bank.example", which is not an identity`},
		{"command makes a path", "identity: {command: [echo, ../../..]}", jane, "", "which is not an identity"},
		{"command fails", "identity: {command: ['false']}", jane, "", "the command false (FILE:5) failed: exit status 1"},
		{"no name", "kind: staging", "user:", "", "names no user"},
		{"no identity", "kind: staging", "a/b", "", "is not an identity"},
	} {
		t.Run(tc.name, func(t *testing.T) {

			path := ownFile(t, environment(tc.rule))
			target, err := open(t, "-e", "s").Choose()
			if err != nil {
				t.Fatal(err)
			}
			got, err := target.Identity(t.Context(), tc.arg)
			if tc.problem != "" {
				wantError(t, err, verify.KindUsage, strings.ReplaceAll(tc.problem, "FILE", path))
				return
			}
			if err != nil || string(got) != tc.want {
				t.Errorf("%q, %v; want %q", got, err, tc.want)
			}
		})
	}
}

func TestAMissingIdentityKeyIsNotAnEmptyOne(t *testing.T) {
	ownFile(t, environment("identity: {from: hmac-sha256, key: {env: IDENTITY_KEY}}"))
	t.Setenv("IDENTITY_KEY", "")
	target, err := open(t, "-e", "s").Choose()
	if err != nil {
		t.Fatal(err)
	}
	_, err = target.Identity(t.Context(), "user:jane")
	wantError(t, err, verify.KindAuth, `the identity of "user:jane"`, "IDENTITY_KEY")
}
