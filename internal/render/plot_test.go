package render

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSharesAndSparks(t *testing.T) {
	for _, c := range []struct {
		name, got, want string
	}{
		{"half", Plot{}.Share(1, 2), " 50 % ██████████"},
		{"hardly anything is seen", Plot{}.Share(1, 100000), "  0 % ▏"},
		{"nothing is not", Plot{}.Share(0, 2), "  0 % "},
		{"of nothing", Plot{}.Share(0, 0), "  0 % "},
		{"eighths", Plot{}.Share(11, 40), " 28 % █████▌"},
		{"ASCII", Plot{ASCII: true}.Share(11, 40), " 28 % ######"},
		{"spark", Plot{}.Spark([]int{0, 1, 4, 8}), "·▁▄█"},
		{"one of many is seen", Plot{}.Spark([]int{1, 8000}), "▁█"},
		{"flat at nothing", Plot{}.Spark([]int{0, 0}), "··"},
		{"no counts", Plot{}.Spark(nil), ""},
		{"spark in ASCII", Plot{ASCII: true}.Spark([]int{0, 1, 4, 8}), ".:+@"},
		{"course", Plot{}.Course(15, 60, []float64{4}), "━━R━━━━━──────────────────────"},
		{"course beyond its end", Plot{ASCII: true}.Course(90, 60, nil), strings.Repeat("=", courseWidth)},
		{"course before its beginning", Plot{ASCII: true}.Course(-5, 60, nil), "=" + strings.Repeat("-", courseWidth-1)},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestHistogram(t *testing.T) {
	h := Histogram{Title: "to \x1b[31mhost", Values: []float64{101, 120, 130, 199, 260, 350}, Unit: "ms",
		Marks: []Mark{{130, "p50"}, {350, "p95"}, {350, "p99"}}, Line: Mark{300, "300 ms"}}
	shown := func(opts Options) string {
		var out strings.Builder
		p, err := New(&out, opts)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.PrintHistogram(h); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	const want = `
to \x1b[31mhost
  100-150 ms  ########################################## 3  p50
  150-200 ms  ############## 1
  200-250 ms  0
  250-300 ms  ############## 1
  ----------  300 ms
  300-350 ms  0
  350-400 ms  ############## 1  p95, p99
`
	if got := shown(Options{Terminal: true, Width: 120, Plot: &Plot{ASCII: true, Width: 120}}); got != strings.Replace(want, "##########################################", strings.Repeat("#", histogramWidth), 1) {
		t.Errorf("shown is\n%s", got)
	}
	// Blocks, and no line wider than the terminal.
	narrow := shown(Options{Terminal: true, Width: 40, Plot: &Plot{Width: 40}})
	for line := range strings.Lines(narrow) {
		if utf8.RuneCountInString(strings.TrimRight(line, "\n")) > 40 {
			t.Errorf("%q is wider than 40", line)
		}
	}
	if !strings.Contains(narrow, "█") {
		t.Errorf("no blocks in\n%s", narrow)
	}
	// What is beyond the line stands out, and only in colour.
	if coloured := shown(Options{Terminal: true, Color: true, Plot: &Plot{}}); !strings.Contains(coloured, "\x1b[32m█") || !strings.Contains(coloured, "\x1b[33m█") {
		t.Errorf("%q is not coloured", coloured)
	}
	// Nothing is drawn for programs, nor for people who chose what they see.
	for name, opts := range map[string]Options{
		"a pipe": {Plot: &Plot{}}, "-o": {Terminal: true}, "JSON": {Terminal: true, Format: JSON, Plot: &Plot{}}, "quiet": {Terminal: true, Quiet: true, Plot: &Plot{}},
		"columns": {Terminal: true, Columns: []string{"host"}, Plot: &Plot{}}, "no header": {Terminal: true, NoHeader: true, Plot: &Plot{}},
	} {
		if got := shown(opts); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	// One very slow request does not stretch the rest: there are at most so many rows, and the line is where it belongs.
	for _, c := range []struct {
		values []float64
		want   []string // in this order
	}{
		{[]float64{0.2, 0.9}, []string{"0-1 ms  ", "------  300 ms"}},
		{[]float64{1, 90_000}, []string{"0-300 ms", "300 ms\n", "3300 ms and more"}},
		{[]float64{310, 320, 4000}, []string{"300 ms\n", "300-600 ms"}},
	} {
		h.Values, h.Marks = c.values, nil
		got := shown(Options{Terminal: true, Plot: &Plot{ASCII: true}})
		at := 0
		for _, text := range c.want {
			i := strings.Index(got[at:], text)
			if i < 0 {
				t.Errorf("%v: %q is missing, or out of order, in\n%s", c.values, text, got)
				break
			}
			at += i
		}
		if rows := strings.Count(got, "\n"); rows > histogramRows+3 {
			t.Errorf("%v: %d rows", c.values, rows)
		}
	}
}

// A plot is a column of a table for people, and gives way on a narrow terminal without being offered to --columns.
func TestPlotsAreColumnsForPeople(t *testing.T) {
	type row struct{ name string }
	plain := Resource[row]{Columns: []Column[row]{{Name: "name", Text: func(r row) string { return r.name }}}}
	for _, c := range []struct {
		width int
		want  string
	}{
		{80, "NAME           SHARE\nevil\\x1b]0;hi   50 % #####\n"},
		{20, "NAME\nevil\\x1b]0;hi\n"},
	} {
		var out strings.Builder
		p, err := New(&out, Options{Terminal: true, Width: c.width, Plot: &Plot{ASCII: true, Width: c.width}})
		if err != nil {
			t.Fatal(err)
		}
		drawn := plain.Plotted(p, "share", func(plot Plot, r row) string { return plot.Share(5, 10)[:11] })
		if _, err := List(p, drawn, func(yield func(row, error) bool) { yield(row{"evil\x1b]0;hi"}, nil) }); err != nil {
			t.Fatal(err)
		}
		if out.String() != c.want {
			t.Errorf("%d columns: %q, want %q", c.width, out.String(), c.want)
		}
		if !slices.Equal(plain.ColumnNames(), []string{"name"}) {
			t.Errorf("the resource itself has now the columns %v", plain.ColumnNames())
		}
	}
}
