package environments

import (
	"fmt"
	"strings"
)

// Tally is how much differs.
type Tally struct {
	Add    int `json:"add"`
	Change int `json:"change"`
	Delete int `json:"delete"`
}

// Count adds up changes. What is replaced is added: the old one stays.
func Count(diffs []*Diff) (t Tally) {
	for _, d := range diffs {
		for _, change := range d.Changes {
			switch change.Action {
			case Create, Replace:
				t.Add++
			case Update:
				t.Change++
			case Delete:
				t.Delete++
			}
		}
	}
	return t
}

// Sum is the number of changes.
func (t Tally) Sum() int { return t.Add + t.Change + t.Delete }

// String gives the last line of a plan.
func (t Tally) String() string {
	return fmt.Sprintf("%d to add, %d to change, %d to delete", t.Add, t.Change, t.Delete)
}

// Mark is the sign of an action, as people know it from other tools.
func (a Action) Mark() string {
	return map[Action]string{Create: "+", Update: "~", Replace: "-/+", Delete: "-"}[a]
}

// Past says that an action was done.
func (a Action) Past() string {
	return map[Action]string{Create: "made", Update: "changed", Replace: "made anew", Delete: "deleted"}[a]
}

// String names what is changed, in Twilio's words.
func (c Change) String() string {
	switch {
	case c.Kind == KindCredential:
		return fmt.Sprintf("%s credential %q", c.Platform, c.Name)
	case c.Kind == KindService:
		return fmt.Sprintf("Service %q", c.Name)
	}
	return fmt.Sprintf("webhook %q", c.Name)
}

// String gives the property before and after.
func (f Field) String() string {
	if f.Name == "event_types" { // a narrow terminal breaks it at spaces
		f.Old, f.New = strings.ReplaceAll(f.Old, ",", ", "), strings.ReplaceAll(f.New, ",", ", ")
	}
	switch {
	case f.Old == f.New:
		return f.Name + ": " + f.New
	case f.Old == "":
		return f.Name + ": " + f.New
	}
	return f.Name + ": " + f.Old + " → " + f.New
}

// Painter colours the sign of an action.
type Painter func(Action, string) string

// WriteText writes what differs for people. More than what is given here stands on no line, so that a narrow terminal can
// break it at spaces.
func WriteText(w *strings.Builder, diffs []*Diff, paint Painter) {
	for _, d := range diffs {
		fmt.Fprintf(w, "%s\n", heading(d))
		for _, change := range d.Changes {
			change.write(w, paint)
		}
		if len(d.Changes) == 0 {
			w.WriteString("  as declared\n")
		}
		for _, note := range d.Notes {
			fmt.Fprintf(w, "  note: %s\n", note)
		}
		w.WriteString("\n")
	}
	fmt.Fprintf(w, "%s\n", Count(diffs))
}

func heading(d *Diff) string {
	if d.ServiceSID == "" {
		return fmt.Sprintf("%s: a Service to be made, %q", d.Environment, d.ServiceName)
	}
	return fmt.Sprintf("%s: Service %s", d.Environment, d.ServiceSID)
}

func (c Change) write(w *strings.Builder, paint Painter) {
	mark := c.Action.Mark()
	fmt.Fprintf(w, "  %s %s\n", paint(c.Action, mark), c)
	if c.SID != "" {
		found := ""
		if c.ByName {
			found = ", found by its name"
		}
		fmt.Fprintf(w, "      %s%s\n", c.SID, found)
	}
	for _, f := range c.Fields {
		writeField(w, f)
	}
	for _, effect := range c.Effect {
		fmt.Fprintf(w, "      (%s)\n", effect)
	}
}

// widest is how long a line may be before its two values get a line each.
const widest = 78

func writeField(w *strings.Builder, f Field) {
	if line := "      " + f.String(); f.Old == "" || len(line) <= widest {
		fmt.Fprintf(w, "%s\n", line)
		return
	}
	fmt.Fprintf(w, "      %s:\n        %s\n        → %s\n", f.Name, f.Old, f.New)
}
