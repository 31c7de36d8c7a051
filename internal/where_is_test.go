package internal_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"
)

// whereRow is a line of the table "Where is …?": the question, the file, and what to look for in it.
var whereRow = regexp.MustCompile("(?m)^\\| ([^|]+) \\| `([^`]+\\.go)`, `([^`]+)` \\|$")

// TestWhereIs: the page that answers "where is …?" names files that exist, and in each what stands there.
func TestWhereIs(t *testing.T) {
	page, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, answers, found := strings.Cut(string(page), "\n## Where is …?\n")
	if !found {
		t.Fatal("docs/architecture.md does not end with: Where is …?")
	}
	rows := whereRow.FindAllStringSubmatch(answers, -1)
	if lines := strings.Count(answers, "\n| ") - 2; len(rows) != lines || lines < 20 {
		t.Fatalf("%d of %d lines of the table name a file and what is in it; want all, and at least 20", len(rows), lines)
	}
	for _, row := range rows {
		question, path, name := row[1], row[2], row[3]
		file, err := parser.ParseFile(token.NewFileSet(), "../internal/"+path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", question, err)
			continue
		}
		if !declares(file, name) {
			t.Errorf("%s: %s does not declare %s", question, path, name)
		}
	}
}

// declares tells whether a file declares a name: a function, type, constant or variable, or as Type.Method a method.
func declares(file *ast.File, name string) bool {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if funcName(decl) == name {
				return true
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.Name == name {
						return true
					}
				case *ast.ValueSpec:
					for _, id := range spec.Names {
						if id.Name == name {
							return true
						}
					}
				}
			}
		}
	}
	return false
}

func funcName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if generic, ok := receiver.(*ast.IndexListExpr); ok {
		receiver = generic.X
	}
	if id, ok := receiver.(*ast.Ident); ok {
		return id.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
