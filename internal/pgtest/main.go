// Pgtest gives tests a PostgreSQL server, for as long as its standard input is open: so it ends with the tests, however they
// end. It prints one line: "given ADDRESS" for the one that VERIFYCTL_TEST_POSTGRES names, else "own ADDRESS" for one that it
// starts, else "none" where PostgreSQL is not installed.
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if address := os.Getenv("VERIFYCTL_TEST_POSTGRES"); address != "" {
		fmt.Println("given", address)
		return
	}
	address, stop, err := start()
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	case address == "":
		fmt.Println("none")
		return
	}
	fmt.Println("own", address)
	_, _ = io.Copy(io.Discard, os.Stdin)
	stop()
}
