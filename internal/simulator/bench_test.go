package simulator_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// benchFactors is the size of the benchmarked fleet, such as -fleet 1000000.
var benchFactors = flag.Int("fleet", 100_000, "factors in the world of BenchmarkSimulator")

// BenchmarkSimulator serves one world on disk in process and on loopback, and sends every request to both in turn.
func BenchmarkSimulator(b *testing.B) {
	state := filepath.Join(b.TempDir(), "fleet.db")
	service := makeFleet(b, state)
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			sim, err := simulator.Open(b.Context(), simulator.Options{State: state})
			if err != nil {
				b.Fatal(err)
			}
			sim.Close()
		}
	})
	inProcess, loopback := bothNetworks(b, state)
	h := newHandset(b, inProcess, service, "user-9001-bench")
	h.enrol("fcm")
	h.verify()
	entity := h.entity()
	compare := func(name string, request func(i int) []string) {
		b.Run(name, func(b *testing.B) { measure(b, inProcess, loopback, request) })
	}
	compare("list-50-entities", func(int) []string { return []string{"GET", "/v2/Services/" + service + "/Entities?PageSize=50"} })
	compare("list-factors", func(int) []string { return []string{"GET", entity + "/Factors"} })
	b.Run("reads", func(b *testing.B) { measureReads(b, loopback, service) })
	create := []string{"POST", entity + "/Challenges", "FactorSid", h.factor, "Details.Message", "Sign in?"}
	compare("create-challenge", func(int) []string { return create })
	compare("answer", func(int) []string {
		made := inProcess.ok(create[0], create[1], create[2:]...).text("sid")
		fetched := inProcess.ok("GET", entity+"/Challenges/"+made)
		return []string{"POST", entity + "/Challenges/" + made, "AuthPayload", h.challengePayload(fetched, "approved", nil)}
	})
	b.Run("memory", func(b *testing.B) {
		const first = "/v2/Services/%s/Entities?PageSize=1000"
		for path := fmt.Sprintf(first, service); b.Loop(); { // page by page through the whole Service
			meta := inProcess.ok("GET", path).body["meta"].(map[string]any)
			next, more := meta["next_page_url"].(string)
			if path = strings.TrimPrefix(next, "http://"+inProcess.host); !more {
				path = fmt.Sprintf(first, service)
			}
		}
		reportMemory(b, state)
	})
}

func makeFleet(b *testing.B, state string) (service string) {
	b.Helper()
	sim, err := simulator.Open(b.Context(), simulator.Options{State: state})
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	made, err := sim.Generate(b.Context(), simulator.Fleet{Entities: *benchFactors / 4, Factors: 4})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d factors made in %s", made.Factors, time.Since(begun).Round(time.Millisecond))
	if err := sim.Close(); err != nil {
		b.Fatal(err)
	}
	return made.Service
}

// bothNetworks gives two clients of one world: through the in-memory network and through a port.
func bothNetworks(b *testing.B, state string) (inProcess, loopback *client) {
	b.Helper()
	inProcess = open(b, simulator.Options{State: state})
	server := inProcess.sim.NewServer()
	b.Cleanup(func() { server.Close() })
	loopback = inProcess.at(serveLoopback(b, server.Serve))
	loopback.http = &http.Client{Transport: &http.Transport{}}
	return inProcess, loopback
}

// serveLoopback serves on a port of this machine until the server is closed, and gives which.
func serveLoopback(b *testing.B, serve func(net.Listener) error) (host string) {
	b.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go serve(listener) //nolint:errcheck // ends with the server
	return listener.Addr().String()
}

// measure sends each request over both networks, one after the other, and reports requests per second, the 99th
// percentile, and how much longer loopback takes. Making a request is not measured.
func measure(b *testing.B, inProcess, loopback *client, request func(i int) []string) {
	b.Helper()
	networks := []struct {
		name string
		*client
		took  []time.Duration
		total time.Duration
	}{{name: "in-process", client: inProcess}, {name: "loopback", client: loopback}}
	for i := 0; b.Loop(); i++ {
		for n := range networks {
			network := &networks[n]
			r := request(i)
			begun := time.Now()
			status, body, err := network.plain(r[0], r[1], r[2:]...)
			took := time.Since(begun)
			if err != nil || status >= 300 {
				b.Fatal(fmt.Errorf("%s: %d %s %w", network.name, status, body, err))
			}
			network.took, network.total = append(network.took, took), network.total+took
		}
	}
	for _, network := range networks {
		slices.Sort(network.took)
		b.ReportMetric(float64(network.took[len(network.took)*99/100].Microseconds()), network.name+"-p99-µs")
		b.ReportMetric(float64(len(network.took))/network.total.Seconds(), network.name+"-req/s")
	}
	b.ReportMetric(float64(networks[1].total)/float64(networks[0].total), "loopback/in-process")
}

// measureReads asks for the factors of one identity after the other on eight connections, and asks as much of a server that
// gives one such reply from memory. It reports reads a second of both, and how many times what net/http, the network and the
// client take a read of the simulator takes.
func measureReads(b *testing.B, loopback *client, service string) {
	b.Helper()
	path := func(i int) string {
		return fmt.Sprintf("/v2/Services/%s/Entities/user-%08d/Factors", service, 1+i*7919%(*benchFactors/4))
	}
	sample := loopback.ok("GET", path(0))
	floor := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		maps.Copy(w.Header(), sample.header)
		io.WriteString(w, sample.raw) // the client is this test
	})}
	b.Cleanup(func() { floor.Close() })
	asked := []struct {
		host string
		took time.Duration
	}{{host: loopback.host}, {host: serveLoopback(b, floor.Serve)}}
	const batch = 1000
	reads := 0
	for ; b.Loop(); reads += batch {
		for i := range asked {
			begun := time.Now()
			askAll(b, loopback.at(asked[i].host), batch, func(i int) string { return path(reads + i) })
			asked[i].took += time.Since(begun)
		}
	}
	b.ReportMetric(float64(reads)/asked[0].took.Seconds(), "reads/s")
	b.ReportMetric(float64(reads)/asked[1].took.Seconds(), "floor-reads/s")
	b.ReportMetric(float64(asked[0].took)/float64(asked[1].took), "read/floor")
}

// askAll sends n GET requests on eight connections. It takes less of the processor than an [http.Client] would.
func askAll(b *testing.B, c *client, n int, path func(int) string) {
	const connections = 8
	var done sync.WaitGroup
	for first := range connections {
		done.Go(func() {
			conn, err := net.Dial("tcp", c.host)
			if err != nil {
				b.Error(err)
				return
			}
			defer conn.Close()
			replies := bufio.NewReader(conn)
			for i := first; i < n; i += connections {
				if err := c.ask(conn, replies, path(i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	done.Wait()
}

// ask sends a GET request on a connection of its own and reads the reply.
func (c *client) ask(conn net.Conn, replies *bufio.Reader, path string) error {
	req, err := http.NewRequest("GET", "http://"+c.host+path, nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth(c.user, c.pass)
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(replies, req)
	if err != nil {
		return err
	}
	if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return err
}

// reportMemory reports the size of the state, of the Go heap and, on Linux, of the whole process.
func reportMemory(b *testing.B, state string) {
	b.Helper()
	const MB = 1 << 20
	if info, err := os.Stat(state); err == nil {
		b.ReportMetric(float64(info.Size())/MB, "state-MB")
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapAlloc)/MB, "heap-MB")
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return // not Linux
	}
	for line := range bytes.Lines(status) {
		if fields := bytes.Fields(line); len(fields) > 1 && string(fields[0]) == "VmRSS:" {
			if kB, err := strconv.Atoi(string(fields[1])); err == nil {
				b.ReportMetric(float64(kB)/1024, "process-MB")
			}
		}
	}
}
