package event

import (
	"html"
	"strings"
	"unicode/utf8"
)

// cleaned is a text as it was before chats, mails and terminals had it.
type cleaned struct {
	text    string
	changed bool // characters of the event itself were changed, not only what stands around it
}

// clean removes what a text gains on its way: byte order marks, code fences, quoting with ">", typographic quotes,
// spaces of other kinds, invisible characters, HTML entities.
func clean(text string) cleaned {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = unquoteLines(unfence(text))
	c := cleaned{text: strings.TrimSpace(text)}
	if !utf8.ValidString(c.text) {
		c.change(strings.ToValidUTF8(c.text, "\ufffd"))
	}
	if strings.Contains(c.text, "&quot;") || strings.Contains(c.text, "&#34;") || strings.Contains(c.text, "&amp;") {
		c.change(html.UnescapeString(c.text))
	}
	c.change(strings.Map(plainRune, c.text))
	return c
}

func (c *cleaned) change(text string) {
	c.changed = c.changed || text != c.text
	c.text = text
}

// plainRune gives the plain character for one that a chat made of it, and drops invisible ones.
func plainRune(r rune) rune {
	if r < 0x80 {
		return r
	}
	switch r {
	case '“', '”', '„', '‟', '″', '«', '»', '＂':
		return '"'
	case '‘', '’', '‚', '‛', '′':
		return '\''
	case '\u00a0', '\u1680', '\u2000', '\u2001', '\u2002', '\u2003', '\u2004', '\u2005', '\u2006', '\u2007', '\u2008',
		'\u2009', '\u200a', '\u202f', '\u205f', '\u3000':
		return ' '
	case '\u2028', '\u2029', '\u0085':
		return '\n'
	case '\u00ad', '\u180e', '\u200b', '\u200c', '\u200d', '\u200e', '\u200f', '\u2060', '\ufeff',
		'\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069':
		return -1
	}
	return r
}

// unfence drops the lines of code fences.
func unfence(text string) string {
	if !strings.Contains(text, "```") && !strings.Contains(text, "~~~") {
		return text
	}
	var kept []string
	for line := range strings.SplitSeq(text, "\n") {
		bare := strings.TrimLeft(line, "> \t")
		if strings.HasPrefix(bare, "```") || strings.HasPrefix(bare, "~~~") {
			if one := strings.Trim(bare, "`~"); strings.ContainsAny(one, "{=[") {
				kept = append(kept, one)
			}
			continue
		}
		kept = append(kept, strings.TrimSuffix(line, "```"))
	}
	return strings.Join(kept, "\n")
}

// unquoteLines drops the ">" of quoted mail and chat when the first line has it.
func unquoteLines(text string) string {
	if !strings.HasPrefix(strings.TrimLeft(text, " \t\n"), ">") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		bare := strings.TrimLeft(line, " \t")
		for strings.HasPrefix(bare, ">") {
			bare = strings.TrimPrefix(bare[1:], " ")
			lines[i] = bare
		}
	}
	return strings.Join(lines, "\n")
}
