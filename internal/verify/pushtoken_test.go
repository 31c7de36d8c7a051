package verify

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func formats(token PushToken) []string {
	factor := Factor{Config: FactorConfig{Token: token}}
	text, err := json.Marshal(factor)
	if err != nil {
		panic(err)
	}
	return []string{
		string(text), fmt.Sprint(token), fmt.Sprintf("%#v", factor), fmt.Sprintf("%+v", factor),
		fmt.Sprintf("%q %s %v", token, token, token),
	}
}

func TestPushTokenNeverShows(t *testing.T) {
	token := PushToken("fcm-secret-token")
	for _, got := range formats(token) {
		if strings.Contains(got, "secret") {
			t.Errorf("a push token was shown: %s", got)
		}
	}
	if token.Reveal() != "fcm-secret-token" {
		t.Error("Reveal does not give the token")
	}
}
