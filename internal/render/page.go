package render

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/verifyctl/verifyctl/internal/verify"
)

// Page is prose about one thing: a text for people, or Markdown or HTML with headings for a ticket.
type Page struct {
	title  string
	format Format
	listed bool // the last line is an item of a list
	out    bytes.Buffer
}

// PageForm tells whether the result of a command that writes a page is one: as a table, which on a page is prose, or as
// Markdown or HTML, where no columns are chosen. A page keeps its prose in a pipe.
func (p *Printer) PageForm() bool {
	return (p.opts.Format == Table || p.opts.Format == Markdown || p.opts.Format == HTML) && !p.opts.filtered() && !p.opts.Quiet && p.opts.Columns == nil && !p.opts.NoHeader
}

// NewPage begins a page; the title stands only in Markdown and HTML, where there is one.
func (p *Printer) NewPage(title string) *Page {
	page := &Page{title: title, format: p.opts.Format}
	switch {
	case page.format == Markdown && title != "":
		page.line("# %s", page.clean(title))
	case page.format == HTML:
		page.line("<h1>%s</h1>", page.clean(title))
	}
	return page
}

func (page *Page) line(format string, args ...any) { fmt.Fprintf(&page.out, format+"\n", args...) }

// list opens or closes a list where the next line begins or ends one.
func (page *Page) list(item bool) {
	if page.listed == item {
		return
	}
	page.listed = item
	switch {
	case page.format == Markdown && item:
		page.line("")
	case page.format == HTML && item:
		page.line("<ul>")
	case page.format == HTML:
		page.line("</ul>")
	}
}

// clean makes text from elsewhere safe for the page.
func (page *Page) clean(text string) string {
	switch page.format {
	case Markdown:
		return EscapeMarkdown(text)
	case HTML:
		return template.HTMLEscapeString(Sanitize(text))
	}
	return Sanitize(text)
}

// Heading begins a part.
func (page *Page) Heading(text string) {
	page.list(false)
	if page.format == HTML {
		page.line("<h2>%s</h2>", page.clean(strings.TrimSuffix(text, ":")))
		return
	}
	if page.format == Markdown {
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
	page.list(false)
	switch page.format {
	case Markdown:
		page.line("\n%s", page.clean(text))
	case HTML:
		page.line("<p>%s</p>", page.clean(text))
	default:
		page.line("%s%s", strings.Repeat(" ", indent), page.clean(text))
	}
}

// Item is an element of a list. The first stands behind what is no item.
func (page *Page) Item(indent int, text string) {
	page.list(true)
	switch page.format {
	case Markdown:
		page.line("- %s", page.clean(text))
	case HTML:
		page.line("<li>%s</li>", page.clean(text))
	default:
		page.line("%s- %s", strings.Repeat(" ", indent), page.clean(text))
	}
}

// Command is a command to paste, with what it is for.
func (page *Page) Command(label, command string) {
	page.list(false)
	switch page.format {
	case Markdown:
		page.line("\n%s: %s", page.clean(label), MarkdownCode(command))
	case HTML:
		page.line("<p>%s:</p>\n<pre><code>%s</code></pre>", page.clean(label), page.clean(command))
	default:
		page.line("  %s: %s", label, Sanitize(command))
	}
}

// Page writes a page.
func (p *Printer) Page(page *Page) error {
	page.list(false)
	switch page.format {
	case Markdown:
		_, err := io.WriteString(p.out, p.opts.Names.mask(page.out.String()))
		return err
	case HTML:
		return p.WriteHTML(page.title, template.HTML(page.out.String()))
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
