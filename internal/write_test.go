package internal_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// guarded are the things by which a write reaches Twilio or a file, and who alone may use each: packages, types with all their
// methods, fields or functions. Together they say that a write to Twilio is confirmed, and sent by package ledger, which leaves a
// record of it, or not at all; and that a file is written in one way. The simulator knows nothing of ours.
var guarded = []struct {
	thing string
	may   []string
	why   string
}{
	{"(*cli.connection).confirmedWriter", []string{"(*cli.connection).writer", "(*cli.entitiesEraseOptions).run"}, "whoever calls it has had the write confirmed"},
	{"(*ledger.Ledger).Writer", []string{"(*cli.connection).confirmedWriter"}, "a write is confirmed before it is sent"},
	{"twilio.Writer", []string{"ledger", "twilio.Writer", "(*twilio.Client).Writer"}, everyWriteIsRecorded},
	{"(*twilio.Client).Writer", []string{"ledger"}, everyWriteIsRecorded},
	{"(twilio.Writer).begin", []string{"twilio.Writer"}, "a write is a method of Writer"},
	{"twilio.call.writes", []string{"(twilio.Writer).begin", "(*twilio.call).send"}, "a call without it only reads, so only Writer sets it"},
	{"(*twilio.Client).exchange", []string{"(*twilio.call).send"}, sendRefuses},
	{"(*twilio.Client).try", []string{"(*twilio.Client).exchange"}, sendRefuses},
	{"(*twilio.Client).roundTrip", []string{"(*twilio.Client).try"}, sendRefuses},
	{"twilio.Client.http", []string{"twilio.New", "(*twilio.Client).roundTrip"}, sendRefuses},
	{"os.CreateTemp", []string{"statedir"}, filesAreWhole},
	{"os.OpenFile", []string{"statedir", "simulator"}, filesAreWhole},
	{"os.WriteFile", []string{"gen", "simulator"}, filesAreWhole},
	{"os.Rename", []string{"statedir", "store"}, filesAreWhole},
	{"twilio.Client.transport", []string{"twilio.New", "(*twilio.Client).Close", "(*twilio.Client).Probe"}, sendRefuses},
}

const (
	everyWriteIsRecorded = "a write is sent by package ledger, which leaves a record of it"
	filesAreWhole        = "files are written by statedir.WriteFile, whole or not at all, and what fails says which and what to do"
	sendRefuses          = "every request but a probe goes through send, which refuses a write that Writer did not begin"
)

// TestOnlyTheLedgerWrites reads the types of every package: imports alone do not tell who calls a method.
func TestOnlyTheLedgerWrites(t *testing.T) {
	used := map[string]bool{}
	for _, use := range uses(t) {
		for _, g := range guarded {
			if use.thing != g.thing && use.owner != g.thing {
				continue
			}
			used[g.thing] = true
			if !slices.ContainsFunc(g.may, use.by) {
				t.Errorf("%s: %s uses %s: %s", use.position, use.function, g.thing, g.why)
			}
		}
	}
	for _, g := range guarded {
		if !used[g.thing] {
			t.Errorf("nothing uses %s, so this test guards nothing: was it renamed?", g.thing)
		}
	}
}

// use is one mention of a thing.
type use struct {
	thing, owner            string // what is mentioned, and the type whose method it is
	pkg, receiver, function string // who mentions it
	position                string
}

func (u use) by(who string) bool { return who == u.pkg || who == u.receiver || who == u.function }

// uses gives every mention of something in the code that is shipped, as this system builds it.
func uses(t *testing.T) (all []use) {
	t.Helper()
	fset := token.NewFileSet()
	exports, packages := compiled(t)
	imported := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, p := range packages {
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Defs: map[*ast.Ident]types.Object{}}
		if _, err := (&types.Config{Importer: imported}).Check(p.ImportPath, fset, files, info); err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			for _, decl := range file.Decls {
				around := use{pkg: short(p.ImportPath), function: short(p.ImportPath)}
				if f, ok := decl.(*ast.FuncDecl); ok {
					around.function, around.receiver = names(info.Defs[f.Name])
				}
				ast.Inspect(decl, func(n ast.Node) bool {
					if id, ok := n.(*ast.Ident); ok && info.Uses[id] != nil {
						around.thing, around.owner = names(info.Uses[id])
						around.position = fset.Position(id.Pos()).String()
						all = append(all, around)
					}
					return true
				})
			}
		}
	}
	return all
}

// compiled gives where the compiled form of every package is that ours stand on, and which packages are ours.
func compiled(t *testing.T) (exports map[string]string, ours []goPackage) {
	t.Helper()
	exports = map[string]string{}
	for _, p := range listPackages(t, "-export", "-deps", module+"/...") {
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module+"/") {
			ours = append(ours, p)
		}
	}
	return exports, ours
}

// names gives the name of a thing without the module's path, such as (*twilio.Client).Writer, and that of the type whose
// method it is.
func names(thing types.Object) (name, owner string) {
	switch thing := thing.(type) {
	case *types.Func:
		if receiver := thing.Signature().Recv(); receiver != nil {
			owner = strings.TrimPrefix(types.TypeString(receiver.Type(), nil), "*")
		}
		return short(thing.FullName()), short(owner)
	case *types.Var:
		if thing.IsField() {
			return short(structOf(thing)) + "." + thing.Name(), ""
		}
	}
	if thing.Pkg() == nil {
		return thing.Name(), "" // of the language itself
	}
	return short(thing.Pkg().Path()) + "." + thing.Name(), ""
}

// structOf gives the name of the type that declares a field, "" for a type without a name.
func structOf(field *types.Var) string {
	scope := field.Pkg().Scope()
	for _, name := range scope.Names() {
		if s, ok := scope.Lookup(name).Type().Underlying().(*types.Struct); ok {
			for f := range s.Fields() {
				if f == field {
					return field.Pkg().Path() + "." + name
				}
			}
		}
	}
	return ""
}

func short(name string) string { return strings.ReplaceAll(name, module+"/internal/", "") }
