package cli

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/verifyctl/verifyctl/internal/simulator"
	"github.com/verifyctl/verifyctl/internal/statedir"
	"github.com/verifyctl/verifyctl/internal/verify"
)

// runningServer is what a running "simulator serve" leaves in the state directory: where it is, and the secret that its
// control API asks for. It holds a lock beside the file for as long as it runs, however it ends.
type runningServer struct {
	PID     int    `json:"pid"`
	BaseURL string `json:"base_url"`
	CAFile  string `json:"ca_file,omitempty"`
	State   string `json:"state"` // the file, or :memory:
	Secret  string `json:"secret"`

	file string
}

func (r *runningServer) String() string { return fmt.Sprintf("%s (state %s)", r.BaseURL, r.State) }

// leave writes the file of a server that has begun to listen, and gives what removes it at the end.
func (r *runningServer) leave(dir string) (remove func() error, err error) {
	if err := statedir.Prepare(dir); err != nil {
		return nil, err
	}
	r.file = filepath.Join(dir, "simulator-"+strings.ToLower(rand.Text()[:8])+".json")
	lock, err := statedir.Open(lockOf(r.file), os.O_RDWR|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, statedir.Failure("cannot announce this server to other commands", err)
	}
	remove = func() error { return errors.Join(removeIfThere(r.file), lock.Close(), removeIfThere(lock.Name())) }
	content, err := json.MarshalIndent(r, "", "  ")
	if err == nil {
		_, err = statedir.TryLock(lock)
	}
	if err == nil {
		err = statedir.WriteNew(r.file, append(content, '\n'))
	}
	if err != nil {
		return nil, errors.Join(statedir.Failure("cannot announce this server to other commands", err), remove())
	}
	return remove, nil
}

func lockOf(file string) string { return strings.TrimSuffix(file, ".json") + ".lock" }

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// runningServers gives the servers that left their file in the state directory and still hold its lock. The file of one
// that was killed is removed.
func runningServers(ctx context.Context, dir string) ([]*runningServer, error) {
	files, err := filepath.Glob(filepath.Join(escapeGlob(dir), "simulator-*.json"))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	if err := statedir.Prepare(dir); err != nil {
		return nil, err
	}
	unlock, err := statedir.Lock(ctx, dir) // or two commands would take each other's look for a server
	if err != nil {
		return nil, err
	}
	defer unlock()
	var running []*runningServer
	for _, file := range files {
		r, err := readRunning(file)
		if err != nil {
			return nil, err
		}
		if r != nil {
			running = append(running, r)
		}
	}
	return running, nil
}

// escapeGlob lets a folder's name stand for itself in a pattern.
func escapeGlob(dir string) string {
	return strings.NewReplacer("[", `[[]`, "*", `[*]`, "?", `[?]`).Replace(dir)
}

// readRunning reads the file of a server, nil when the server is gone.
func readRunning(file string) (*runningServer, error) {
	lock, err := statedir.Open(lockOf(file), os.O_RDWR)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, removeIfThere(file)
	}
	if err != nil {
		return nil, statedir.Failure("cannot look for running simulators", err)
	}
	free, err := statedir.TryLock(lock)
	lock.Close()
	switch {
	case err != nil:
		return nil, statedir.Failure("cannot look for running simulators", err)
	case free:
		return nil, errors.Join(removeIfThere(file), removeIfThere(lock.Name()))
	}
	if err := statedir.CheckFile(file); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // it has just ended
		}
		return nil, err
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, statedir.Failure("cannot look for running simulators", err)
	}
	r := &runningServer{file: file}
	if err := json.Unmarshal(raw, r); err != nil {
		return nil, statedir.Failure("cannot read "+file, err)
	}
	return r, nil
}

// control reaches the server.
func (r *runningServer) control() (*simulator.Control, error) {
	transport := &http.Transport{} // without a proxy: the server is on this machine
	if r.CAFile != "" {
		authority, err := os.ReadFile(r.CAFile)
		if err != nil {
			return nil, statedir.Failure("cannot read the authority of the running simulator", err)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(authority)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	}
	return simulator.NewControl(r.BaseURL, r.Secret, transport), nil
}

// running picks the running server to work on, nil when there is none: the one of --server, the one that the environment
// of -e is reached at, else the only one.
func (o *simulatorOptions) running(ctx context.Context) (*runningServer, error) {
	dir, err := o.shell.stateDir()
	if err != nil {
		return nil, err
	}
	servers, err := runningServers(ctx, dir)
	if err != nil {
		return nil, err
	}
	wanted, from := o.server, "--server "+o.server
	if env, err := o.environment(); err != nil {
		return nil, err
	} else if env != nil && !env.Environment.Demo && wanted == "" {
		wanted, from = env.BaseURL, "base_url of "+env.Environment.Name
		if wanted == "" {
			return nil, verify.Usagef("%s is reached at Twilio, not at a simulator", env.Environment.Name).
				WithHint("verifyctl simulator works on -e demo, on the running server, or on the file of --state")
		}
	}
	switch {
	case wanted != "":
		for _, s := range servers {
			if s.isAt(wanted) {
				return s, nil
			}
		}
		return nil, verify.Usagef("no simulator runs at %s; running: %s", from, namesOf(servers)).
			WithHint("verifyctl simulator serve")
	case len(servers) > 1:
		return nil, verify.Usagef("%d simulators are running: %s", len(servers), namesOf(servers)).
			WithHint("choose one with --server %s, or a file with --state", servers[0].address())
	case len(servers) == 1:
		return servers[0], nil
	}
	return nil, nil
}

// address is the host and port of the server.
func (r *runningServer) address() string {
	_, address, _ := strings.Cut(r.BaseURL, "://")
	return address
}

// isAt tells whether an address or a URL leads to the server. This machine has several names.
func (r *runningServer) isAt(wanted string) bool {
	if _, address, isURL := strings.Cut(wanted, "://"); isURL {
		wanted = address
	}
	host, port, err := net.SplitHostPort(strings.TrimSuffix(wanted, "/"))
	ownHost, ownPort, ownErr := net.SplitHostPort(r.address())
	if err != nil || ownErr != nil || port != ownPort {
		return false
	}
	return strings.EqualFold(host, ownHost) || verify.IsLoopback(host) && verify.IsLoopback(ownHost)
}

func namesOf(servers []*runningServer) string {
	if len(servers) == 0 {
		return "none"
	}
	var names []string
	for _, s := range servers {
		names = append(names, s.String())
	}
	return strings.Join(names, ", ")
}
