package inspector_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// browserTime bounds a test in the browser, which takes some seconds.
const browserTime = 2 * time.Minute

// browser starts a browser, whose tabs share what tabs share.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("run without -short")
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium in PATH: the page was not tried in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1440, 1000))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, browserTime)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	do(t, ctx)
	return ctx
}

func do(t *testing.T, tab context.Context, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(tab, actions...); err != nil {
		t.Fatal(err)
	}
}

// open opens the page in a new tab, and waits until it is live.
func open(t *testing.T, ctx context.Context, address string) context.Context {
	t.Helper()
	tab, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	do(t, tab, chromedp.Navigate(address))
	sees(t, tab, "document.readyState === 'complete'")
	return tab
}

// sees waits until an expression holds in a tab.
func sees(t *testing.T, tab context.Context, expression string) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; { // chromedp's own Poll evaluates text, which the page's policy forbids
		var holds bool
		do(t, tab, chromedp.Evaluate(expression, &holds))
		if holds {
			return
		}
		if time.Now().After(deadline) {
			var text string
			do(t, tab, chromedp.Evaluate("document.body.innerText", &text))
			t.Fatalf("never true: %s\n%.1500s", expression, text)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func has(selector string) string {
	return fmt.Sprintf("document.querySelector(%q) !== null", selector)
}

func shows(selector, text string) string {
	return fmt.Sprintf("[...document.querySelectorAll(%q)].some(e => e.textContent.includes(%q))", selector, text)
}

func click(selector string) chromedp.Action {
	return chromedp.Evaluate(fmt.Sprintf("document.querySelector(%q).click()", selector), nil)
}

// enroll fills the form of the page.
func enroll(t *testing.T, tab context.Context, identity, name string) {
	t.Helper()
	do(t, tab, chromedp.SetValue("#name", name, chromedp.ByQuery), chromedp.SetValue("#services", simulator.DemoServiceSID, chromedp.ByQuery),
		chromedp.SendKeys("#identity", identity+"\r", chromedp.ByQuery))
	sees(t, tab, shows(".who", identity))
}

// TestInBrowser tries the page in one browser.
func TestInBrowser(t *testing.T) {
	ctx := browser(t)
	t.Run("enrol and answer", func(t *testing.T) { testPerson(t, ctx) })
	t.Run("ten thousand requests", func(t *testing.T) { testStorm(t, ctx) })
	t.Run("another origin", func(t *testing.T) { testOtherOrigin(t, ctx) })
}

// testPerson is a person who enrols a phone in the page, sends challenges over HTTP, and answers them.
func testPerson(t *testing.T, ctx context.Context) {
	t.Helper()
	w := newWorld(t)
	tab := open(t, ctx, w.address)
	second := open(t, ctx, w.address)
	const identity = "user-2001-new"
	enroll(t, tab, identity, "Pixel <b>10</b>")
	sees(t, second, shows("h3", "Pixel <b>10</b>"))
	factor := w.factorOf(identity)

	approved := w.challenge(identity, factor, "<img src=x onerror=alert(1)> Log in?")
	sees(t, tab, has("#push-"+approved))
	sees(t, second, has("#approve-"+approved))
	do(t, tab, click("#approve-"+approved))
	sees(t, second, has("#row-"+approved+".approved")+" && !("+has("#push-"+approved)+")")
	w.isStatus(identity, approved, "approved")

	denied := w.challenge(identity, factor, "Pay?")
	sees(t, second, has("#deny-"+denied))
	do(t, second, chromedp.Focus("#deny-"+denied, chromedp.ByQuery), chromedp.KeyEvent("\r"))
	sees(t, tab, has("#row-"+denied+".denied"))
	w.isStatus(identity, denied, "denied")

	expired := w.challenge(identity, factor, "Still there?")
	sees(t, tab, has("#ignore-"+expired))
	do(t, tab, click("#ignore-"+expired))
	sees(t, second, has("#push-"+expired+".inapp"))
	do(t, tab, click("#six"))
	sees(t, second, has("#row-"+expired+".expired"))
	w.isStatus(identity, expired, "expired")

	do(t, tab, click("#fault-429"))
	sees(t, second, has("#fault-429[aria-checked=true]"))
	if status, _ := w.send(http.MethodGet, "/v2/Services", nil); status != http.StatusTooManyRequests {
		t.Fatalf("with the fault on, a request got %d", status)
	}
	sees(t, tab, shows("#requests li:first-child", "429"))
	do(t, tab, click("#requests li:first-child a"))
	sees(t, tab, shows("dialog[open] pre", "curl -u")+" && "+shows("dialog[open] pre", "services list"))
	do(t, second, click("#fault-429"))
	sees(t, tab, has("#fault-429[aria-checked=false]"))

	var images int
	do(t, tab, chromedp.Evaluate("document.images.length + document.querySelectorAll('h3 b').length", &images))
	if images != 0 {
		t.Error("the markup of a message or a name became part of the page")
	}
	if w.streams() != 1 {
		t.Errorf("two tabs hold %d streams, want one", w.streams())
	}
}

// testStorm: the page shows the last requests of a storm, and still answers.
func testStorm(t *testing.T, ctx context.Context) {
	t.Helper()
	w := newWorld(t)
	tab := open(t, ctx, w.address)
	for range 10_000 {
		w.serve(http.MethodGet, "/v2/Services/"+simulator.DemoServiceSID, nil)
	}
	sees(t, tab, has("#request-10000"))
	sees(t, tab, "document.querySelectorAll('#requests li').length <= 200")
	do(t, tab, click("#frozen"))
	sees(t, tab, has("#frozen[aria-checked=true]"))
}

// testOtherOrigin: a page of another origin on this machine can neither read the page nor change anything.
func testOtherOrigin(t *testing.T, ctx context.Context) {
	t.Helper()
	w := newWorld(t)
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write([]byte("<p>another site</p>"))
	}))
	t.Cleanup(other.Close)
	tab, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// Another name of this machine makes it another site as well as another origin.
	address := strings.Replace(other.URL, "127.0.0.1", "localhost", 1)
	do(t, tab, chromedp.Navigate(address), chromedp.Evaluate(fmt.Sprintf(`window.got = []; const tried = [
		fetch(%[1]q + '/', {headers: {Accept: 'text/html'}}).then(r => r.text()),
		fetch(%[1]q + '/__page/stream').then(r => r.text()),
		fetch(%[1]q + '/__page/clock', {method: 'POST', body: new URLSearchParams({to: 'frozen'})}).then(r => r.text()),
		fetch(%[1]q + '/__page/reset', {method: 'POST', mode: 'no-cors'}).then(r => r.text()),
	]; Promise.allSettled(tried).then(all => { window.got = all.map(one => one.value || ''); window.done = true; }); 0`, w.address), nil))
	sees(t, tab, "window.done === true")
	var got []string
	do(t, tab, chromedp.Evaluate("window.got", &got))
	if strings.Join(got, "") != "" {
		t.Errorf("another origin read %q", got)
	}
	if clock := w.glance().Clock; clock.Frozen {
		t.Error("another origin froze the clock")
	}
}
