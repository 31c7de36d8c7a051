package config

// access says who but its owner can read a file.
type access int

const (
	ownerOnly access = iota
	othersCanRead
)
