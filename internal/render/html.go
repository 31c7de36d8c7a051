package render

import (
	_ "embed" // for the document
	"html/template"
	"io"
	"strings"
)

//go:embed document.html
var document string

// WriteHTML writes a body as one file, masked, that asks for nothing else: no script, no font, no address. Its policy forbids
// them.
func (p *Printer) WriteHTML(title string, body template.HTML) error {
	page, err := template.New("document").Parse(document) // when it is asked for, not when every command starts
	if err != nil {
		return err
	}
	var b strings.Builder
	if err := page.Execute(&b, struct {
		Title string
		Body  template.HTML
	}{title, body}); err != nil {
		return err
	}
	_, err = io.WriteString(p.out, p.opts.Names.mask(b.String()))
	return err
}
