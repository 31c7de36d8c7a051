package simulator

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// slowBody is the body of a client that waits until somebody else has changed the world.
type slowBody struct {
	sim  *Simulator
	read bool
	err  error // of the change
}

func (b *slowBody) Read([]byte) (int, error) {
	if !b.read {
		b.read = true
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		changed := make(chan error, 1)
		go func() { changed <- b.sim.Freeze(ctx) }()
		select {
		case b.err = <-changed:
		case <-ctx.Done():
			b.err = ctx.Err()
		}
	}
	return 0, io.EOF
}

// TestASlowBodyKeepsNobodyWaiting sends every call, of the control API and of Twilio's, a body that ends when another client
// has changed the world.
func TestASlowBodyKeepsNobodyWaiting(t *testing.T) {
	sim, err := Open(t.Context(), Options{Seed: SeedDemo, ControlSecret: "of-this-test"})
	if err != nil {
		t.Fatal(err)
	}
	defer sim.Close()
	patterns := map[string]bool{}
	for pattern := range controls {
		method, path, _ := strings.Cut(pattern, " ")
		patterns[method+" "+controlPath+"v1/"+strings.NewReplacer("{factor}", DemoDeadFactorSID, "{sid}", "CR1", "{id}", "1").Replace(path)] = true
	}
	for _, route := range routes {
		path := strings.ReplaceAll(strings.Join(route.path, "/"), "{}", DemoServiceSID)
		patterns[route.method+" /"+route.product+"/"+path] = true
	}
	read := 0
	for pattern := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if method != http.MethodPost {
			continue
		}
		body := &slowBody{sim: sim}
		r := httptest.NewRequest(method, "http://simulator.test"+path, body)
		r.Header.Set(SecretHeader, "of-this-test")
		r.SetBasicAuth(DefaultAccountSID, DefaultAuthToken)
		sim.ServeHTTP(httptest.NewRecorder(), r)
		if body.err != nil {
			t.Errorf("while the body of %s arrives, nobody can change the world: %v", pattern, body.err)
		}
		if body.read {
			read++
		}
	}
	if read < 20 {
		t.Errorf("only %d bodies were read", read)
	}
}
