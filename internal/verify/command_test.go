package verify

import "testing"

func TestCommandSurvivesAShell(t *testing.T) {
	for _, tc := range []struct {
		env   Environment
		words []string
		want  string
	}{
		{Environment{Name: "staging"}, []string{"challenge", "show", "YC" + hex32, "--identity", "user-1001"},
			"verifyctl -e staging challenge show YC" + hex32 + " --identity user-1001"},
		{Environment{}, []string{"env", "list"}, "verifyctl env list"},
		{Environment{ServiceSID: "VA" + hex32}, []string{"why", "user-1001"}, "verifyctl --service VA" + hex32 + " why user-1001"},
		{Environment{Name: "prod", ServiceSID: "VA" + hex32}, []string{"challenge", "create", "user-1001", "--message", "It's you? $5 `now`"},
			`verifyctl -e prod challenge create user-1001 --message 'It'\''s you? $5 ` + "`now`'"},
		{Environment{Name: "prod"}, []string{"why", ""}, "verifyctl -e prod why ''"},
		{Environment{Name: "prod"}, []string{"factors", "list", "--where", "platform=apn and updated<2026"},
			"verifyctl -e prod factors list --where 'platform=apn and updated<2026'"},
		{Environment{Name: "prod", Config: "our team/verifyctl.yaml"}, []string{"doctor"}, "verifyctl --config 'our team/verifyctl.yaml' -e prod doctor"},
		{Environment{ServiceSID: "VA" + hex32, Config: "verifyctl.yaml"}, []string{"doctor"}, "verifyctl --config verifyctl.yaml --service VA" + hex32 + " doctor"},
		{Environment{Config: "verifyctl.yaml"}, []string{"env", "list"}, "verifyctl --config verifyctl.yaml env list"},
	} {
		if got := tc.env.Command(tc.words...); got != tc.want {
			t.Errorf("%+v.Command(%q) =\n%s, want\n%s", tc.env, tc.words, got, tc.want)
		}
	}
}
