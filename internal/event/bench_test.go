package event

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fastjson"

	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
)

// export makes an NDJSON export as Event Streams delivers it, JSON inside JSON: a third are pushes of Verify, the rest
// pushes of Voice and errors of other products.
func export(size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		sid := func(prefix string) string { return fmt.Sprintf("%s%032x", prefix, i*7919) }
		code, product, info := "11200", "Voice", map[string]any{"Msg": "HTTP retrieval failure", "ErrorCode": "11200",
			"LogLevel": "ERROR", "sourceComponent": "12000", "httpResponse": "502", "url": "https://app.bank.example/voice/" + sid("CA")}
		switch i % 6 {
		case 0, 1:
			code, product = "52103", "Verify"
			info = moreInfo()
			info["correlationIds"] = printList([]string{sid("VA"), fmt.Sprintf("user-%08d", i), sid("YF"), sid("YC")})
			info["primaryCorrelationId"] = sid("YC")
		case 2:
			code, product = "52134", "Voice"
			info = map[string]any{"bindingType": "apn", "primaryCorrelationId": sid("CA"), "bindingSid": sid("BS"), "module": "APNSBA",
				"description": "The specified device token is either malformed or not valid for the given environment."}
		}
		inner := text(map[string]any{"resource_sid": sid("NT"), "service_sid": nil, "error_code": code, "more_info": info,
			"webhook": map[string]any{"type": "application/json", "request": map[string]any{}}})
		b.WriteString(text(map[string]any{
			"specversion": "1.0", "type": errorLogType, "source": ac, "id": sid("NO"), "time": "2026-11-20T23:28:54.000Z",
			"dataschema": "https://events-schemas.twilio.com/ErrorLogs.Error/2", "datacontenttype": "application/json",
			"data": map[string]any{"sid": sid("NO"), "account_sid": ac, "date_created": "2026-11-20T23:28:54.000Z", "level": "ERROR",
				"request_sid": sid("RQ"), "product_name": product, "error_code": code, "payload": inner},
		}))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func decodeAll(in []byte, workers int) (events, factors int) {
	for e := range Decode(bytes.NewReader(in), Options{Workers: workers}) {
		events++
		if e.FactorSID != "" {
			factors++
		}
	}
	return events, factors
}

func BenchmarkDecode(b *testing.B) {
	in := export(32 << 20)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				decodeAll(in, workers)
			}
		})
	}
}

// BenchmarkAgainstJQ decodes with full verdicts on one core and on two, beside the jq pipeline that picks the same ids
// out of the same file on one, and parsing alone on one. It reports the ratios; which machine it ran on does not matter to them.
func BenchmarkAgainstJQ(b *testing.B) {
	jq, err := exec.LookPath("jq")
	if err != nil {
		b.Skip("jq is not on the PATH: there is nothing to compare with")
	}
	in := export(32 << 20)
	file := filepath.Join(b.TempDir(), "export.ndjson")
	if err := os.WriteFile(file, in, 0o600); err != nil {
		b.Fatal(err)
	}
	const filter = `(.data.payload | fromjson) as $p | ($p.more_info.correlationIds // "" | ltrimstr("[") | rtrimstr("]") | split(", ")) as $ids |
		[.id, .data.level, .data.date_created, $p.error_code,
		 ($ids | map(select(test("^VA[0-9a-fA-F]{32}$"))) | first), ($ids | map(select(test("^YF[0-9a-fA-F]{32}$"))) | first),
		 ($ids | map(select(test("^YC[0-9a-fA-F]{32}$"))) | first), ($ids | map(select(test("^[A-Z]{2}[0-9a-fA-F]{32}$") | not)) | first)] | @tsv`
	lines := bytes.Count(in, []byte{'\n'})
	fastest := func(run func()) time.Duration {
		best := time.Duration(0)
		for range 3 {
			start := time.Now()
			run()
			if d := time.Since(start); best == 0 || d < best {
				best = d
			}
		}
		return best
	}
	var one, two, other, bare time.Duration
	for b.Loop() {
		other = fastest(func() {
			out, err := exec.Command(jq, "-r", filter, file).Output()
			if err != nil || bytes.Count(out, []byte{'\n'}) != lines {
				b.Fatalf("jq: %v, %d lines of %d", err, bytes.Count(out, []byte{'\n'}), lines)
			}
		})
		one = onCores(1, func() time.Duration {
			return fastest(func() {
				if events, factors := decodeAll(in, 1); events != lines || factors == 0 {
					b.Fatalf("%d events of %d, %d factors", events, lines, factors)
				}
			})
		})
		bare = onCores(1, func() time.Duration { return fastest(func() { parseOnly(b, in) }) })
		two = onCores(2, func() time.Duration { return fastest(func() { decodeAll(in, 2) }) })
	}
	rate := func(d time.Duration) float64 { return float64(len(in)) / 1e6 / d.Seconds() }
	b.ReportMetric(rate(other), "jq-MB/s")
	b.ReportMetric(rate(bare), "bare-parsing-MB/s")
	b.ReportMetric(rate(one), "one-core-MB/s")
	b.ReportMetric(rate(two), "two-cores-MB/s")
	b.ReportMetric(float64(other)/float64(one), "x-jq")
	b.ReportMetric(float64(one)/float64(two), "x-two-cores")
}

// parseOnly parses each line and the payload in it, checks that both are strict JSON, and looks at nothing: the floor of the
// parser.
func parseOnly(b *testing.B, in []byte) {
	var outer, inner fastjson.Parser
	for line := range bytes.Lines(in) {
		v, err := outer.ParseBytes(line)
		if err != nil {
			b.Fatal(err)
		}
		payload := v.GetStringBytes("data", "payload")
		if _, err := inner.ParseBytes(payload); err != nil {
			b.Fatal(err)
		}
		if !isJSON(line) || !isJSON(payload) {
			b.Fatalf("%s is not strict JSON", line)
		}
	}
}

func onCores(n int, run func() time.Duration) time.Duration {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
	return run()
}

func BenchmarkSplit(b *testing.B) {
	in := export(32 << 20)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		s := newSplitter(strings.NewReader(string(in)))
		for {
			if _, err := s.next(); err == io.EOF {
				break
			}
		}
	}
}
