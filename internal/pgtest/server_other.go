//go:build !unix

package main

// start starts no server here: name one in VERIFYCTL_TEST_POSTGRES.
func start() (address string, stop func(), err error) { return "", nil, nil }
