package debugger_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/verifyctl/verifyctl/internal/debugger"
	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/store"
	_ "github.com/verifyctl/verifyctl/internal/tmpdir" // for temporary folders
	"github.com/verifyctl/verifyctl/internal/verify"
)

const (
	secret    = "12345"
	publicURL = "https://ops.bank.example/debugger"
	stateIn   = "DEBUGGER_TEST_STATE"
	sharedIn  = "DEBUGGER_TEST_STORE" // the address of a team's store; the state directory is named after the Service

	testAccount verify.AccountSID = "AC00000000000000000000000000000001"
)

// TestListenerProcess is the listener that TestKilledListenerLosesNothing kills; by itself it does nothing.
func TestListenerProcess(t *testing.T) {
	dir := os.Getenv(stateIn)
	if dir == "" {
		return
	}
	memory, err := openStore(t.Context(), dir, os.Getenv(sharedIn))
	if err != nil {
		t.Fatal(err)
	}
	signatures, err := debugger.NewSignatures([]string{secret}, publicURL)
	if err != nil {
		t.Fatal(err)
	}
	on, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("LISTENING %s\n", on.Addr())
	l := &debugger.Listener{
		Path: "/debugger", Signatures: signatures, Keeper: func(event.Event) debugger.Keeper { return memory }, Now: time.Now,
		Note: func(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) },
	}
	t.Fatal(l.Serve(t.Context(), on))
}

func openStore(ctx context.Context, dir, shared string) (*store.Store, error) {
	if shared == "" {
		return store.Open(ctx, dir, "prod")
	}
	service := verify.ServiceSID(filepath.Base(dir)) // machines are folders of one
	return store.OpenShared(ctx, dir, verify.Environment{Name: "prod", AccountSID: testAccount, ServiceSID: service},
		store.Shared{URL: shared, Key: "0123456789abcdef0123456789abcdef"})
}

// process is a listener in a process of its own.
type process struct {
	cmd *exec.Cmd
	url string
}

func start(t testing.TB, dir, shared string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestListenerProcess$")
	cmd.Env = append(os.Environ(), stateIn+"="+dir, sharedIn+"="+shared)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if address, ok := strings.CutPrefix(lines.Text(), "LISTENING "); ok {
			return &process{cmd, "http://" + address + "/debugger"}
		}
	}
	t.Fatal("the listener did not start")
	return nil
}

func delivery(n int) string {
	payload := fmt.Sprintf(`{"resource_sid":"NT%032x","service_sid":null,"error_code":"52103","more_info":{"bindingType":"fcm","correlationIds":"[VA%032x, user-%06d, YF%032x]"}}`, n, 1, n, n)
	return url.Values{"Sid": {fmt.Sprintf("NO%032x", n)}, "AccountSid": {string(testAccount)}, "Level": {"ERROR"},
		"Timestamp": {"2026-11-20T11:59:00Z"}, "Payload": {payload}}.Encode()
}

func post(client *http.Client, to, body string) bool {
	form, _ := url.ParseQuery(body)
	text := publicURL
	for _, name := range []string{"AccountSid", "Level", "Payload", "Sid", "Timestamp"} {
		text += name + form.Get(name)
	}
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(text))
	req, err := http.NewRequest(http.MethodPost, to, strings.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("X-Twilio-Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// TestKilledListenerLosesNothing: 10,000 deliveries, many of them twice, in no order, and the listener is killed in the
// middle. What was accepted before is there, what was not is delivered again, and each event is stored once.
func TestKilledListenerLosesNothing(t *testing.T) {
	deliveries, events := 10_000, 6_000
	if testing.Short() {
		deliveries, events = 1_000, 600
	}
	dir := t.TempDir()
	random := rand.New(rand.NewPCG(1, 2))
	queue := make([]int, deliveries)
	for i := range queue {
		queue[i] = i % events
	}
	random.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })

	first := start(t, dir, "")
	accepted := deliver(first, queue, func(done int64) {
		if done == int64(deliveries/3) {
			first.cmd.Process.Kill()
		}
	})
	first.cmd.Wait()
	if n := len(accepted); n < deliveries/4 || n >= deliveries {
		t.Fatalf("%d deliveries were accepted before the listener was killed in the middle", n)
	}
	before := storedEvents(t, dir)
	for n := range accepted {
		if before[accepted[n]] != 1 {
			t.Fatalf("event %d was accepted and is stored %d times after the kill", accepted[n], before[accepted[n]])
		}
	}

	second := start(t, dir, "")
	if accepted := deliver(second, queue, nil); len(accepted) != deliveries {
		t.Fatalf("%d of %d deliveries were accepted", len(accepted), deliveries)
	}
	after := storedEvents(t, dir)
	if len(after) != events {
		t.Errorf("%d events are stored, want %d", len(after), events)
	}
	for n, times := range after {
		if times != 1 {
			t.Errorf("event %d is stored %d times", n, times)
		}
	}
}

// deliver posts from several connections at once, each until a delivery fails, and gives the events of those that were accepted.
func deliver(to *process, queue []int, each func(done int64)) (accepted []int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}, Timeout: 20 * time.Second}
	defer client.CloseIdleConnections()
	var next, done atomic.Int64
	var mu sync.Mutex
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(queue)) {
					return
				}
				if !post(client, to.url, delivery(queue[i])) {
					return // it was killed
				}
				mu.Lock()
				accepted = append(accepted, queue[i])
				mu.Unlock()
				if n := done.Add(1); each != nil {
					each(n)
				}
			}
		})
	}
	group.Wait()
	return accepted
}

func storedEvents(t *testing.T, dir string) map[int]int {
	t.Helper()
	memory, err := store.Open(context.Background(), dir, "prod")
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	times := map[int]int{}
	for stored, err := range memory.Events(context.Background(), event.StoredFilter{}) {
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range event.Parse(stored.Body) {
			var n int
			if _, err := fmt.Sscanf(e.EventSID, "NO%x", &n); err != nil {
				t.Fatal(err)
			}
			times[n]++
		}
	}
	return times
}
