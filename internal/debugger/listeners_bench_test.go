package debugger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// BenchmarkListeners is events that listeners acknowledge, one by itself as the baseline and three on one memory, in a file and
// in the database that VERIFYCTL_TEST_POSTGRES names. 48 connections deliver.
func BenchmarkListeners(b *testing.B) {
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		for _, listeners := range []int{1, 3} {
			b.Run(fmt.Sprintf("%s/%d", engine, listeners), func(b *testing.B) {
				shared := ""
				if engine == "PostgreSQL" {
					if shared = os.Getenv("VERIFYCTL_TEST_POSTGRES"); shared == "" {
						b.Skip("VERIFYCTL_TEST_POSTGRES names no server")
					}
				}
				acknowledge(b, shared, listeners)
			})
		}
	}
}

func acknowledge(b *testing.B, shared string, listeners int) {
	service := fmt.Sprintf("VA%016x%016x", rand.Uint64(), rand.Uint64())
	root, machine := b.TempDir(), ""
	var at []*process
	for n := range listeners {
		if shared != "" {
			machine = fmt.Sprint("machine", n)
		}
		at = append(at, start(b, filepath.Join(root, machine, service), shared))
	}
	if shared != "" {
		b.Cleanup(func() { dropSchema(b, shared, "verifyctl_"+strings.ToLower(service)) })
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 48}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	const events = 3000
	var next atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	for b.Loop() {
		var senders sync.WaitGroup
		end := next.Load() + events
		for sender := range 48 {
			senders.Go(func() {
				for n := next.Add(1); n <= end; n = next.Add(1) {
					began := time.Now()
					if !post(client, at[(sender+int(n))%listeners].url, delivery(int(n))) {
						b.Errorf("event %d was not acknowledged", n)
					}
					mu.Lock()
					took = append(took, time.Since(began))
					mu.Unlock()
				}
			})
		}
		senders.Wait()
		next.Store(end)
	}
	slices.Sort(took)
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

func dropSchema(b *testing.B, address, schema string) {
	db, err := pgx.Connect(context.Background(), address)
	if err == nil {
		_, err = db.Exec(context.Background(), `DROP SCHEMA `+pgx.Identifier{schema}.Sanitize()+` CASCADE`)
	}
	if err != nil {
		b.Error(err)
	}
}
