package main

import (
	"os"
	"syscall"
)

// The programs of the scripts wait for the disk most of their time: where there is room for their homes in memory, and
// programs may be run from there, they are there.
func init() {
	const folder, room, noExec = "/dev/shm", 1 << 30, 8
	var disk syscall.Statfs_t
	if os.Getenv("GOTMPDIR") == "" && syscall.Statfs(folder, &disk) == nil && disk.Flags&noExec == 0 && disk.Bavail*uint64(disk.Bsize) > room {
		os.Setenv("GOTMPDIR", folder)
	}
}
