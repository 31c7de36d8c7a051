package event

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
)

// generated gives event number i of Verify Push, in every shape that a person or a program hands in. Kinds repeat after 100.
func generated(i int) map[string]string {
	sid := func(prefix string) string { return fmt.Sprintf("%s%032x", prefix, i*7919+1) }
	codes := []string{"52103", "52141", "52119", "52134", "52143", "52117", "52005", "52111", "60313", "52999"}
	words := []string{"FCM failure='NotRegistered'", "Unregistered", "The provided token is wrong; see \"docs\"", "BadDeviceToken",
		"DeviceTokenNotForTopic", "401 Unauthorized", "a & b = 50% + c", "quota exceeded", "no words", "é — 日本"}
	ids := []string{sid("VA"), fmt.Sprintf("user-%08d", i), sid("YF"), sid("YC")}
	info := map[string]any{"bindingType": []string{"fcm", "apn"}[i%2], "primaryCorrelationId": ids[3], "notificationSid": sid("NT"),
		"correlationIds": printList([]string{ids[i%4], ids[(i+1)%4], ids[(i+2)%4], ids[(i+3)%4]}),
		"module":         "FCMBA", "description": words[i/10%10], "fromReference": sid("CR")}
	pairs := url.Values{}
	lines := []string{"Error " + codes[i%10]}
	for _, key := range slices.Sorted(maps.Keys(info)) {
		pairs.Set(key, info[key].(string))
		lines = append(lines, key+` | "`+info[key].(string)+`"`)
	}
	inner := map[string]any{"resource_sid": sid("NT"), "service_sid": ids[0], "error_code": codes[i%10], "more_info": info}
	webhook := map[string]any{"Sid": sid("NO"), "AccountSid": sid("AC"), "Level": "ERROR", "PayloadType": "application/json",
		"Timestamp": "2026-11-20T23:28:54Z", "Payload": text(inner)}
	asForm := url.Values{}
	for key, value := range webhook {
		asForm.Set(key, value.(string))
	}
	asObject := copyOf(webhook)
	asObject["Payload"] = inner
	alert := map[string]any{"sid": sid("NO"), "account_sid": sid("AC"), "log_level": "error", "error_code": codes[i%10],
		"alert_text": pairs.Encode(), "date_created": "2026-11-20T23:28:54Z", "service_sid": nil, "resource_sid": sid("NT")}
	stream := map[string]any{"specversion": "1.0", "type": errorLogType, "source": sid("AC"), "id": sid("NO"), "time": "2026-11-20T23:28:54Z",
		"data": map[string]any{"sid": sid("NO"), "account_sid": sid("AC"), "level": "ERROR", "product_name": "Verify", "error_code": codes[i%10], "payload": text(inner)}}
	form := asForm.Encode()
	return map[string]string{
		"form": form, "webhook": text(webhook), "webhook with an object": text(asObject), "payload": text(inner), "more_info": text(info),
		"payload as text": text(text(inner)), "alert": text(alert), "alerts": text(map[string]any{"alerts": []any{alert}}),
		"indented": indented(alert), "alert text": pairs.Encode(), "stream": text(stream), "kinesis": text(kinesis(stream)),
		"console": strings.Join(lines, "\n"), "curl": "curl -X POST https://ops.example -d '" + form + "'",
		"http": "POST / HTTP/1.1\nHost: ops.example\n\n" + form, "quoted": "> " + text(webhook), "prose": "Is this dead? " + text(info) + " thanks",
		"cut": text(webhook)[:len(text(webhook))*2/3], "typographic": strings.ReplaceAll(text(inner), `"`, "”"),
		"wrapped": wrapped(form, 72), "single quotes": strings.ReplaceAll(text(info), `"`, "'"), "ids in prose": "no push to " + ids[2] + " of " + ids[0] + ", " + codes[i%10],
	}
}

// TestShapesDecodeAsRecorded: 1,000 events in each shape, ten of every kind that is generated, give what they gave when it
// was recorded, to the last byte. A shape that is read better from now on is recorded anew, by running the test with
// RECORD=1, and the difference read.
func TestShapesDecodeAsRecorded(t *testing.T) {
	const file, all = "testdata/shapes.sha256", 1_000
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // a fifth of the time went into collecting garbage
	got := listed(decodeShapes(all), all)
	if os.Getenv("RECORD") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("recorded\n%sdecoded\n%s", want, got)
	}
}

// decodeShapes gives the sum over what the first n events give in each shape.
func decodeShapes(n int) map[string][]byte {
	sums := map[string][]byte{}
	for i := range n {
		for shape, in := range generated(i) {
			sum := sha256.New()
			sum.Write(sums[shape])
			for _, e := range Parse([]byte(in)) {
				e.Next, e.Envelope = "", "" // are held by tests of their own
				sum.Write([]byte(text(e)))
			}
			sums[shape] = sum.Sum(nil)
		}
	}
	return sums
}

// listed gives a line for each shape with the sum of its first n events.
func listed(sums map[string][]byte, n int) string {
	var list strings.Builder
	for _, shape := range slices.Sorted(maps.Keys(sums)) {
		fmt.Fprintf(&list, "%s  %d %s\n", hex.EncodeToString(sums[shape]), n, shape)
	}
	return list.String()
}
