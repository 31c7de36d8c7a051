// The floor with what else verifyctl links for single commands: its databases, jq, the keychain.
package main

import (
	"fmt"
	"os"

	_ "github.com/charmbracelet/huh"
	_ "github.com/itchyny/gojq"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/olekukonko/tablewriter"
	"github.com/spf13/cobra"
	_ "github.com/spf13/viper"
	_ "github.com/twilio/twilio-go/client"
	_ "github.com/twilio/twilio-go/rest/verify/v2"
	_ "github.com/zalando/go-keyring"
	_ "modernc.org/sqlite"
)

func main() {
	root := &cobra.Command{Use: "floor"}
	root.AddCommand(&cobra.Command{Use: "version", Run: func(*cobra.Command, []string) { fmt.Println("floor 1.0.0") }})
	if root.Execute() != nil {
		os.Exit(1)
	}
}
