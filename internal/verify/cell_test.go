package verify

import "testing"

func TestCellsThatASpreadsheetWouldRunAreText(t *testing.T) {
	for text, want := range map[string]string{
		"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "+1+1": "'+1+1", "-2": "'-2", "@SUM(A1)": "'@SUM(A1)", "\t=1": "'\t=1", "\r=1": "'\r=1",
		"'=1": "''=1", "'": "''", "": "", "iPhone": "iPhone", "a=b": "a=b", "＝1": "'＝1",
	} {
		if got := GuardCell(text); got != want {
			t.Errorf("%q became %q, not %q", text, got, want)
		}
	}
}

func TestTheApostropheAgainstFormulasIsTakenOffAgain(t *testing.T) {
	for cell, want := range map[string]string{"'=1": "=1", "'+1": "+1", "'-a": "-a", "'@x": "@x", "''x": "'x", "'x": "'x", "'": "'", "x'": "x'", "": ""} {
		if got := UnguardCell(cell); got != want {
			t.Errorf("%q is read as %q, want %q", cell, got, want)
		}
	}
}

func FuzzGuardCell(f *testing.F) {
	f.Add("'=1")
	f.Add("plain")
	f.Fuzz(func(t *testing.T, text string) {
		guarded := GuardCell(text)
		if got := UnguardCell(guarded); got != text && guarded != text {
			t.Errorf("%q came back as %q", text, got)
		}
		if guarded != "" && guarded[0] != '\'' && GuardCell(guarded) != guarded {
			t.Errorf("%q stays dangerous", text)
		}
	})
}
