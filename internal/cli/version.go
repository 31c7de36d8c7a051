package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/render"
)

// Build says which build of verifyctl this is; empty fields are filled from Go's build information.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Date    string `json:"date"`
	Go      string `json:"go"`
	System  string `json:"system"`
}

func (b Build) complete() Build {
	b.Go, b.System = runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH
	if info, ok := debug.ReadBuildInfo(); ok && b.Version == "" {
		b.Version = info.Main.Version
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				b.Commit = setting.Value
			case "vcs.time":
				b.Date = setting.Value
			}
		}
	}
	if b.Version == "" || b.Version == "(devel)" {
		b.Version = "dev"
	}
	return b
}

// line is the build in one line.
func (b Build) line() string { return fmt.Sprintf("%s (%s, %s)", b.Version, b.Go, b.System) }

func newVersionCmd(s *shell) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show which version this is",
		Long:    "Show the version, the commit and the Go release this program was built from.\n\n" + exitHelp(0),
		Example: "  verifyctl version\n  verifyctl version -o json",
		RunE: func(cmd *cobra.Command, args []string) error {
			b := s.build.complete()
			if s.flags.output == "" && s.flags.jq == "" && s.flags.template == "" {
				_, err := fmt.Fprintf(s.out, "verifyctl %s\n", b.line())
				return err
			}
			return render.One(s.printer(nil), buildResource, b)
		},
	}
}

var buildResource = render.Resource[Build]{Columns: []render.Column[Build]{
	{Name: "version", Text: func(b Build) string { return b.Version }},
	{Name: "commit", Text: func(b Build) string { return b.Commit }},
	{Name: "date", Text: func(b Build) string { return b.Date }},
	{Name: "go", Text: func(b Build) string { return b.Go }},
	{Name: "system", Text: func(b Build) string { return b.System }},
}}
