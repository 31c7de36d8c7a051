package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/verifyctl/verifyctl/internal/render"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// exitStatus gives the status of each kind of error. 2 is never ours: a Go panic exits with it. docs/exit-codes.md
// explains the numbers to users.
var exitStatus = map[verify.Kind]int{
	verify.KindFailed:      1,
	verify.KindPartial:     3,
	verify.KindAuth:        4,
	verify.KindNotFound:    5,
	verify.KindRefused:     6,
	verify.KindLimit:       7,
	verify.KindPending:     8,
	verify.KindUnreachable: 9,
	verify.KindDenied:      10,
	verify.KindExpired:     11,
	verify.KindUsage:       64,
	verify.KindInterrupted: 130,
}

// severity orders kinds when several errors end one command: the first of them that occurred decides the status.
var severity = []verify.Kind{verify.KindInterrupted, verify.KindAuth, verify.KindUnreachable, verify.KindLimit,
	verify.KindPartial, verify.KindFailed}

// status is an error that carries nothing but an exit status: everything was said already.
type status struct{ kind verify.Kind }

func (s status) Error() string { return s.kind.String() }

// exitCode gives the exit status of an error, 0 for none.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	return exitStatus[kindOf(err)]
}

// kindOf finds the kind that decides: the most severe one when errors were joined.
func kindOf(err error) verify.Kind {
	kinds := kindsOf(err)
	for _, kind := range severity {
		if slices.Contains(kinds, kind) && len(kinds) > 1 {
			return kind
		}
	}
	return kinds[0]
}

func kindsOf(err error) []verify.Kind {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var kinds []verify.Kind
		for _, e := range joined.Unwrap() {
			kinds = append(kinds, kindsOf(e)...)
		}
		return kinds
	}
	var s status
	switch {
	case errors.As(err, &s):
		return []verify.Kind{s.kind}
	case errors.Is(err, context.Canceled) && verify.KindOf(err) != verify.KindPartial:
		return []verify.Kind{verify.KindInterrupted}
	}
	return []verify.Kind{verify.KindOf(err)}
}

// report says what went wrong on standard error: two lines for people, one JSON object a line for programs.
func report(w io.Writer, format render.Format, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			report(w, format, e)
		}
		return
	}
	var s status
	if err == nil || errors.As(err, &s) {
		return
	}
	e := asError(err)
	if format == render.JSON || format == render.NDJSON {
		reportJSON(w, e)
		return
	}
	fmt.Fprintf(w, "verifyctl: error: %s\n", render.Sanitize(e.text))
	if e.Excerpt != "" {
		fmt.Fprintln(w, render.SanitizeLines(e.Excerpt))
	}
	if e.Hint != "" {
		fmt.Fprintf(w, "verifyctl: hint: %s\n", render.Sanitize(e.Hint))
	}
}

// reported is an error as it is shown: the whole text of its chain, and the facts of the verify.Error in it.
type reported struct {
	verify.Error
	text string
}

func asError(err error) reported {
	r := reported{text: err.Error()}
	var e *verify.Error
	switch {
	case errors.As(err, &e):
		r.Error = *e
	case errors.Is(err, context.Canceled):
		r.Error, r.text = verify.Error{Kind: verify.KindInterrupted}, "interrupted"
	}
	r.Hint = cmp.Or(r.Hint, statedir.HintOf(err))
	if r.Hint == "" && r.Kind == verify.KindUsage && errors.Is(err, fs.ErrNotExist) {
		r.Hint = "check the path" + fromHere()
	}
	return r
}

// fromHere says where a path begins that is not absolute.
func fromHere() string {
	here, err := os.Getwd()
	if err != nil {
		return ""
	}
	return "; one without / in front begins at " + here
}

func reportJSON(w io.Writer, e reported) {
	text, err := render.MarshalSafe(map[string]any{"error": struct {
		Kind       string `json:"kind"`
		Message    string `json:"message"`
		Hint       string `json:"hint,omitempty"`
		ExitStatus int    `json:"exit_status"`
		Code       int    `json:"code,omitempty"`
		Status     int    `json:"status,omitempty"`
		RequestID  string `json:"request_id,omitempty"`
	}{e.Kind.String(), e.text, e.Hint, exitStatus[e.Kind], e.TwilioCode, e.HTTPStatus, e.RequestID}})
	if err != nil {
		text, _ = json.Marshal(map[string]string{"error": e.text})
	}
	fmt.Fprintf(w, "%s\n", text)
}
