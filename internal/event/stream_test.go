package event

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

// numbered gives n events that differ in their challenge.
func numbered(n int) []string {
	lines, one := make([]string, n), text(cloudEvent())
	for i := range lines {
		lines[i] = strings.ReplaceAll(one, yc, fmt.Sprintf("YC%032x", i))
	}
	return lines
}

func challenges(t testing.TB, r io.Reader, o Options) []string {
	var got []string
	for e, err := range Decode(r, o) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e.ChallengeSID)
	}
	return got
}

func wantChallenges(n int) []string {
	want := make([]string, n)
	for i := range want {
		want[i] = fmt.Sprintf("YC%032x", i)
	}
	return want
}

// TestStreams: however events follow each other, each is given once and in order, by one worker and by several, and
// wherever the reads happen to end.
func TestStreams(t *testing.T) {
	defer goleak.VerifyNone(t)
	const n = 240 // more than one block
	lines := numbered(n)
	for name, in := range map[string]string{
		"lines":                   strings.Join(lines, "\n") + "\n",
		"lines without a last":    strings.Join(lines, "\n"),
		"lines of Windows":        strings.Join(lines, "\r\n"),
		"empty lines":             strings.Join(lines, "\n\n \n"),
		"concatenated":            strings.Join(lines, ""),
		"commas between":          strings.Join(lines, ",\n"),
		"list":                    "[" + strings.Join(lines, ",") + "]",
		"list over lines":         "[\n" + strings.Join(lines, ",\n") + "\n]\n",
		"lists":                   "[" + strings.Join(lines[:100], ",") + "]\n[" + strings.Join(lines[100:200], ",") + "][" + strings.Join(lines[200:], ",") + "]",
		"list of lists":           "[[" + strings.Join(lines[:100], ",") + "],[" + strings.Join(lines[100:], ",") + "]]",
		"pages":                   `{"events":[` + strings.Join(lines[:150], ",") + `],"meta":{"page":0}}` + "\n" + `{"meta":{"page":1},"events":[` + strings.Join(lines[150:], ",") + `]}`,
		"pairs on a line":         pairsOnALine(lines),
		"list with other values":  "[null, 1, \"x\", " + strings.Join(lines, ", true, -1.5e3, ") + ", false]",
		"indented":                indentAll(lines),
		"with a byte order mark":  "\ufeff" + strings.Join(lines, "\n"),
		"log lines":               "2026-11-20 INFO event " + strings.Join(lines, "\n2026-11-20 INFO event "),
		"log lines between prose": "starting up, all is well\n" + strings.Join(lines, "\n2026-11-20 INFO nothing to see\n") + "\nbye\n",
	} {
		for _, reading := range []struct {
			how  string
			wrap func(io.Reader) io.Reader
		}{
			{"whole", func(r io.Reader) io.Reader { return r }},
			{"in halves", iotest.HalfReader},
			{"with the end", iotest.DataErrReader},
			{"by 7 bytes", func(r io.Reader) io.Reader { return &dribble{r, 7} }},
			{"by 4097 bytes", func(r io.Reader) io.Reader { return &dribble{r, 4097} }},
		} {
			if reading.how == "by 7 bytes" && testing.Short() {
				continue
			}
			for _, workers := range []int{1, 2, 3} {
				var stats Stats
				got := challenges(t, reading.wrap(strings.NewReader(in)), Options{Workers: workers, Stats: &stats})
				if diff := cmp.Diff(wantChallenges(n), got); diff != "" {
					t.Fatalf("%s read %s by %d: %d events; -want +got\n%s", name, reading.how, workers, len(got), diff)
				}
				if stats.Events != n || stats.Oversized != 0 {
					t.Fatalf("%s read %s by %d: %+v", name, reading.how, workers, stats)
				}
			}
		}
	}
}

type dribble struct {
	r io.Reader
	n int
}

func (d *dribble) Read(p []byte) (int, error) { return d.r.Read(p[:min(len(p), d.n)]) }

func indentAll(lines []string) string {
	var all strings.Builder
	for _, line := range lines {
		all.WriteString(indentText(line) + "\n")
	}
	return all.String()
}

func indentText(line string) string {
	var b bytes.Buffer
	if err := jsonIndent(&b, line); err != nil {
		panic(err)
	}
	return b.String()
}

func pairsOnALine(lines []string) string {
	var all strings.Builder
	for i, line := range lines {
		all.WriteString(line)
		if i%2 == 1 {
			all.WriteByte('\n')
		}
	}
	return all.String()
}

// TestABrokenEventHarmsNoOther: a line that was cut, or is no JSON at all, costs itself only.
func TestABrokenEventHarmsNoOther(t *testing.T) {
	lines := numbered(40)
	for name, broken := range map[string]string{
		"cut in a text":          lines[20][:400],
		"cut after a comma":      lines[20][:strings.Index(lines[20], ",")+1],
		"cut after a brace":      "{",
		"cut at the last brace":  lines[20][:len(lines[20])-1],
		"a quote too much":       strings.Replace(lines[20], `"id"`, `"i"d"`, 1),
		"prose":                  "connection reset",
		"zero bytes":             strings.Repeat("\x00", 300),
		"brackets":               strings.Repeat("[", 10_000),
		"braces":                 strings.Repeat(`{"a":`, 10_000),
		"closing brackets":       "]]]]}}}}",
		"not UTF-8":              "\xff\xfe\xfd",
		"an object of nothing":   `{"foo":1}`,
		"a lone quote":           `"`,
		"a list that never ends": `[1,2`,
	} {
		in := strings.Join(append(append(append([]string{}, lines[:20]...), broken), lines[20:]...), "\n")
		for _, workers := range []int{1, 2} {
			seen := map[string]int{}
			var stats Stats
			for e, err := range Decode(strings.NewReader(in), Options{Workers: workers, Stats: &stats}) {
				if err != nil {
					t.Fatal(err)
				}
				seen[e.ChallengeSID]++
			}
			missing := 0
			for _, want := range wantChallenges(40) {
				if seen[want] == 0 {
					missing++
				}
			}
			if missing > 0 {
				t.Errorf("%s, %d workers: %d events are missing; %+v", name, workers, missing, stats)
			}
		}
	}
}

// TestHugeEventIsSkippedAndCounted: one event over 8 MiB is left out, and the others are not.
func TestHugeEventIsSkippedAndCounted(t *testing.T) {
	lines := numbered(3)
	huge := strings.Replace(lines[1], `"specversion"`, `"filler":"`+strings.Repeat("x", maxRecord)+`","specversion"`, 1)
	for name, in := range map[string]string{
		"lines":        lines[0] + "\n" + huge + "\n" + lines[2],
		"concatenated": lines[0] + huge + lines[2],
		"list":         "[" + lines[0] + "," + huge + "," + lines[2] + "]",
		"page":         `{"alerts":[` + lines[0] + "," + huge + "," + lines[2] + "]}",
		"last":         lines[0] + "\n" + lines[2] + "\n" + huge,
	} {
		for _, workers := range []int{1, 2} {
			var stats Stats
			got := challenges(t, strings.NewReader(in), Options{Workers: workers, Stats: &stats})
			want := []string{wantChallenges(3)[0], wantChallenges(3)[2]}
			if diff := cmp.Diff(want, got); diff != "" || stats.Oversized != 1 {
				t.Errorf("%s, %d workers: %+v -want +got\n%s", name, workers, stats, diff)
			}
		}
	}
}

// TestLargeEventsAreRead: an event under the limit is read however much stands around its fields.
func TestLargeEventsAreRead(t *testing.T) {
	filler := strings.Repeat("x", 1<<20)
	large := cloudEvent()
	large["filler"] = filler
	inner := payload()
	inner["webhook"] = map[string]any{"response": map[string]any{"body": filler, "list": make([]int, 100_000)}}
	data := large["data"].(map[string]any)
	data["payload"] = text(inner)
	got := Parse([]byte(text(large)))
	want := Parse([]byte(text(cloudEvent())))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-small +large\n%s", diff)
	}
	page := `{"meta":{"x":"` + filler + `"},"alerts":[` + strings.Join(numbered(2000), ",") + `]}`
	if got := Parse([]byte(page)); len(got) != 2000 {
		t.Errorf("a page of %d bytes gives %d events", len(page), len(got))
	}
}

// TestMemoryIsFlat: a stream of any length is held one block at a time, also when it is made to hurt.
func TestMemoryIsFlat(t *testing.T) {
	line := text(cloudEvent()) + "\n"
	for name, endless := range map[string]string{
		"lines":            line,
		"one list":         "," + strings.TrimSuffix(line, "\n"),
		"brackets":         "[[[[[[[[[[[[[[[[",
		"open objects":     `{"a":`,
		"a text":           "x",
		"an open text":     `"`,
		"numbers":          "0,",
		"broken lines":     `{"a":"` + strings.Repeat("b", 2000) + `",` + "\n",
		"broken texts":     `{"a":"` + strings.Repeat("b", 2000) + "\n",
		"prose":            "nothing to see here\n",
		"large events":     strings.Replace(line, `"specversion"`, `"webhook":"`+strings.Repeat("x", 6<<20)+`","specversion"`, 1),
		"large pages":      `{"alerts":[` + strings.Join(numbered(4000), ",") + "]}\n",
		"lines of numbers": "[0,0,0,0,0,0,0,0,0,0]\n",
	} {
		size, limit := 26<<20, 22<<20 // of one record of the largest size and what is made of it
		switch name {
		case "lines", "one list", "a text", "an open text", "numbers", "prose", "lines of numbers":
			size, limit = 14<<20, 10<<20
		}
		if testing.Short() {
			size = 6 << 20
		}
		prefix := ""
		if name == "one list" || name == "numbers" {
			prefix = "[" + strings.TrimSuffix(line, "\n")
		}
		runtime.GC()
		var before, peak runtime.MemStats
		runtime.ReadMemStats(&before)
		var most uint64
		in := &endlessReader{head: prefix, text: endless, left: size, look: size, after: func() {
			runtime.GC() // so that garbage does not count
			runtime.ReadMemStats(&peak)
			most = max(most, peak.HeapAlloc-min(peak.HeapAlloc, before.HeapAlloc))
		}}
		events := 0
		for _, err := range Decode(in, Options{Workers: 2, SkipNoise: true}) {
			if err != nil {
				t.Fatal(err)
			}
			events++
		}
		if most > uint64(limit) {
			t.Errorf("%s: %d MiB of heap for %d MiB of input", name, most>>20, size>>20)
		}
		if name == "lines" && events == 0 {
			t.Error("no events")
		}
	}
}

type endlessReader struct {
	head, text string
	left, pos  int
	look       int // how much is left when after is called again
	after      func()
}

func (r *endlessReader) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, io.EOF
	}
	if r.left <= r.look {
		r.look = r.left - 2<<20
		r.after()
	}
	n := copy(p, r.head)
	r.head = r.head[n:]
	for n < len(p) {
		m := copy(p[n:], r.text[r.pos:])
		r.pos = (r.pos + m) % len(r.text)
		n += m
	}
	r.left -= n
	return n, nil
}

func TestReadersErrorComesLast(t *testing.T) {
	broken := errors.New("cable pulled")
	lines := numbered(5)
	for _, workers := range []int{1, 2} {
		in := io.MultiReader(strings.NewReader(strings.Join(lines, "\n")+"\n"), iotest.ErrReader(broken))
		var got []string
		var last error
		for e, err := range Decode(in, Options{Workers: workers}) {
			if err != nil {
				last = err
				continue
			}
			got = append(got, e.ChallengeSID)
		}
		if diff := cmp.Diff(wantChallenges(5), got); diff != "" || !errors.Is(last, broken) {
			t.Errorf("%d workers: error %v; -want +got\n%s", workers, last, diff)
		}
	}
}

func TestLeavingEarly(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, workers := range []int{1, 2} {
		n := 0
		for range Decode(strings.NewReader(strings.Join(numbered(5000), "\n")), Options{Workers: workers}) {
			if n++; n == 10 {
				break
			}
		}
		if n != 10 {
			t.Errorf("%d workers: %d events", workers, n)
		}
	}
}

// TestEventsComeAsTheyAreRead: whoever follows a stream sees an event before the next one is sent.
func TestEventsComeAsTheyAreRead(t *testing.T) {
	for _, workers := range []int{1, 2} {
		r, w := io.Pipe()
		seen := make(chan string)
		go func() {
			defer close(seen)
			for e := range Decode(r, Options{Workers: workers}) {
				seen <- e.ChallengeSID
			}
		}()
		for i, line := range numbered(3) {
			if _, err := io.WriteString(w, line+"\n"); err != nil {
				t.Fatal(err)
			}
			if got := <-seen; got != wantChallenges(3)[i] {
				t.Errorf("%d workers: %s", workers, got)
			}
		}
		w.Close()
		for range seen {
		}
	}
}

// TestEventsAreEncodedWhereTheyAreDecoded: what Encode made of an event stands with it when it is given, however it came and
// by however many it was decoded.
func TestEventsAreEncodedWhereTheyAreDecoded(t *testing.T) {
	const n = 600
	encode := func(to []byte, e *Event) []byte { return append(append(to, "it is "...), e.ChallengeSID...) }
	for name, in := range map[string]string{
		"lines": strings.Join(numbered(n), "\n"),
		"list":  "[" + strings.Join(numbered(n), ",") + "]",
		"table": "error_code,alert_text\n" + strings.Repeat("52103,correlationIds="+yc+"\n", n),
	} {
		for _, workers := range []int{1, 2, 3} {
			events := 0
			for e, err := range Decode(strings.NewReader(in), Options{Workers: workers, Encode: encode}) {
				if err != nil || string(e.Encoded) != "it is "+e.ChallengeSID {
					t.Fatalf("%s by %d: %q of %s, %v", name, workers, e.Encoded, e.ChallengeSID, err)
				}
				events++
			}
			if events != n {
				t.Errorf("%s by %d: %d events", name, workers, events)
			}
		}
	}
}

// TestWhoWaitsIsTold: before more is waited for it is said, after everything that is there was given.
func TestWhoWaitsIsTold(t *testing.T) {
	for _, workers := range []int{1, 2} {
		r, w := io.Pipe()
		given, told := 0, make(chan int)
		go func() {
			defer close(told)
			for range Decode(r, Options{Workers: workers, Waiting: func() { told <- given }}) {
				given++
			}
		}()
		for i, line := range numbered(3) {
			if _, err := io.WriteString(w, line+"\n"); err != nil {
				t.Fatal(err)
			}
			for n := range told {
				if n == i+1 {
					break
				}
			}
		}
		w.Close()
		for range told {
		}
	}
}

func TestNoiseIsCounted(t *testing.T) {
	voice := text(map[string]any{"sid": no, "error_code": "52103", "log_level": "error", "alert_text": "bindingType=fcm&primaryCorrelationId=CA" + hex32})
	noise := text(map[string]any{"sid": no, "error_code": "11200", "log_level": "warning", "alert_text": "Msg=x&ErrorCode=11200"})
	info := cloudEvent()
	info["data"].(map[string]any)["level"] = "INFO"
	in := strings.Join([]string{voice, noise, noise, text(info), text(cloudEvent()), `{"a":1}`}, "\n")
	var stats Stats
	events := 0
	for range Decode(strings.NewReader(in), Options{SkipNoise: true, Stats: &stats}) {
		events++
	}
	want := Stats{Events: 2, Unreadable: 1, Skipped: map[Noise]int{
		{ProductOther, "warning"}: 2, {ProductVerifyPush, "info"}: 1,
	}}
	if diff := cmp.Diff(want, stats); diff != "" || events != 2 {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestNothingToRead(t *testing.T) {
	for _, in := range []string{"", " \n", "\ufeff", "{}", "[]", "null", "hello", `{"a":{"b":[1,2,{}]}}`, "\x00", "[[[]]]", `"text"`, "=&=&"} {
		for _, workers := range []int{1, 2} {
			for e, err := range Decode(strings.NewReader(in), Options{Workers: workers}) {
				t.Errorf("%q gives %+v, %v", in, e, err)
			}
		}
	}
}
