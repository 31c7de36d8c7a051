// Command verifyctl is the command line of Twilio Verify Push operators.
package main

import (
	"os"

	"github.com/verifyctl/verifyctl/internal/cli"
)

// Set at link time by a release build; a build by "go install" tells its version from its build information.
var (
	version = ""
	commit  = ""
	date    = ""
)

func main() {
	os.Exit(cli.Main(cli.Build{Version: version, Commit: commit, Date: date}))
}
