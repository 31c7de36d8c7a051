package simulator_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// loadIfHere is load for the documents of products that a folder of documents may well lack.
func loadIfHere(t *testing.T, file string) *contract {
	t.Helper()
	if _, err := os.Stat(filepath.Join(documents(t), file)); err != nil {
		t.Skipf("skipped: %s is not among the OpenAPI documents here", file)
	}
	return load(t, file)
}

// TestProductContracts holds what doctor reads beside Verify, Notify and Monitor against its documents, where they are.
// TestOtherProducts holds the keys of the same replies where they are not.
func TestProductContracts(t *testing.T) {
	const accounts = "/2010-04-01/Accounts"
	t.Run("accounts", func(t *testing.T) {
		v := loadIfHere(t, "twilio_api_v2010.json").tour(demo(t).at("api.twilio.com"))
		v.ok("GET", accounts+".json")
		v.ok("GET", accounts+".json?Status=closed")
		v.ok("GET", accounts+"/"+simulator.DefaultAccountSID+".json")
		usage := accounts + "/" + simulator.DefaultAccountSID + "/Usage/Records.json"
		v.ok("GET", usage+"?Category=verify-push&StartDate=2026-10-01&EndDate=2026-11-02")
		v.ok("GET", usage+"?Category=sms")
	})
	t.Run("keys", func(t *testing.T) {
		v := loadIfHere(t, "twilio_iam_v1.json").tour(demo(t).at("iam.twilio.com"))
		v.ok("GET", "/v1/Keys?AccountSid="+simulator.DefaultAccountSID)
		for _, form := range [][]string{{}, {"Policy", `{"allow":["/twilio/verify/*"]}`}} {
			key := "/v1/Keys/" + v.ok("POST", "/v1/Keys", append(form, "AccountSid", simulator.DefaultAccountSID, "FriendlyName", "ci")...).text("sid")
			v.ok("GET", key)
			v.ok("POST", key, "FriendlyName", "renamed")
			v.ok("DELETE", key)
		}
	})
	t.Run("event streams", func(t *testing.T) {
		v := loadIfHere(t, "twilio_events_v1.json").tour(demo(t).at("events.twilio.com"))
		v.ok("GET", "/v1/Sinks")
		v.ok("GET", "/v1/Sinks?Status=failed")
		v.ok("GET", "/v1/Subscriptions")
		sid := v.ok("POST", "/v1/Sinks", "Description", "d", "SinkType", "webhook", "SinkConfiguration", `{"destination":"https://hooks.bank.example"}`).text("sid")
		sink := "/v1/Sinks/" + sid
		v.ok("GET", sink)
		v.ok("POST", sink, "Description", "other")
		subscription := "/v1/Subscriptions/" + v.ok("POST", "/v1/Subscriptions", "Description", "d", "SinkSid", sid, "Types", `{"type":"com.twilio.error-logs.error.logged"}`).text("sid")
		v.ok("GET", subscription)
		v.ok("POST", subscription, "Description", "other")
		types := subscription + "/SubscribedEvents"
		v.ok("POST", types, "Type", "com.twilio.other")
		v.ok("GET", types)
		v.ok("GET", types+"/com.twilio.other")
		v.ok("POST", types+"/com.twilio.other", "SchemaVersion", "2")
		v.ok("DELETE", types+"/com.twilio.other")
		v.ok("DELETE", subscription)
		v.ok("DELETE", sink)
	})
	for _, product := range []struct{ name, file, at string }{
		{"conversations", "twilio_conversations_v1.json", "/v1/Credentials"}, {"chat", "twilio_chat_v2.json", "/v2/Credentials"},
	} {
		t.Run(product.name, func(t *testing.T) {
			v := loadIfHere(t, product.file).tour(demo(t).at(product.name + ".twilio.com"))
			v.ok("GET", product.at+"?PageSize=2")
			one := product.at + "/" + v.ok("POST", product.at, "Type", "fcm", "Secret", `{"project_id":"bank-example"}`).text("sid")
			v.ok("GET", one)
			v.ok("POST", one, "FriendlyName", "Renamed")
			v.ok("DELETE", one)
		})
	}
}
