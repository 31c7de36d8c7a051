package verify

import "testing"

func TestVersionsCompareAsVersions(t *testing.T) {
	inOrder := []string{"0", "0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
		"1", "1.0.1", "1.2", "1.10", "v2.0.0", "2.0.0.1", "10", "99999999999999999999999.1", "100000000000000000000000"}
	for i, a := range inOrder {
		for j, b := range inOrder {
			v, okV := ParseVersion(a)
			w, okW := ParseVersion(b)
			if got := v.Compare(w); !okV || !okW || sign(got) != sign(i-j) {
				t.Errorf("%s against %s: %d (%v %v)", a, b, got, okV, okW)
			}
		}
	}
	for _, same := range [][2]string{{"3.0", "3.0.0"}, {"v1", "1.00"}, {"1.2+build.7", "1.2"}, {"007", "7"}} {
		v, _ := ParseVersion(same[0])
		w, _ := ParseVersion(same[1])
		if v.Compare(w) != 0 {
			t.Errorf("%s and %s differ", same[0], same[1])
		}
	}
	for _, none := range []string{"", "v", "abc", "1.", ".1", "1..2", "1.x", "-1", "1-", "1-a..b", "1 ", "١"} {
		if _, ok := ParseVersion(none); ok {
			t.Errorf("%q passed as a version", none)
		}
	}
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
