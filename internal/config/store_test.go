package config

import (
	"context"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

const teamAddress = "postgres://verifyctl@db.bank.example/verify?sslmode=verify-full"

func TestATeamsStoreIsReadWithWhereItsSecretsAre(t *testing.T) {
	t.Setenv("DB_PASSWORD", "hidden")
	t.Setenv("STORE_KEY", "0123456789abcdef0123456789abcdef")
	team, _ := teamFile(t, environment("secret_env: S", "api_key: "+keySID, "store: "+teamAddress, "store_password_env: DB_PASSWORD"),
		"environments:\n  s:\n    store_key_env: STORE_KEY\n")
	choose := func() *Target {
		t.Helper()
		target, err := open(t, "--config", team, "-e", "s").Choose()
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	target := choose()
	password, key, err := target.StoreSecrets(context.Background())
	if err != nil || target.Store != teamAddress || password.Reveal() != "hidden" || key.Reveal() != "0123456789abcdef0123456789abcdef" {
		t.Errorf("%s with %v, %v, %v", target.Store, password == "", key == "", err)
	}
	t.Setenv("VERIFYCTL_STORE", "postgres://localhost/other")
	if got := choose().Store; got != "postgres://localhost/other" {
		t.Errorf("the variable gives way to the file: %s", got)
	}
	demo, err := open(t, "--config", team, "-e", "demo").Choose()
	if err != nil || demo.Store != "" {
		t.Errorf("the demo has the store %q, %v", demo.Store, err)
	}
}

func TestASecretOfTheStoreNeverStandsInTheFile(t *testing.T) {
	for line, words := range map[string][]string{
		"store: postgres://me:hidden@db.bank.example/verify":       {"store holds a password", "store_password_env: NAME"},
		"store: postgres://db.bank.example/verify?password=hidden": {"store holds a password", "store_password_env: NAME"},
		"store_password: hidden":                                   {"store_password would be a secret in this file", "store_password_env"},
		"store_key: hidden":                                        {"store_key would be a secret in this file", "store_key_env"},
		"store: mysql://db":                                        {"not the address of a PostgreSQL database", "postgres://user@host"},
	} {
		path := ownFile(t, environment(line))
		_, err := open(t, "-e", "s").Choose()
		wantError(t, err, verify.KindUsage, append(words, path+":5")...)
	}
	ownFile(t, environment("kind: staging"))
	t.Setenv("VERIFYCTL_STORE", "nonsense://hidden")
	_, err := open(t, "-e", "s").Choose()
	wantError(t, err, verify.KindUsage, "VERIFYCTL_STORE", "not the address")
}

func TestAStoreWithoutAKeySaysHowToMakeOne(t *testing.T) {
	ownFile(t, environment("store: "+teamAddress))
	t.Setenv("VERIFYCTL_STORE_KEY", "")
	target, err := open(t, "-e", "s").Choose()
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = target.StoreSecrets(context.Background())
	wantError(t, err, verify.KindFailed, "the key of the team's store is not given", "openssl rand -hex 32", "VERIFYCTL_STORE_KEY")
}
