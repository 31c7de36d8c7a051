//go:build unix

package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/verifyctl/verifyctl/internal/tmpdir"
)

// start starts a server that only this machine reaches, by a socket, and that keeps nothing; address is "" where none is
// installed.
func start() (address string, stop func(), err error) {
	bin, ok := binaries()
	if !ok {
		return "", nil, nil
	}
	// A socket's path has about 100 bytes, which TMPDIR may use up; and the server's user must be able to reach it.
	dir, err := os.MkdirTemp(cmp.Or(tmpdir.InMemory(), "/tmp"), "verifyctl-pg")
	if err != nil {
		return "", nil, err
	}
	command, err := unprivileged(dir)
	if err != nil {
		return "", nil, err
	}
	data := filepath.Join(dir, "data")
	if out, err := command(filepath.Join(bin, "initdb"), "-D", data, "-U", "verifyctl", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync").CombinedOutput(); err != nil {
		return "", nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	var log bytes.Buffer
	server := command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-F", "-c", "listen_addresses=", "-c", "full_page_writes=off",
		"-c", "max_connections=300", "-c", "shared_buffers=64MB", "-c", "autovacuum=off", "-c", "log_min_messages=fatal")
	server.Stderr = &log
	if err := server.Start(); err != nil {
		return "", nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	stop = func() {
		server.Process.Signal(syscall.SIGQUIT) // at once: what it has is not needed
		<-ended
		os.RemoveAll(dir)
	}
	address = "postgres://verifyctl@/postgres?" + url.Values{"host": {dir}}.Encode()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := command(filepath.Join(bin, "pg_isready"), "-q", "-h", dir).Run()
		if err == nil {
			return address, stop, nil
		}
		select {
		case err := <-ended:
			return "", nil, fmt.Errorf("postgres ended: %w\n%s", err, &log)
		default:
		}
		if time.Now().After(deadline) {
			stop()
			return "", nil, errors.Join(err, errors.New(log.String()))
		}
	}
}

// binaries gives the directory of initdb and postgres: that of the PATH, else Debian's newest.
func binaries() (string, bool) {
	places, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.SortFunc(places, func(a, b string) int { return len(a) - len(b) })
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			places = append(places, initdb)
		}
	}
	if len(places) == 0 {
		return "", false
	}
	return filepath.Dir(places[len(places)-1]), true
}

// unprivileged gives how to run commands on a directory: as oneself, or as somebody else for root, whom initdb refuses.
func unprivileged(dir string) (func(name string, args ...string) *exec.Cmd, error) {
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		return cmd
	}
	if os.Getuid() != 0 {
		return run, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		if who, err = user.Lookup("nobody"); err != nil {
			return nil, err
		}
	}
	uid, _ := strconv.Atoi(who.Uid)
	gid, _ := strconv.Atoi(who.Gid)
	return func(name string, args ...string) *exec.Cmd {
		cmd := run(name, args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
		return cmd
	}, os.Chown(dir, uid, gid)
}
