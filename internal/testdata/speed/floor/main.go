// An empty cobra program that links the packages verifyctl is asked to stand on, and uses none of them: what they cost every
// command before its first line runs.
package main

import (
	"fmt"
	"os"

	_ "github.com/charmbracelet/huh"
	_ "github.com/olekukonko/tablewriter"
	"github.com/spf13/cobra"
	_ "github.com/spf13/viper"
	_ "github.com/twilio/twilio-go/client"
	_ "github.com/twilio/twilio-go/rest/verify/v2"
)

func main() {
	root := &cobra.Command{Use: "floor"}
	root.AddCommand(&cobra.Command{Use: "version", Run: func(*cobra.Command, []string) { fmt.Println("floor 1.0.0") }})
	if root.Execute() != nil {
		os.Exit(1)
	}
}
