package tmpdir

import "syscall"

// InMemory gives a folder that is in memory, has a gigabyte of room and lets programs be run from it; "" where there is none.
func InMemory() string {
	const folder, room, noExec = "/dev/shm", 1 << 30, 8
	var disk syscall.Statfs_t
	if syscall.Statfs(folder, &disk) != nil || disk.Flags&noExec != 0 || disk.Bavail*uint64(disk.Bsize) < room {
		return ""
	}
	return folder
}
