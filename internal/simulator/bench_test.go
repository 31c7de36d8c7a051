package simulator_test

import (
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// benchFleet is a state on disk with a fleet, served in process and on loopback.
func benchFleet(b *testing.B, entities, factors int) (service, identity, factor string, inProcess, loopback *http.Client, addr string) {
	b.Helper()
	sim, err := simulator.Open(b.Context(), simulator.Options{State: filepath.Join(b.TempDir(), "fleet.db")})
	if err != nil {
		b.Fatal(err)
	}
	begun := time.Now()
	made, err := sim.Generate(b.Context(), simulator.Fleet{Entities: entities, Factors: factors})
	if err != nil {
		b.Fatal(err)
	}
	b.Logf("%d factors made in %s", made.Factors, time.Since(begun).Round(time.Millisecond))
	devices, err := sim.Devices(b.Context(), simulator.DeviceFilter{Identity: "user-00000001"})
	if err != nil || len(devices) == 0 {
		b.Fatal(devices, err)
	}
	pipe := simulator.NewPipeListener()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	server := sim.NewServer()
	for _, l := range []net.Listener{pipe, tcp} {
		go server.Serve(l) // ends with the server
	}
	b.Cleanup(func() { server.Close(); sim.Close() })
	return made.Service, devices[0].Identity, devices[0].Factor, &http.Client{Transport: &http.Transport{DialContext: pipe.DialContext}},
		&http.Client{Transport: &http.Transport{}}, tcp.Addr().String()
}

// measure runs do b.N times and reports the 99th percentile beside the mean.
func measure(b *testing.B, do func() error) {
	b.Helper()
	took := make([]time.Duration, 0, b.N)
	for b.Loop() {
		begun := time.Now()
		if err := do(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkSimulator(b *testing.B) {
	service, identity, factor, inProcess, loopback, addr := benchFleet(b, 25_000, 4)
	entity := "/v2/Services/" + service + "/Entities/" + identity
	for _, network := range []struct {
		name, host string
		http       *http.Client
	}{{"in-process", "simulator.test", inProcess}, {"loopback", addr, loopback}} {
		c := &client{http: network.http, host: network.host, user: simulator.DefaultAccountSID, pass: simulator.DefaultAuthToken}
		request := func(method, path string, form ...string) func() error {
			return func() error {
				status, body, err := c.plain(method, path, form...)
				if err == nil && status >= 300 {
					err = fmt.Errorf("%d %s", status, body)
				}
				return err
			}
		}
		b.Run("list-factors/"+network.name, func(b *testing.B) { measure(b, request("GET", entity+"/Factors")) })
		b.Run("list-50-entities/"+network.name, func(b *testing.B) { measure(b, request("GET", "/v2/Services/"+service+"/Entities?PageSize=50")) })
		b.Run("create-challenge/"+network.name, func(b *testing.B) {
			measure(b, request("POST", entity+"/Challenges", "FactorSid", factor, "Details.Message", "Sign in?"))
		})
	}
}
