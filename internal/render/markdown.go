package render

import (
	"strings"
)

// markdownEscaper writes what means something in Markdown, in GitHub's too, as itself: emphasis, code, tables, links,
// images, HTML, addresses that would become links, and names that would be told of it.
var markdownEscaper = strings.NewReplacer(`\`, `\\`, "|", `\|`, "`", "\\`", "*", `\*`, "_", `\_`, "~", `\~`, "$", `\$`, "#", `\#`,
	"[", `\[`, "]", `\]`, "!", `\!`, "<", "&lt;", ">", "&gt;", "&", "&amp;",
	"://", `\://`, "www.", `www\.`, "mailto:", `mailto\:`, "xmpp:", `xmpp\:`, "@", "@<!-- -->")

// EscapeMarkdown makes text from elsewhere safe for Markdown: it shows as it is written.
func EscapeMarkdown(text string) string {
	text = markdownEscaper.Replace(Sanitize(text))
	if text != "" && strings.Contains("-+=", text[:1]) {
		text = `\` + text // a list, or a line below a heading
	}
	return text
}

// MarkdownCode writes text as code, whatever it holds.
func MarkdownCode(text string) string {
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		text = " " + text + " "
	}
	return fence + strings.ReplaceAll(Sanitize(text), "|", `\|`) + fence
}
