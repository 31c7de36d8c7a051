package event

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
)

func webhook() map[string]any {
	return map[string]any{"Sid": no, "AccountSid": ac, "Level": "ERROR", "ParentAccountSid": "", "PayloadType": "application/json",
		"Timestamp": "2026-11-20T23:28:54Z", "Payload": text(payload())}
}

func base64Of(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text)) //nolint:errcheck // into memory
	w.Close()             //nolint:errcheck // into memory
	return b.String()
}

func cloudWatch(messages ...string) string {
	var list []any
	for _, m := range messages {
		list = append(list, map[string]any{"id": "35311", "timestamp": 1732145334000, "message": m})
	}
	return text(map[string]any{"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "g", "logStream": "s",
		"subscriptionFilters": []any{"f"}, "logEvents": list})
}

// envelopes give a webhook as other systems wrap it, by where the event then stands.
func envelopes() map[string]string {
	form, json := form().Encode(), text(webhook())
	gateway := map[string]any{"resource": "/", "httpMethod": "POST", "headers": map[string]any{"X-Twilio-Signature": "vOEb5UThFn24KEfnOFLQY2AE5FY=", "I-Twilio-Idempotency-Token": "0b6a7d52"},
		"requestContext": map[string]any{"requestId": "c6af9ac6", "identity": map[string]any{"sourceIp": "203.0.113.7"}}}
	plainGateway, encodedGateway := copyOf(gateway), copyOf(gateway)
	plainGateway["body"], plainGateway["isBase64Encoded"] = form, false
	encodedGateway["body"], encodedGateway["isBase64Encoded"] = base64Of(form), true
	sns := text(map[string]any{"Type": "Notification", "MessageId": "22b80b92", "TopicArn": "arn:aws:sns:eu-west-1:1:x", "Message": json, "Timestamp": "2026-11-20T23:28:55Z"})
	return map[string]string{
		"detail": text(map[string]any{"version": "0", "id": "6a7e8feb", "detail-type": "debugger", "source": "twilio", "account": "111122223333",
			"time": "2026-11-20T23:28:55Z", "region": "eu-west-1", "resources": []any{}, "detail": webhook()}),
		"Records[].body":              text(map[string]any{"Records": []any{map[string]any{"messageId": "1", "body": form, "eventSource": "aws:sqs"}}}),
		"Records[].body.Message":      text(map[string]any{"Records": []any{map[string]any{"messageId": "1", "body": sns}}}),
		"Records[].Sns.Message":       text(map[string]any{"Records": []any{map[string]any{"EventSource": "aws:sns", "Sns": map[string]any{"Message": json}}}}),
		"Messages[].Body":             text(map[string]any{"Messages": []any{map[string]any{"ReceiptHandle": "A", "Body": base64Of(form)}}}),
		"Message":                     sns,
		"properties":                  text(map[string]any{"type": "track", "event": "com.twilio.error-logs.error.logged", "properties": webhook(), "messageId": no}),
		"message.data":                text(map[string]any{"message": map[string]any{"data": base64Of(form), "messageId": "1"}, "subscription": "projects/x/subscriptions/y"}),
		"jsonPayload.body":            text([]any{map[string]any{"insertId": "x", "jsonPayload": map[string]any{"message": "twilio debugger", "body": webhook()}, "timestamp": "2026-11-20T23:28:55Z"}}),
		"body":                        text(plainGateway),
		"body, base64":                text(encodedGateway),
		"Records[].kinesis.data":      text(map[string]any{"Records": []any{map[string]any{"eventSource": "aws:kinesis", "kinesis": map[string]any{"data": base64Of(form)}}}}),
		"awslogs.data.logEvents[]...": text(map[string]any{"awslogs": map[string]any{"data": base64Of(zipped(cloudWatch("START RequestId: c6af9ac6", json)))}}),
		"Records[].kinesis.data.logEvents[].message": text(map[string]any{"Records": []any{map[string]any{"kinesis": map[string]any{"data": base64Of(zipped(cloudWatch(json)))}}}}),
		"data": text([]any{map[string]any{"id": "1", "eventType": "twilio", "subject": "debugger", "data": webhook(), "eventTime": "2026-11-20T23:28:55Z", "dataVersion": "1"}}),
	}
}

// TestEnvelopes: a webhook inside another system's envelope is the same event, and says where it stood.
func TestEnvelopes(t *testing.T) {
	want := Parse([]byte(form().Encode()))[0]
	for where, in := range envelopes() {
		events := Parse([]byte(in))
		if len(events) != 1 {
			t.Errorf("%s: %d events of %s", where, len(events), in)
			continue
		}
		got := events[0]
		path, _, _ := strings.Cut(where, ",")
		if prefix, open := strings.CutSuffix(path, "..."); got.Envelope != path && !(open && strings.HasPrefix(got.Envelope, prefix)) {
			t.Errorf("%s: it is said to stand in %q", where, got.Envelope)
		}
		if got.Envelope = ""; text(got) != text(want) {
			t.Errorf("%s:\n%s\nwant %s", where, text(got), text(want))
		}
	}
}

// TestLinesOfLogsAreRepaired: what was dug out of free text is read, and is no evidence.
func TestLinesOfLogsAreRepaired(t *testing.T) {
	for _, body := range []string{form().Encode(), text(webhook())} {
		for _, line := range []string{
			"2026-11-20T23:28:55Z INFO body " + body,
			`2026-11-20T23:28:55.123Z	c6af9ac6-e4c7	INFO	received: ` + body,
			text([]any{map[string]any{"insertId": "x", "textPayload": "POST /twilio 200 " + body, "timestamp": "2026-11-20T23:28:55Z"}}),
			cloudWatch("2026-11-20T23:28:55Z\tc6af9ac6\tINFO\t" + body),
		} {
			events := Parse([]byte(line))
			if len(events) != 1 || events[0].FactorSID != yf || events[0].Identity != person || events[0].EventSID != no {
				t.Errorf("%s\ngives %s", line, text(events))
				continue
			}
			if e := events[0]; !e.Repaired || e.PruneEvidence != EvidenceNone || e.AccountSID != ac {
				t.Errorf("%s\nis evidence: %s", line, text(e))
			}
		}
	}
}

// TestEnvelopesOfOtherThings: other things that systems wrap, and resources of Twilio's API, are no debugger events.
func TestEnvelopesOfOtherThings(t *testing.T) {
	for _, in := range []string{
		text(map[string]any{"detail": map[string]any{"state": "running"}, "detail-type": "EC2", "time": "2026-11-20T23:28:55Z", "id": "1"}),
		text(map[string]any{"sid": yf, "service_sid": va, "identity": person, "status": "verified", "links": map[string]any{"self": "https://verify.twilio.com/v2/Services/" + va + "/Factors/" + yf}}),
		text(map[string]any{"message": "factor " + yf + " of " + va + " was verified, 52103 of them"}),
		cloudWatch("START RequestId: c6af9ac6", "REPORT Duration: 52103 ms"),
	} {
		if events := Parse([]byte(in)); len(events) != 0 {
			t.Errorf("%s\ngives %s", in, text(events))
		}
	}
}

// TestEnvelopesAreBounded: texts inside texts end somewhere, in time and in memory.
func TestEnvelopesAreBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("one thing after the other, of which the detector of data races makes ten seconds; run without -short")
	}
	deep := text(webhook())
	for range 40 {
		deep = `{"a":[` + deep + `]}`
	}
	if events := Parse([]byte(deep)); len(events) != 0 {
		t.Error("there is no limit to how deep it looks")
	}
	bomb := base64Of(zipped(strings.Repeat("{\"a\":1}\n", 8<<20)))
	started := testing.AllocsPerRun(1, func() {
		Parse([]byte(text(map[string]any{"awslogs": map[string]any{"data": bomb}, "again": []any{bomb, bomb, bomb}})))
	})
	if started > 1e6 {
		t.Errorf("%.0f allocations for a bomb", started)
	}
	nested := strings.Repeat("{a=|", 4<<10)
	for range 12 {
		nested = text(map[string]any{"body": nested, "also": nested[:len(nested)/2]})
	}
	Parse([]byte(nested))
}

// utf16Text gives a text as PowerShell and Excel save it.
func utf16Text(text string, little, mark bool) string {
	if mark {
		text = "\ufeff" + text
	}
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		if little {
			b = binary.LittleEndian.AppendUint16(b, unit)
		} else {
			b = binary.BigEndian.AppendUint16(b, unit)
		}
	}
	return string(b)
}

// TestUTF16: PowerShell's > writes it, whatever the event's shape and however the stream is read.
func TestUTF16(t *testing.T) {
	for shape, in := range generated(7) {
		if strings.ContainsRune(in, '\ufffd') {
			continue
		}
		want := text(Parse([]byte(in)))
		for _, little := range []bool{true, false} {
			encoded := utf16Text(in, little, true)
			if got := text(Parse([]byte(encoded))); got != want {
				t.Errorf("%s: %s\nwant %s", shape, got, want)
			}
			if got := text(Parse([]byte(utf16Text(in, little, false)))); got != want {
				t.Errorf("%s without a mark: %s\nwant %s", shape, got, want)
			}
			var streamed []Event
			for e, err := range Decode(&dribble{strings.NewReader(encoded), 3}, Options{}) {
				if err != nil {
					t.Fatal(err)
				}
				streamed = append(streamed, e)
			}
			if text(streamed) != want {
				t.Errorf("%s by pieces: %s\nwant %s", shape, text(streamed), want)
			}
		}
	}
}
