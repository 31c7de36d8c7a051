package verify

import "testing"

func TestCommandSurvivesAShell(t *testing.T) {
	for _, tc := range []struct {
		env   string
		words []string
		want  string
	}{
		{"staging", []string{"challenge", "show", "YC" + hex32, "--identity", "user-1001"},
			"verifyctl -e staging challenge show YC" + hex32 + " --identity user-1001"},
		{"", []string{"env", "list"}, "verifyctl env list"},
		{"prod", []string{"challenge", "create", "user-1001", "--message", "It's you? $5 `now`"},
			`verifyctl -e prod challenge create user-1001 --message 'It'\''s you? $5 ` + "`now`'"},
		{"prod", []string{"why", ""}, "verifyctl -e prod why ''"},
		{"prod", []string{"factors", "list", "--where", "platform=apn and updated<2026"},
			"verifyctl -e prod factors list --where 'platform=apn and updated<2026'"},
	} {
		if got := Command(tc.env, tc.words...); got != tc.want {
			t.Errorf("Command(%q, %q) =\n%s, want\n%s", tc.env, tc.words, got, tc.want)
		}
	}
}
