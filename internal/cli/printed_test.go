package cli

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/spf13/cobra"

	"github.com/verifyctl/verifyctl/internal/event"
	"github.com/verifyctl/verifyctl/internal/simulator"
)

// TestPrintedCommandsRunAsPrinted runs every command that help, pages and the program's own output print, on the demo world,
// and every command that those print, until nothing new is printed. None is wrong usage, no failure leads back to itself, and
// what is an example for the demo does not fail. Pages find the files that they name; an example has to make its files, or to say
// that they are the user's own.
func TestPrintedCommandsRunAsPrinted(t *testing.T) {
	if testing.Short() {
		t.Skip("run without -short")
	}
	pages := pagesOfDocs(t)
	p := newPaper(t)
	walk(Root(), func(cmd *cobra.Command) {
		p.page(p.bare, "an example of "+cmd.CommandPath(), strings.Split(cmd.Example, "\n"))
		p.prose("the help of "+cmd.CommandPath(), cmd.Long)
	})
	for _, file := range slices.Sorted(maps.Keys(pages)) {
		code, prose := splitPage(pages[file])
		p.page(p.fresh, file, code)
		p.prose(file, prose)
	}
	for _, line := range p.screens() {
		m := p.fresh.copy(t)
		p.look(m, line)
		m.drop(t)
	}
	poor := p.fresh.copy(t)
	for _, line := range mistakes() {
		p.look(poor, line)
	}
	p.report()
	if p.ran < 350 {
		t.Errorf("only %d printed commands ran", p.ran)
	}
}

// paper is what is printed, and a machine on which it is run.
type paper struct {
	*testing.T
	fresh   machine // with the files that pages name
	bare    machine // without any
	seen    map[string]bool
	ran     int
	origins map[string]int // kinds of places that printed a command that ran
	spared  map[string][]string
	stdin   string // of the next run
}

func newPaper(t *testing.T) *paper {
	m := newMachine(t)
	t.Setenv("CLINIC_SECRET", clinicPass)
	t.Setenv("VERIFYCTL_KEYCHAIN", "off")
	config, err := os.ReadFile(filepath.Join(m.dir, "config.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	live, _, _ := strings.Cut(strings.ReplaceAll(string(config), simulator.DemoServiceSID, simulator.DemoStagingServiceSID), "  staging:")
	_, live, _ = strings.Cut(strings.Replace(live, "code_length: 7", "code_length: 6", 1), "  live:") // as it is
	text := "environments:\n"
	for _, name := range []string{"live", "prod", "production", "staging", "old-staging"} {
		text += "  " + name + ":" + live + "    identity: {from: sha256}\n"
		live = strings.Replace(strings.ReplaceAll(live, simulator.DemoStagingServiceSID, simulator.DemoDevServiceSID), "kind: production", "kind: staging", 1)
	}
	if err := os.Mkdir(filepath.Join(m.dir, "verifyctl"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.write(t, "verifyctl/config.yaml", text)
	for _, name := range []string{"lint", "app"} {
		archive, err := txtar.ParseFile("../../cmd/verifyctl/testdata/script/doctor/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range archive.Files {
			m.write(t, "work/"+file.Name, string(file.Data))
		}
	}
	m.write(t, "work/Bank.ipa", zipOf(t, "Payload/Bank.app/embedded.mobileprovision", read(t, m, "store.mobileprovision")))
	for _, name := range []string{"event.json", "event.txt", "export.ndjson"} {
		m.write(t, "work/"+name, pageEvent)
	}
	m.write(t, "work/verifyctl.yaml", "environments:\n  live:\n    account_sid: "+simulator.DefaultAccountSID+"\n    service_sid: "+simulator.DemoServiceSID+"\n")
	p := &paper{T: t, fresh: m, seen: map[string]bool{}, origins: map[string]int{}, spared: map[string][]string{}}
	p.run(m, []string{"verifyctl", "-e", "demo", "factors", "deleted"}) // makes the demo world and its memory, for all copies
	p.bare = m.copy(t)
	work := filepath.Join(p.bare.dir, "work")
	if err := cmp.Or(os.RemoveAll(work), os.Mkdir(work, 0o700)); err != nil {
		t.Fatal(err)
	}
	return p
}

// pageEvent is an event as pages have it in a file.
const pageEvent = `{"service_sid":"` + simulator.DemoServiceSID + `","error_code":"52103","more_info":{"bindingType":"fcm","correlationIds":"[` +
	simulator.DemoServiceSID + `, user-1001-amara, ` + simulator.DemoDeadFactorSID + `]"}}`

// read gives a file of the work folder.
func read(t *testing.T, m machine, name string) string {
	content, err := os.ReadFile(filepath.Join(m.dir, "work", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// zipOf gives an archive with a file in it.
func zipOf(t *testing.T, name, content string) string {
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	part, err := w.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	part.Write([]byte(content))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return archive.String()
}

// page runs the lines of a page in their order, on one machine.
func (p *paper) page(on machine, from string, lines []string) {
	m, comments := on.copy(p.T), ""
	defer m.drop(p.T)
	for i, line := range lines {
		p.stdin = pageEvent
		if strings.HasPrefix(strings.TrimSpace(line), "# ") {
			comments += line
		}
		if i > 0 {
			if echo := echoed.FindStringSubmatch(lines[i-1]); echo != nil {
				p.stdin = echo[1]
			}
		}
		for _, command := range commandsIn(line) {
			if on == p.bare {
				p.bring(m, from, command, comments)
			}
			p.stdin = p.try(m, from, command, nil, true)
		}
	}
}

// supply puts the files that placeholders stand for on a machine that has them not.
func (p *paper) supply(m machine) {
	files, err := os.ReadDir(filepath.Join(p.fresh.dir, "work"))
	if err != nil {
		p.Fatal(err)
	}
	for _, file := range files {
		to := filepath.Join("work", file.Name())
		if _, err := os.Stat(filepath.Join(m.dir, to)); err != nil {
			m.write(p.T, to, read(p.T, p.fresh, file.Name()))
		}
	}
}

// echoed is a line that gives the command of the next one its standard input.
var echoed = regexp.MustCompile(`^ *echo '([^']*)' \|$`)

// bring puts the user's own files that a command names where it looks for them, when comments say that they are. Without one the
// command says what it lacks.
func (p *paper) bring(m machine, from, command, comments string) {
	words, _ := shellWords(command)
	for _, word := range words {
		file := filepath.Join("work", word)
		if _, err := os.Stat(filepath.Join(m.dir, file)); err == nil || !ownFile.MatchString(word) {
			continue
		}
		status, _, stderr := p.run(m, words)
		if status != 64 || !strings.Contains(stderr, word+": no such file") || !strings.Contains(stderr, "hint: ") || !strings.Contains(comments, word+" ") {
			p.Errorf("%s prints %q, and %s is neither made nor said to be the user's own, or the error is no help: status %d, %s", from, command, word, status, stderr)
		}
		m.write(p.T, file, read(p.T, p.fresh, word))
	}
}

// ownFile is a file that only its user can have.
var ownFile = regexp.MustCompile(`^(apns\.\w+|service-account\.json|event\.txt|texts\.yaml|verifyctl\.yaml)$`)

// prose runs the commands that a text names, each in a fresh world: on the environment that its reader has chosen, and where
// it is no more than the name of a command, its help.
func (p *paper) prose(from, text string) {
	for _, quoted := range quotedCommand.FindAllStringSubmatch(text, -1) {
		command := onDemo(cmp.Or(quoted[1], quoted[2]))
		words, _ := shellWords(command)
		if _, arguments, err := Root().Find(words[3:]); err == nil && len(arguments) == 0 {
			command += " --help"
		}
		p.once(p.fresh, from, command, nil)
	}
}

// look runs what nobody printed, for what it prints.
func (p *paper) look(m machine, line string) {
	words, _ := shellWords("verifyctl " + line)
	_, stdout, stderr := p.run(m, words)
	p.follow(m, "verifyctl "+line, []string{"verifyctl " + line}, stdout+stderr)
}

var quotedCommand = regexp.MustCompile("`(verifyctl [a-z-][^`\n]*)`|\"(verifyctl [a-z-][^\"\n]*)\"")

func (p *paper) once(m machine, from, command string, chain []string) {
	if !p.seen[anywhere(command)] {
		m = m.copy(p.T)
		defer m.drop(p.T)
		p.supply(m)
		p.try(m, from, command, chain, false)
	}
}

// try runs a command as printed.
func (p *paper) try(m machine, from, command string, chain []string, inOrder bool) (stdout string) {
	p.seen[anywhere(command)] = true
	for prefix, why := range spared {
		if !strings.HasSuffix(command, "--help") && strings.HasPrefix(strings.TrimSpace(environmentFlag.ReplaceAllString(command, "")), prefix) {
			p.spared[why] = append(p.spared[why], command)
			return ""
		}
	}
	words, _ := shellWords(placeholders.Replace(command))
	status, stdout, stderr := p.run(m, words)
	text := stdout + stderr
	p.ran++
	kind, _, _ := strings.Cut(strings.NewReplacer("help of", "help", "example of", "example", " verifyctl ", ":", "docs/", "docs:", "README", "docs:").Replace(from), ":")
	p.origins[kind]++
	if status == 64 || status != 0 && inOrder && !mayEnd(command, status) {
		p.Errorf("%s prints %q, which ends with status %d:\n%s", from, command, status, text)
	}
	if !slices.Contains([]int{0, 8, 130}, status) {
		chain = append(slices.Clone(chain), command)
	} else {
		chain = nil
	}
	p.follow(m, command, chain, text)
	return stdout
}

// follow runs what was printed, in copies of the world that the command left.
func (p *paper) follow(m machine, from string, chain []string, text string) {
	if otherText.MatchString(from) {
		return
	}
	for _, command := range commandsIn(text) {
		if !strings.Contains(from, " -e ") {
			command = onDemo(command)
		}
		if slices.ContainsFunc(chain, func(before string) bool { return asked(command) == asked(before) }) {
			p.Errorf("%s leads back to itself by %q:\n%s", strings.Join(chain, " → "), command, text)
		}
		p.once(m, "printed by: "+from, command, chain)
	}
}

// asked is the question of a command, whatever the form and the length of its answer.
func asked(command string) string {
	return strings.NewReplacer(" --all", "", " --sample 50", "", " --latency", "", " -o json", "").Replace(command)
}

// mayEnd tells whether a command of a page may end so: what it examines in the demo world is broken, takes longer, or is a
// team's store, which is not there.
func mayEnd(command string, status int) bool {
	return status == 6 && (strings.Contains(command, " state roles") || strings.Contains(command, " state copy")) || status == 1 && strings.Contains(command, " doctor") || status == 3 && strings.Contains(command, " credentials rotate ") || status == 8 && strings.Contains(command, " challenge watch ")
}

// otherText are commands whose output is a script, or a help that is looked at by itself.
var otherText = regexp.MustCompile(`completion|version$|--help$`)

// onDemo puts the environment that somebody has chosen before into a command that names none.
func onDemo(command string) string {
	if strings.HasPrefix(command, "verifyctl -e ") {
		return command
	}
	return strings.Replace(command, "verifyctl", "verifyctl -e demo", 1)
}

func (p *paper) run(m machine, words []string) (status int, stdout, stderr string) {
	p.Setenv("XDG_CONFIG_HOME", m.dir)
	p.Chdir(filepath.Join(m.dir, "work"))
	var out, err bytes.Buffer
	s := &shell{terminal: terminal{in: strings.NewReader(p.stdin), out: &out, err: &err, getenv: func(name string) string {
		return map[string]string{"VERIFYCTL_STATE_DIR": filepath.Join(m.dir, "state"), "P12_PASSPHRASE": "opens nothing"}[name]
	}}, sleep: withoutWaiting}
	ctx, cancel := context.WithTimeout(p.Context(), 10*time.Second)
	defer cancel()
	status = run(ctx, s, endingSoon(words[1:]))
	return status, out.String(), err.String()
}

// endingSoon gives a command that waits for something the flag that lets it end.
func endingSoon(words []string) []string {
	command := strings.Join(words, " ")
	switch {
	case slices.Contains(words, "--help") || slices.Contains(words, "--looks"):
		return words
	case strings.Contains(command, "doctor watch"):
		return append(words, "--looks", "1")
	case strings.Contains(command, "challenge watch "):
		return append(words, "--wait", "1ms")
	case strings.Contains(command, "credentials rotate "):
		return append(words, "--watch", "1ms")
	}
	return words
}

func (p *paper) report() {
	for _, kind := range slices.Sorted(maps.Keys(p.origins)) {
		p.Logf("%4d %s", p.origins[kind], kind)
	}
	p.Logf("%4d printed commands ran", p.ran)
	for why, commands := range p.spared {
		p.Logf("%4d not run, %s: %q", len(commands), why, commands)
	}
}

// spared are commands that are not run here, with the reason.
var spared = map[string]string{
	"simulator serve": "it serves until it is stopped",
	"debugger listen": "it serves until it is stopped",
	"demo --step":     "it waits for a person at a terminal",
	"env add":         "it asks at a terminal, and tries its keys at Twilio",
}

var environmentFlag = regexp.MustCompile(`^verifyctl( -e \S+)?`)

// placeholders gives what the demo world, and the folder of work, have for them.
var placeholders = strings.NewReplacer("create IDENTITY", "create user-1013-mateo", "IDENTITY", simulator.DemoIdentity, "--action-id ID", "--action-id payment-1",
	"--message TEXT", "--message Pay?", "lint FILE", "lint texts.yaml", "--file FILE", "--file service-account.json", "--out FILE", "--out some.ndjson", "CERT.pem", "apns.pem", "KEY.pem", "apns.key",
	"--passphrase-env NAME", "--passphrase-env P12_PASSPHRASE", "env use NAME", "env use live", "env export NAME", "env export live", "--record ENV", "--record staging", "EXPRESSION", "platform=apn",
	"AC…", simulator.DefaultAccountSID, "VA…", simulator.DemoServiceSID, "SK…", mainKey, "CR…", "CR843c081ac3b5c0fceffec673a81d207a", "YC…", simulator.DemoPendingChallengeSID, "YF…", simulator.DemoTabletFactorSID)

// anywhere leaves out which environment of the demo a command is for.
func anywhere(command string) string {
	return strings.NewReplacer("-e demo-dev ", "-e demo ", "-e demo-staging ", "-e demo ").Replace(command)
}

var beginOfCommand = regexp.MustCompile("(?:^|[\\s\"`'($])(verifyctl [a-z-])")

// commandsIn gives the commands that a text prints.
func commandsIn(text string) []string {
	var commands []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "usage: ") || strings.HasPrefix(line, "verifyctl: error: ") || strings.Contains(line, "[flags]") || strings.Contains(line, "[command]") {
			continue // it tells forms of commands
		}
		for _, at := range beginOfCommand.FindAllStringSubmatchIndex(line, -1) {
			_, command := shellWords(strings.TrimRight(line[at[2]:], "\n"))
			commands = append(commands, command)
		}
	}
	return commands
}

// shellWords splits a command as a shell does, up to its end or to where prose begins again.
func shellWords(line string) (words []string, raw string) {
	word, quote, inWord, quoted := "", rune(0), false, false
	end := func(i int) ([]string, string) {
		raw = strings.TrimSpace(line[:i])
		if inWord && !quoted && strings.ContainsAny(word[len(word)-1:], ",.?") {
			word, raw = word[:len(word)-1], raw[:len(raw)-1]
		}
		if inWord {
			words = append(words, word)
		}
		return words, raw
	}
	for i, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word += string(r)
		case r == '\'':
			quote, inWord, quoted = r, true, true
		case strings.ContainsRune("\"`;|)", r):
			return end(i)
		case r == '#' && !inWord:
			return end(i)
		case r == ' ' || r == '\t':
			if !inWord {
				if i > 0 && strings.HasSuffix(line[:i], " ") { // columns
					return end(i)
				}
				continue
			}
			if slices.Contains(proseWords, word) {
				return words, strings.TrimSpace(line[:i-len(word)])
			}
			if !quoted && strings.ContainsAny(word[len(word)-1:], ",.?") {
				return end(i)
			}
			words, word, inWord, quoted = append(words, word), "", false, false
		default:
			word, inWord = word+string(r), true
		}
	}
	return end(len(line))
}

// proseWords follow a command in a sentence.
var proseWords = []string{"says", "shows", "reads", "for", "works", "takes", "needs", "does", "has", "and", "or", ">", "<"}

// splitPage parts a page of Markdown into the code of shells and the rest.
func splitPage(text string) (code []string, prose string) {
	inBlock, isShell := false, false
	for line := range strings.Lines(text) {
		language, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence:
			inBlock, isShell = !inBlock, strings.HasPrefix(language, "sh")
		case inBlock && isShell:
			code = append(code, line)
		default:
			prose += line
		}
	}
	return code, prose
}

func pagesOfDocs(t *testing.T) map[string]string {
	pages := map[string]string{}
	for _, pattern := range []string{"README.md", "docs/*.md", "docs/guides/*.md", "docs/reference/*.md"} {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pages[strings.TrimPrefix(file, "../../")] = string(text)
		}
	}
	return pages
}

// screens are command lines of which much is printed.
func (p *paper) screens() []string {
	lines := []string{"doctor", "doctor checks", "doctor readiness", "-e demo doctor --sample 50 --all", "-e demo doctor readiness --all",
		"-e demo doctor readiness --sample 50 --latency", "-e demo debugger alerts -o json", "-e demo why YC52bcb3c787af8cbe9af2a9a70f3c0fd6"}
	for _, code := range event.Codes() {
		lines = append(lines, "debugger explain -- "+strconv.Itoa(code.Number))
	}
	for _, identity := range p.list("entities list --columns identity --no-header") {
		lines = append(lines, "-e demo why "+identity, "-e demo factors list "+identity)
		for _, sid := range p.list("challenge list -q " + identity) {
			lines = append(lines, "-e demo why "+sid+" --identity "+identity, "-e demo challenge resend --dry-run "+sid+" --identity "+identity)
		}
	}
	for _, mode := range modes {
		if !strings.Contains(mode, "--wait") {
			lines = append(lines, "-e demo "+mode)
		}
	}
	return lines
}

// list gives the lines of a list in the demo.
func (p *paper) list(line string) []string {
	_, stdout, _ := p.run(p.fresh, strings.Fields("verifyctl -e demo "+line))
	return strings.Fields(stdout)
}

// mistakes are command lines that lack something or name what is not there.
func mistakes() []string {
	lines := []string{"-e nowhere services list", "-e demo factors lst", "factors delete --where", "-e demo factors list --platfrom apn"}
	for _, path := range leaves() {
		if spared[path] == "" {
			lines = append(lines, path, "-e demo "+path, "-e demo "+path+" user-9999-nobody", "-e demo "+path+" YF00000000000000000000000000000000")
		}
	}
	return lines
}
