// Package quiet keeps the libraries under package prompt from questioning the terminal while the program starts. Bubble
// Tea asks for the background colour in its init, which costs seconds on a terminal that does not answer and swallows
// what was typed ahead; with CI set, termenv does not ask. The package needs only os, so Go initialises it before them;
// [Restore] puts CI back.
package quiet

import "os"

const variable = "CI"

var before, wasSet = os.LookupEnv(variable)

func init() { _ = os.Setenv(variable, "1") }

// Restore puts the variable CI back as the program was given it.
func Restore() {
	if wasSet {
		_ = os.Setenv(variable, before)
		return
	}
	_ = os.Unsetenv(variable)
}
