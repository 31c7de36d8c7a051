package render

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Page is prose about one thing: a text for people, or Markdown with headings for a ticket.
type Page struct {
	markdown bool
	out      bytes.Buffer
}

// PageForm tells whether the result of a command that writes a page is one: as a table, which on a page is prose, or as
// Markdown, where no columns are chosen. A page keeps its prose in a pipe.
func (p *Printer) PageForm() bool {
	return (p.opts.Format == Table || p.opts.Format == Markdown) && !p.opts.filtered() && !p.opts.Quiet && p.opts.Columns == nil && !p.opts.NoHeader
}

// NewPage begins a page; the title stands only in Markdown, where there is one.
func (p *Printer) NewPage(title string) *Page {
	page := &Page{markdown: p.opts.Format == Markdown}
	if page.markdown && title != "" {
		page.line("# %s", page.clean(title))
	}
	return page
}

func (page *Page) line(format string, args ...any) { fmt.Fprintf(&page.out, format+"\n", args...) }

// clean makes text from elsewhere safe for the page.
func (page *Page) clean(text string) string {
	if page.markdown {
		return EscapeMarkdown(text)
	}
	return Sanitize(text)
}

// Heading begins a part.
func (page *Page) Heading(text string) {
	if page.markdown {
		text = "## " + page.clean(strings.TrimSuffix(text, ":"))
	} else {
		text = Sanitize(text)
	}
	if page.out.Len() > 0 {
		page.line("")
	}
	page.line("%s", text)
}

// Text is a paragraph below a heading, or with an indent of 0 at the beginning of the page.
func (page *Page) Text(indent int, text string) {
	if page.markdown {
		page.line("\n%s", page.clean(text))
		return
	}
	page.line("%s%s", strings.Repeat(" ", indent), page.clean(text))
}

// Item is an element of a list. The first stands behind what is no item.
func (page *Page) Item(indent int, text string) {
	if page.markdown {
		if !bytes.HasPrefix(lastLine(page.out.Bytes()), []byte("- ")) {
			page.line("")
		}
		page.line("- %s", page.clean(text))
		return
	}
	page.line("%s- %s", strings.Repeat(" ", indent), page.clean(text))
}

// Command is a command to paste, with what it is for.
func (page *Page) Command(label, command string) {
	if page.markdown {
		page.line("\n%s: %s", page.clean(label), MarkdownCode(command))
		return
	}
	page.line("  %s: %s", label, Sanitize(command))
}

func lastLine(text []byte) []byte {
	text = bytes.TrimSuffix(text, []byte("\n"))
	return text[bytes.LastIndexByte(text, '\n')+1:]
}

// Page writes a page.
func (p *Printer) Page(page *Page) error {
	if page.markdown {
		_, err := io.WriteString(p.out, p.opts.Names.mask(page.out.String()))
		return err
	}
	return p.WritePage(page.out.String())
}

// WritePage writes text for people: masked, and on a terminal broken at spaces so that no line is wider. A word that is
// wider stays whole, for SIDs are copied, and so does a command; in a pipe no line is broken.
func (p *Printer) WritePage(text string) error {
	text = p.opts.Names.mask(text)
	if p.opts.Terminal && p.opts.Width > 0 {
		var b strings.Builder
		for line := range strings.Lines(text) {
			b.WriteString(wrap(strings.TrimSuffix(line, "\n"), p.opts.Width) + "\n")
		}
		text = b.String()
	}
	_, err := io.WriteString(p.out, text)
	return err
}

var (
	// commandLine is a line with a command to copy.
	commandLine = verify.Lazily(`^ *(?:[$] |verifyctl |[A-Z][a-z]+: verifyctl )`)
	// hanging is what stands before the text of a line: blanks, the mark of a list, columns with two spaces between.
	hanging = verify.Lazily(`^ *(?:- |[^ ]{1,12}: +|(?:[^ ]+ ?[^ ]*  +){0,2})`)
)

// mostHanging is how far the lines after the first are indented at most, so that some width is left for them.
const mostHanging = 24

// wrap breaks a line at spaces.
func wrap(line string, width int) string {
	if ansi.StringWidth(line) <= width || commandLine().MatchString(line) {
		return line
	}
	indent := ansi.StringWidth(hanging().FindString(ansi.Strip(line)))
	if indent > mostHanging {
		indent = len(line) - len(strings.TrimLeft(line, " ")) + 2
	}
	var lines []string
	current, used := "", 0
	for _, word := range strings.SplitAfter(line, " ") {
		if w := ansi.StringWidth(strings.TrimSuffix(word, " ")); w > 0 && used+w > width && used > indent {
			lines = append(lines, strings.TrimRight(current, " "))
			current, used = strings.Repeat(" ", indent), indent
		}
		current += word
		used += ansi.StringWidth(word)
	}
	return strings.Join(append(lines, current), "\n")
}
