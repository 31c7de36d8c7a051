// An empty cobra program: what a command line of Go cannot be faster than.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	root := &cobra.Command{Use: "empty"}
	root.AddCommand(&cobra.Command{Use: "version", Run: func(*cobra.Command, []string) { fmt.Println("empty 1.0.0") }})
	if root.Execute() != nil {
		os.Exit(1)
	}
}
