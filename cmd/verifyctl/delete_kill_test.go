//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/store"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// TestKilledDeletesLeaveTheirRecords kills the program at each request of factors delete and of factors apply, before and after
// Twilio took it. No delete was sent without its line before and without what the factor was; a line after lacks only where
// the run was killed, and the next run deletes the rest.
func TestKilledDeletesLeaveTheirRecords(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short")
	}
	const factors = 3
	planned := newKilling(t, 0, false) // what each run begins with
	planned.deletes(factors)
	planned.ok("-e", "dev", "fleet", "sync")
	planned.ok("-e", "dev", "factors", "plan", "--where", "status = verified", "--out", filepath.Join(planned.dir, "state", "plan"))
	for _, c := range []struct {
		run        []string
		unfinished int // at most; an apply sends several at the same time
	}{
		{[]string{"factors", "delete", "user-00000001", "--all", "--yes"}, 1},
		{[]string{"factors", "apply", "PLAN", "--yes"}, factors},
	} {
		runs := 0
		for _, after := range []bool{false, true} {
			for n, killed := 1, true; killed; n++ {
				k := newKilling(t, n, after)
				k.deletes(factors)
				if out, err := exec.Command("cp", "-a", filepath.Join(planned.dir, "state"), k.dir).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				run := append([]string{"-e", "dev"}, c.run...)
				run[4] = strings.Replace(run[4], "PLAN", filepath.Join(k.dir, "state", "plan"), 1)
				k.cutOff(run...)
				if killed = k.killed; !killed {
					continue
				}
				runs++
				var report struct {
					Verdict    string
					Unfinished []string
				}
				if out := k.said("audit", "verify", "-o", "json"); json.Unmarshal([]byte(out), &report) != nil || report.Verdict != "intact" || len(report.Unfinished) > c.unfinished {
					t.Errorf("%s: %s", k.at, out)
				}
				if factors := k.service + "/Entities/user-00000001/Factors"; k.count(factors) > 0 {
					k.ok(run...)
					k.has(factors, 0)
				}
			}
		}
		t.Logf("%s: %d runs were killed", c.run[:2], runs)
		if runs < 2*(factors+1) {
			t.Errorf("%s was killed at %d requests only", c.run, runs)
		}
	}
}

// deletes makes a world of one identity, in which each delete is held against the records that have to be there before it.
func (k *killing) deletes(factors int) {
	k.Helper()
	made, err := k.sim.Generate(k.Context(), simulator.Fleet{Entities: 1, Factors: factors})
	if err != nil {
		k.Fatal(err)
	}
	k.service = "/v2/Services/" + made.Service
	k.write("config.yaml", fmt.Sprintf("environments:\n  dev:\n    account_sid: %s\n    service_sid: %s\n    api_key: %s\n    secret_env: KILL_SECRET\n    base_url: %s\n    kind: development\n",
		simulator.DefaultAccountSID, made.Service, killKey, k.url))
	k.look = func(deletes string) {
		sid := path.Base(deletes)
		audit, err := os.ReadFile(filepath.Join(k.dir, "state", "audit.jsonl"))
		if err != nil || !strings.Contains(string(audit), `"phase":"before"`) || !strings.Contains(string(audit), sid) {
			k.Errorf("%s: %s was sent without a line before: %v\n%s", k.at, deletes, err, audit)
		}
		if recorded, err := k.recorded(sid); err != nil || !recorded {
			k.Errorf("%s: %s was sent without a record of what it was: %v", k.at, deletes, err)
		}
	}
}

// recorded tells whether the memory has a deleted factor.
func (k *killing) recorded(sid string) (bool, error) {
	memory, err := store.Open(k.Context(), filepath.Join(k.dir, "state"), "dev")
	if err != nil {
		return false, err
	}
	defer memory.Close()
	for deletion, err := range memory.Deletions(k.Context(), verify.DeletionFilter{}) {
		if err != nil || string(deletion.Factor.SID) == sid {
			return err == nil, err
		}
	}
	return false, nil
}

// said gives what a command that must end with status 0 printed.
func (k *killing) said(args ...string) string {
	k.Helper()
	cmd, _ := k.command(args...)
	cmd.Stdout, cmd.Stderr = nil, nil
	out, err := cmd.Output()
	if err != nil {
		k.Errorf("%s: %s: %v", k.at, args, err)
	}
	return string(out)
}
