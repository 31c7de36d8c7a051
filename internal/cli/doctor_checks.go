package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/doctor"
	"github.com/verifyctl/verifyctl/internal/render"
)

func newDoctorChecksCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:   "checks",
		Short: "List the checks of doctor",
		Long: `List every check that doctor makes: its id, how bad it is when broken, how certain its answer is, the keys of the environment
file that it rests on, and what it asks. Without such a key a check is unknown, unless its answer is the same under each value.
Nothing is read from Twilio. docs/reference/checks.md explains each.

` + exitHelp(0),
		Example: `  verifyctl doctor checks
  verifyctl doctor checks -o json --jq '.[] | select(.severity == "fail") | .id'`,
		RunE: func(*cobra.Command, []string) error {
			return listAll(s.printer(time.Now), doctorCheck, doctor.Catalogue())
		},
	}
}

// doctorCheckView is the JSON form of a check.
type doctorCheckView struct {
	ID        string           `json:"id"`
	Group     string           `json:"group"`
	Title     string           `json:"title"`
	Severity  doctor.Severity  `json:"severity"`
	Certainty doctor.Certainty `json:"certainty"`
	Remedy    string           `json:"remedy"`
	RestsOn   []string         `json:"rests_on"` // declarations without which it is unknown
	Heeds     []string         `json:"heeds"`    // declarations that it takes at their word
}

var doctorCheck = render.Resource[doctor.Check]{
	SID: func(c doctor.Check) string { return c.ID },
	View: func(c doctor.Check) any {
		return doctorCheckView{c.ID, c.Group(), c.Title, c.Severity, c.Certainty, c.Remedy, doctor.Keys(c.RestsOn), doctor.Keys(c.Heeds)}
	},
	Columns: []render.Column[doctor.Check]{
		{Name: "id", Text: func(c doctor.Check) string { return c.ID }},
		{Name: "severity", Text: func(c doctor.Check) string { return string(c.Severity) }},
		{Name: "certainty", Text: func(c doctor.Check) string { return string(c.Certainty) }},
		{Name: "rests_on", Text: func(c doctor.Check) string { return joined(doctor.Keys(c.RestsOn), ",") }},
		{Name: "title", Text: func(c doctor.Check) string { return c.Title }, Flex: true},
		{Name: "group", Text: func(c doctor.Check) string { return c.Group() }, Wide: true},
		{Name: "heeds", Text: func(c doctor.Check) string { return joined(doctor.Keys(c.Heeds), ",") }, Wide: true},
		{Name: "remedy", Text: func(c doctor.Check) string { return c.Remedy }, Wide: true},
	},
}
