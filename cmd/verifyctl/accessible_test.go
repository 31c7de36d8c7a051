//go:build unix

package main

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/verifyctl/verifyctl/internal/simulator"
)

// axeFaults has axe-core list what it finds in the page that is open.
const axeFaults = `axe.run().then(found => found.violations.map(v => v.id + ": " + v.nodes.map(n => n.html).join(" ")))`

// TestPagesAreAccessible has axe-core look at all that is made for a browser: the simulator's page, a request of it, and the
// reports, on a phone in light colours and on a desk in dark ones.
func TestPagesAreAccessible(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("run without -short: it starts a browser")
	}
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium here: accessibility was not checked")
	}
	axe := axeCore(t)
	h := newHome(t)
	server := h.serve(t, "--state", ":memory:")
	if _, err := http.PostForm(server.BaseURL+"/v2/Services/"+simulator.DemoServiceSID+"/Entities", nil); err != nil { // refused, which the page explains
		t.Fatal(err)
	}
	pages := []string{server.BaseURL, server.BaseURL + "/__page/requests/1", server.BaseURL + "/__page/requests/99999"}
	for name, report := range map[string]struct {
		status int
		args   []string
	}{
		"doctor.html": {1, []string{"-e", "demo", "doctor", "-o", "html"}},
		"why.html":    {0, []string{"-e", "demo", "why", simulator.DemoIdentity, "-o", "html"}},
	} {
		file := h.path(name)
		if err := os.WriteFile(file, []byte(h.run(t, report.status, nil, report.args...)), 0o600); err != nil {
			t.Fatal(err)
		}
		pages = append(pages, "file://"+file)
	}
	tab := newTab(t, browser)
	for _, page := range pages {
		for scheme, width := range map[string]int64{"light": 390, "dark": 1440} {
			var faults []string
			// Without motion, because a push that fades in has no contrast yet.
			media := emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme},
				{Name: "prefers-reduced-motion", Value: "reduce"}})
			err := chromedp.Run(tab, chromedp.EmulateViewport(width, 900), media, chromedp.Navigate(page), chromedp.Evaluate(axe, nil),
				chromedp.Evaluate(axeFaults, &faults, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
			if err != nil {
				t.Fatal(err)
			}
			for _, fault := range faults {
				t.Errorf("%s, %s, %d wide: %.500s", page, scheme, width, fault)
			}
		}
	}
}

// newTab starts a browser.
func newTab(t *testing.T, browser string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.NoSandbox)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

// axeCore gives the source of axe-core, from a folder of npm packages that VERIFYCTL_NODE_MODULES names.
func axeCore(t *testing.T) string {
	t.Helper()
	for _, folder := range filepath.SplitList(os.Getenv("VERIFYCTL_NODE_MODULES")) {
		if source, err := os.ReadFile(filepath.Join(folder, "axe-core", "axe.min.js")); err == nil {
			return string(source) + ";0"
		}
	}
	t.Skip("accessibility was not checked: npm install axe-core, and name its node_modules folder in VERIFYCTL_NODE_MODULES")
	return ""
}
