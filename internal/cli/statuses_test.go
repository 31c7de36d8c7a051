package cli

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"
)

// answers are what a Twilio in trouble says to every request.
var answers = map[string]func(w http.ResponseWriter){
	"refuses":    answer(401, `{"code":20003,"message":"Authenticate","status":401}`),
	"has not":    answer(404, `{"code":20404,"message":"The requested resource was not found","status":404}`),
	"refuses it": answer(400, `{"code":20001,"message":"Invalid parameter","status":400}`),
	"limits":     answer(429, `{"code":20429,"message":"Too Many Requests","status":429}`),
	"is broken":  answer(500, `{"code":20500,"message":"An internal server error has occurred","status":500}`),
	"babbles":    answer(200, `<html>`),
}

// isRemote tells whether a trouble is Twilio's, which a command that does not reach it never meets.
func isRemote(trouble string) bool {
	return answers[trouble] != nil || failsWrites(trouble) || trouble == "is away" || trouble == "is interrupted"
}

// failsWrites tells whether a trouble is met by commands that write.
func failsWrites(trouble string) bool {
	return partly[trouble] != nil || refusing[trouble] != ""
}

// lost is a Twilio that takes one write and is gone before it has answered.
const lost = "is lost with a write"

// partly are Twilios of which only something works.
var partly = map[string]func(http.Handler) http.Handler{
	lost: func(sim http.Handler) http.Handler {
		var gone atomic.Bool
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if gone.Load() {
				panic(http.ErrAbortHandler)
			}
			if r.Method == http.MethodGet {
				sim.ServeHTTP(w, r)
				return
			}
			gone.Store(true)
			sim.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		})
	},
	"cannot read one user's factors": func(sim http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "user-1003-chloe/Factors") {
				answers["is broken"](w)
				return
			}
			sim.ServeHTTP(w, r)
		})
	},
}

// refusing are Twilios that take no write, by how they answer one.
var refusing = map[string]string{
	"takes no more writes":  "limits",
	"is broken for writes":  "is broken",
	"does not allow writes": "refuses",
	"refuses writes":        "refuses it",
}

// serve gives the address of a Twilio of the test's own.
func serve(t *testing.T, twilio http.Handler) string {
	server := httptest.NewServer(twilio)
	t.Cleanup(server.Close)
	return server.URL
}

func refuseWrites(sim http.Handler, how func(http.ResponseWriter)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			sim.ServeHTTP(w, r)
			return
		}
		how(w)
	})
}

func answer(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// TestEveryStatusIsTheOneOfTheHelp runs every command against a Twilio that refuses, limits, is broken or cannot be reached,
// and interrupts it: how it ends is always listed in its help. What the help lists is produced here or by a transcript.
func TestEveryStatusIsTheOneOfTheHelp(t *testing.T) {
	if testing.Short() {
		t.Skip("run without -short")
	}
	produced := transcribedStatuses(t)
	var mu sync.Mutex
	for _, path := range leaves() {
		status, _, _ := runArgs(t, append(strings.Fields(path), "--no-such-flag")...)
		produced[path] = append(produced[path], status)
	}
	troubles, parsed := troubledMachines(t), parsedModes(t)
	seeded := filepath.Join(t.TempDir(), "world.sqlite")
	newWorldIn(t, seeded).Close() // opening a copy takes a fifth of making one
	t.Run("modes", func(t *testing.T) {
		for name, template := range troubles {
			for _, mode := range parsed {
				t.Run(name+" "+mode.line, func(t *testing.T) {
					t.Parallel()
					cmd := mode.cmd
					writes := slices.Contains(listedStatuses(cmd), 3)
					if answers[name] != nil && !mode.first || isRemote(name) && !reachesTwilio(cmd) || failsWrites(name) && !writes {
						return
					}
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					if name == "is interrupted" {
						cancel()
					}
					m := template.copy(t)
					if fails := partly[name]; fails != nil || writes && (name == "answers" || name == "no state directory") {
						own := filepath.Join(m.dir, "world.sqlite") // the one that all others read stays as it is
						if err := copyFile(own, seeded); err != nil {
							t.Fatal(err)
						}
						var world http.Handler = openWorldIn(t, own)
						if fails != nil {
							world = fails(world)
						}
						m.reaches(t, serve(t, world))
					}
					status, _, text := m.run(ctx, append([]string{"-e", environmentFor(cmd)}, mode.words("live")...)...)
					if !slices.Contains(listedStatuses(cmd), status) {
						t.Errorf("status %d, and the help lists %v\n%s", status, listedStatuses(cmd), text)
					}
					mu.Lock()
					defer mu.Unlock()
					produced[commandOf(cmd)] = append(produced[commandOf(cmd)], status)
				})
			}
		}
	})
	commands, statuses := 0, 0
	walk(Root(), func(cmd *cobra.Command) {
		if !isLeaf(cmd) {
			return
		}
		commands++
		for _, status := range listedStatuses(cmd) {
			statuses++
			path := commandOf(cmd)
			if slices.Contains(elsewhere[path], status) || status == 130 && !reachesTwilio(cmd) { // it ends before it can be interrupted
				continue
			}
			if !slices.Contains(produced[path], status) {
				t.Errorf("the help of %s lists status %d, which nothing produces", path, status)
			}
		}
	})
	t.Logf("%d commands, %d statuses", commands, statuses)
}

// elsewhere are statuses that neither this test nor a transcript can produce, and other tests do or nothing can here.
var elsewhere = map[string][]int{
	"challenge create": {10, 11},       // by --watch, which is that of challenge watch
	"env promote":      {3},            // TestALostReplyOfAPromotionSaysHowToGoOn: the demo's Services have the same settings
	"debugger listen":  {0, 1, 4, 130}, // TestListenReceivesKeepsAndHandsOn
	"simulator serve":  {0, 130},       // TestServeToAnotherProcess
	"doctor watch":     {1, 3},         // TestHowDoctorWatchEnds
	"doctor readiness": {3},            // the demo world fails, which hides what is unknown
	"env remove":       {1},            // these four fail on a full disk
	"env rename":       {1},
	"env set":          {1},
	"env use":          {1},
}

// reachesTwilio tells whether a command sends account keys, which can be refused.
func reachesTwilio(cmd *cobra.Command) bool {
	return slices.Contains(listedStatuses(cmd), 4)
}

var statusLine = regexp.MustCompile(`(?m)^  (\d+) +\S`)

func listedStatuses(cmd *cobra.Command) []int {
	_, list, _ := strings.Cut(cmd.Long, "Exit status:")
	var statuses []int
	for _, match := range statusLine.FindAllStringSubmatch(list, -1) {
		n, _ := strconv.Atoi(match[1])
		statuses = append(statuses, n)
	}
	return statuses
}

var transcriptLine = regexp.MustCompile(`(?m)^(?:exits (\d+) )?verifyctl (.*)$`)

// transcribedStatuses gives the statuses that transcripts demand, by command.
func transcribedStatuses(t *testing.T) map[string][]int {
	root, produced := Root(), map[string][]int{}
	err := filepath.WalkDir("../../cmd/verifyctl/testdata/script", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range transcriptLine.FindAllStringSubmatch(string(text), -1) {
			cmd, _, findErr := root.Find(strings.Fields(match[2]))
			if findErr != nil {
				continue
			}
			status, _ := strconv.Atoi(match[1])
			produced[commandOf(cmd)] = append(produced[commandOf(cmd)], status)
		}
		return err
	})
	if err != nil || len(produced) == 0 {
		t.Fatal("no transcripts", err)
	}
	return produced
}

// mode is a command line of [modes] with its command.
type mode struct {
	line  string
	cmd   *cobra.Command
	first bool // of its command
}

func parsedModes(t *testing.T) []mode {
	t.Helper()
	root, known := Root(), map[string]bool{}
	var all []mode
	for _, line := range modes {
		cmd, _, err := root.Find(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, mode{line, cmd, !known[commandOf(cmd)]})
		known[commandOf(cmd)] = true
	}
	return all
}

// words gives the words of a mode on the environment that confirms by a name.
func (m mode) words(environment string) []string {
	line := strings.NewReplacer("--confirm demo", "--confirm "+environment, "demo.ndjson", environment+".ndjson").Replace(m.line)
	words, _ := shellWords(line)
	return words
}

// environmentFor gives live, and for the simulator's own commands the demo.
func environmentFor(cmd *cobra.Command) string {
	if strings.HasPrefix(commandOf(cmd), "simulator ") {
		return "demo"
	}
	return "live"
}

// troubledMachines gives machines with the same memory, by what the Twilio does that they reach.
func troubledMachines(t *testing.T) map[string]machine {
	template := rememberingMachine(t, "live")
	machines := map[string]machine{"answers": template, "is interrupted": template}
	for name, answer := range answers {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) }))
		t.Cleanup(server.Close)
		machines[name] = template.copy(t)
		machines[name].reaches(t, server.URL)
	}
	for name := range partly {
		machines[name] = template
	}
	world := newWorld(t)
	for name, how := range refusing {
		machines[name] = template.copy(t)
		machines[name].reaches(t, serve(t, refuseWrites(world, answers[how])))
	}
	stateless := template.copy(t)
	if err := os.RemoveAll(filepath.Join(stateless.dir, "state")); err != nil {
		t.Fatal(err)
	}
	stateless.write(t, "state", "")
	machines["no state directory"] = stateless
	open := template.copy(t)
	if err := os.Chmod(filepath.Join(open.dir, "config.yaml"), 0o666); err != nil {
		t.Fatal(err)
	}
	machines["a configuration that anybody may change"] = open
	unreadable := template.copy(t)
	if err := os.Remove(filepath.Join(unreadable.dir, "config.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(unreadable.dir, "config.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	machines["a configuration that cannot be read"] = unreadable
	gone := httptest.NewServer(nil)
	gone.Close()
	machines["is away"] = template.copy(t)
	machines["is away"].reaches(t, gone.URL)
	return machines
}

// leaves gives the commands that do something themselves.
func leaves() []string {
	var all []string
	walk(Root(), func(cmd *cobra.Command) {
		if isLeaf(cmd) {
			all = append(all, commandOf(cmd))
		}
	})
	return all
}
