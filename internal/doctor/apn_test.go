package doctor

import (
	"fmt"
	"testing"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestSandboxMatrix is the table operators rely on: which builds a credential's sandbox value serves.
func TestSandboxMatrix(t *testing.T) {
	text := func(s string) *string { return &s }
	values := []struct {
		raw  *string // nil is null, and a key that is missing
		name string
		want map[verify.IOSBuild]Status
	}{
		{text("True"), "True", map[verify.IOSBuild]Status{verify.IOSDebug: Pass, verify.IOSDistribution: Fail}},
		{text("true"), "true", map[verify.IOSBuild]Status{verify.IOSDebug: Pass, verify.IOSDistribution: Fail}},
		{text("TRUE"), "TRUE", map[verify.IOSBuild]Status{verify.IOSDebug: Pass, verify.IOSDistribution: Fail}},
		{text("False"), "False", map[verify.IOSBuild]Status{verify.IOSDebug: Fail, verify.IOSDistribution: Pass}},
		{text("false"), "false", map[verify.IOSBuild]Status{verify.IOSDebug: Fail, verify.IOSDistribution: Pass}},
		{text(""), "empty", map[verify.IOSBuild]Status{verify.IOSDebug: Unknown, verify.IOSDistribution: Unknown}},
		{nil, "null", map[verify.IOSBuild]Status{verify.IOSDebug: Unknown, verify.IOSDistribution: Unknown}},
		{nil, "missing", map[verify.IOSBuild]Status{verify.IOSDebug: Unknown, verify.IOSDistribution: Unknown}},
		{text("yes"), "yes", map[verify.IOSBuild]Status{verify.IOSDebug: Unknown, verify.IOSDistribution: Unknown}},
	}
	decides := map[verify.IOSBuild]string{verify.IOSDebug: "PUSH-APN-02", verify.IOSDistribution: "PUSH-APN-01"}
	for _, value := range values {
		for _, build := range []verify.IOSBuild{verify.IOSDebug, verify.IOSDistribution, verify.IOSNone} {
			t.Run(fmt.Sprintf("%s/%s", build, value.name), func(t *testing.T) {
				f, env := healthy()
				env.IOSBuild = build
				f.credentials[0].SandboxText, f.credentials[0].Sandbox = value.raw, verify.ParseSandbox(value.raw)
				report := examine(t, []Target{f.target(env)}, Options{Only: []string{"PUSH-APN-01", "PUSH-APN-02"}})
				for _, id := range []string{"PUSH-APN-01", "PUSH-APN-02"} {
					want := Skipped
					if decides[build] == id {
						want = value.want[build]
					}
					if got := find(t, report, "live", id); got.Status != want {
						t.Errorf("%s is %s (%s), want %s", id, got.Status, got.Reason, want)
					}
				}
			})
		}
	}
}
