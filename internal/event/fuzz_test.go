package event

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

var exactFactor = regexp.MustCompile(`^YF[0-9a-fA-F]{32}$`)

// seeds are texts of every shape, whole and broken.
func seeds(t testing.TB) []string {
	sample, err := os.ReadFile("testdata/page-sample.txt")
	if err != nil {
		t.Fatal(err)
	}
	whole := []string{string(sample), form().Encode(), text(payload()), text(moreInfo()), text(alert()), indented(camel()), text(cloudEvent()),
		alertText(), text(kinesis(cloudEvent())), console(" | "), "curl -d 'Sid=" + no + "' --data-urlencode 'Payload={\"error_code\":1}'",
		"POST / HTTP/1.1\nHost: a\n\nSid=" + no + "&Payload=%7B%22error_code%22%3A%2252103%22%7D", printed, "```\n> " + printed + "\n```",
		`{"code":60306,"message":"x"}`, `{"alerts":[{"sid":"` + no + `","alert_text":"Msg=a;b&%zz"}]}`, `{"0":{"error_code":1,"more_info":{}}}`,
		`{"Payload":"7B%22resource_sid%22%3A1%7D","Sid":"` + no + `"}`, `{'bindingType': 'fcm', 'correlationIds': '[YF',`, "[null,[],{}]"}
	for _, in := range prints() {
		whole = append(whole, in)
	}
	for _, in := range envelopes() {
		whole = append(whole, in)
	}
	whole = append(whole, csvOf(Parse([]byte(form().Encode())), allColumns, ','), csvOf(Parse([]byte(text(alert()))), []string{"timestamp", "verdict", "prune_evidence", "factor_sid"}, ';'),
		"Date;Error Code;Message Text\n2026-11-20 23:28:54 UTC;52103;\""+alertText()+"\"\n", "sep=;\nsid;error_code\n"+no+";52103\n", "time,raw\n1,2\n")
	whole = append(whole, utf16Text(text(payload()), true, true), utf16Text(form().Encode(), false, true))
	all := append([]string{}, whole...)
	for _, s := range whole {
		all = append(all, s[:len(s)*2/3], strings.ToUpper(s), strings.ReplaceAll(s, `"`, "&quot;"), wrapped(s, 40), s+"\n"+s)
	}
	return all
}

// checkEvent holds for every event that anything may ever give.
func checkEvent(t *testing.T, e Event, in string) {
	t.Helper()
	if e.Source == "" || e.Product == "" || e.Verdict == "" || e.Action == "" || e.PruneEvidence == "" || e.Candidates == nil {
		t.Fatalf("a field that always has a value has none: %+v\nof %q", e, in)
	}
	if _, g := gradeSID(e.FactorSID); e.FactorSID != "" && (g == cutSID || g == notSID) {
		t.Fatalf("%q is given as a factor\nof %q", e.FactorSID, in)
	}
	if e.PruneEvidence != EvidenceNone {
		switch {
		case !exactFactor.MatchString(e.FactorSID), e.Ambiguous, e.Masked, e.Repaired, e.Inferred, e.Product != ProductVerifyPush,
			e.ErrorCode == nil, e.Verdict != TokenDead, e.Action != refreshToken, e.Source == SourceSalvaged:
			t.Fatalf("%s evidence of %+v\nof %q", e.PruneEvidence, e, in)
		case e.PruneEvidence == EvidenceStrong && *e.ErrorCode != 52103:
			t.Fatalf("strong evidence of code %d", *e.ErrorCode)
		}
		if !strings.Contains(strings.ReplaceAll(in, "%", ""), e.FactorSID[2:]) && utf8.ValidString(in) && !strings.ContainsAny(in, "\\%\x00") && e.Envelope == "" && !isBase64([]byte(strings.TrimSpace(in))) {
			t.Fatalf("factor %s is nowhere in %q", e.FactorSID, in)
		}
	}
	if e.Product == ProductVoice && e.FactorSID != "" {
		t.Fatalf("a call has a factor: %+v", e)
	}
	if e.Ambiguous && e.PruneEvidence != EvidenceNone {
		t.Fatalf("ambiguous evidence: %+v", e)
	}
}

// FuzzParse: any text at all gives events that keep the rules, and no panic.
func FuzzParse(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if len(in) > 64<<10 {
			return
		}
		for _, e := range Parse([]byte(in)) {
			checkEvent(t, e, in)
		}
	})
}

// FuzzDecodeIsTheSameHoweverItIsRead: where reads end, and how many workers there are, changes nothing.
func FuzzDecodeIsTheSameHoweverItIsRead(f *testing.F) {
	for i, s := range seeds(f) {
		f.Add(s, uint8(i))
	}
	f.Fuzz(func(t *testing.T, in string, n uint8) {
		if len(in) > 16<<10 {
			return
		}
		var want []Event
		for e := range Decode(strings.NewReader(in), Options{}) {
			want = append(want, e)
		}
		var got []Event
		for e := range Decode(&dribble{strings.NewReader(in), int(n) + 1}, Options{Workers: 2}) {
			got = append(got, e)
		}
		if len(got) != len(want) {
			t.Fatalf("%d events at once, %d by %d bytes: %q", len(want), len(got), int(n)+1, in)
		}
		for i := range got {
			a, b := text(want[i]), text(got[i])
			if a != b {
				t.Fatalf("at once %s\nby %d bytes %s\nof %q", a, int(n)+1, b, in)
			}
		}
	})
}

// FuzzCorrelation: a cut SID is not a SID, and cutting an event never makes evidence of another factor.
func FuzzCorrelation(f *testing.F) {
	f.Add(printed, 40)
	f.Add("["+va+", "+other("YF")+", "+yf+"]", 70)
	f.Add("[VA…, a, b, YF…", 3)
	f.Fuzz(func(t *testing.T, list string, cut int) {
		if cut < 0 || cut > len(list) {
			return
		}
		c := new(idGroups).correlate(list[:cut], nil)
		for _, sid := range []string{c.service, c.factor, c.challenge, c.entity} {
			if _, g := gradeSID(sid); sid != "" && g != wholeSID && g != maskSID {
				t.Fatalf("%q is given as a SID of %q", sid, list[:cut])
			}
			if !strings.Contains(list, sid) && !strings.ContainsAny(list, "\r\n") {
				t.Fatalf("%q is not in %q", sid, list)
			}
		}
	})
}

// FuzzMend: what repair gives is JSON, and always ends.
func FuzzMend(f *testing.F) {
	for _, s := range seeds(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		for _, object := range repairJSON(in) {
			if !isJSON(object) {
				t.Fatalf("%q mends to %q", in, object)
			}
		}
	})
}
