package cli

import (
	"os"
	"syscall"
)

// The tests copy their machines thousands of times, which on a disk takes longer than all the commands: where there is room
// for them in memory, they are there.
func init() {
	const folder, room, noExec = "/dev/shm", 1 << 30, 8
	var disk syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(folder, &disk) == nil && disk.Flags&noExec == 0 && disk.Bavail*uint64(disk.Bsize) > room {
		os.Setenv("TMPDIR", folder)
	}
}
