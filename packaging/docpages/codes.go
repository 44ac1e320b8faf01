package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// code is what the source says about one error code.
type code struct{ kinds, hints, rooms map[string]bool }

var (
	codeForm = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$`)
	suffix   = regexp.MustCompile(`^\.[a-z][a-z0-9_]*$`)
)

// codesOf reads every Go file below root that is neither a test, nor what tests are made of, nor a build tool.
func codesOf(root string) (map[string]*code, error) {
	out := map[string]*code{}
	packages := map[string][]*ast.File{}
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (strings.HasPrefix(n, ".") || slices.Contains([]string{"testdata", "node_modules", "bin", "dist", "packaging", "docs", "simfleet"}, n)) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") || strings.HasSuffix(p, ".pb.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, 0)
		dir, _ := filepath.Rel(root, filepath.Dir(p))
		packages[filepath.ToSlash(dir)] = append(packages[filepath.ToSlash(dir)], f)
		return err
	})
	for dir, files := range packages {
		if !strings.HasSuffix(dir, "test") && !strings.HasSuffix(dir, "/fake") {
			read(dir, files, out)
		}
	}
	return out, err
}

// helper is a function that hands an argument on as the code of an error.
type helper struct {
	at   int
	kind string
}

// read finds the codes of one package: in calls of E, in Error literals, and in calls of helpers around E.
func read(dir string, files []*ast.File, out map[string]*code) {
	consts, helpers := map[string]string{}, map[string]helper{}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) {
						if s, ok := text(n.Values[i], nil); ok {
							consts[name.Name] = s
						}
					}
				}
			case *ast.FuncDecl:
				find(n.Name.Name, n.Type, n.Body, helpers)
			case *ast.AssignStmt:
				if len(n.Lhs) == 1 && len(n.Rhs) == 1 {
					if fn, ok := n.Rhs[0].(*ast.FuncLit); ok {
						if name, ok := n.Lhs[0].(*ast.Ident); ok {
							find(name.Name, fn.Type, fn.Body, helpers)
						}
					}
				}
			}
			return true
		})
	}
	add := func(x ast.Expr, kind, hint string) {
		s, ok := text(x, consts)
		if !ok || !codeForm.MatchString(strings.TrimPrefix(s, "NOUN")) && !codeForm.MatchString(s) && !strings.HasPrefix(s, "NOUN.") {
			return
		}
		c := out[s]
		if c == nil {
			c = &code{map[string]bool{}, map[string]bool{}, map[string]bool{}}
			out[s] = c
		}
		c.rooms[dir] = true
		if kind != "" {
			c.kinds[kind] = true
		}
		if hint != "" {
			c.hints[hint] = true
		}
	}
	call := func(n *ast.CallExpr, hint string) {
		if len(n.Args) > 2 && called(n) == "E" {
			add(n.Args[2], kindOf(n.Args[1]), hint)
		} else if h, ok := helpers[called(n)]; ok && h.at < len(n.Args) {
			add(n.Args[h.at], h.kind, hint)
		}
	}
	for _, f := range files {
		hinted := map[*ast.CallExpr]string{}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				hint := hinted[n]
				if called(n) == "WithHint" && len(n.Args) > 0 {
					hint, _ = text(n.Args[0], consts)
				}
				if sel, ok := n.Fun.(*ast.SelectorExpr); ok { // E(…).With(…).WithHint(…)
					if inner, ok := sel.X.(*ast.CallExpr); ok && hint != "" {
						hinted[inner] = hint
					}
				}
				call(n, hinted[n])
			case *ast.CompositeLit:
				literal(n, add, consts)
			}
			return true
		})
	}
}

// literal reads Error{…, Code: …, Hint: …} and the refusals of foreign formats.
func literal(n *ast.CompositeLit, add func(ast.Expr, string, string), consts map[string]string) {
	name := ""
	switch t := n.Type.(type) {
	case *ast.SelectorExpr:
		name = t.Sel.Name
	case *ast.Ident:
		name = t.Name
	}
	if name != "Error" && name != "refusal" && name != "Failure" {
		return
	}
	var c ast.Expr
	kind, hint := "", ""
	for _, e := range n.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok {
			switch kv.Key.(*ast.Ident).Name {
			case "Code":
				c = kv.Value
			case "Kind":
				kind = kindOf(kv.Value)
			case "Hint":
				hint, _ = text(kv.Value, consts)
			}
		}
	}
	if c != nil {
		add(c, kind, hint)
	}
}

// find notes a function whose parameter becomes the code of an error.
func find(name string, t *ast.FuncType, body *ast.BlockStmt, helpers map[string]helper) {
	if body == nil {
		return
	}
	var params []string
	for _, p := range t.Params.List {
		for _, n := range p.Names {
			params = append(params, n.Name)
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		if c, ok := n.(*ast.CallExpr); ok && called(c) == "E" && len(c.Args) > 2 {
			if id, ok := c.Args[2].(*ast.Ident); ok {
				if i := slices.Index(params, id.Name); i >= 0 {
					helpers[name] = helper{i, kindOf(c.Args[1])}
				}
			}
		}
		return true
	})
}

func called(n *ast.CallExpr) string {
	switch f := n.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// kindOf is the kind's wire name, as edgeward.Kind.String gives it; "" where it is chosen while running.
func kindOf(x ast.Expr) string {
	name := ""
	switch x := x.(type) {
	case *ast.SelectorExpr:
		name = x.Sel.Name
	case *ast.Ident:
		name = x.Name
	}
	if name == "" || !ast.IsExported(name) {
		return ""
	}
	return map[string]string{"NotFound": "not_found", "TooLarge": "too_large"}[name] + plain[name]
}

var plain = map[string]string{"Internal": "internal", "Invalid": "invalid", "Unauthenticated": "unauthenticated", "Forbidden": "forbidden",
	"Conflict": "conflict", "Exhausted": "exhausted", "Unavailable": "unavailable", "Unknown": "unknown"}

// text is a string known before the program runs. A field joined to a suffix, as in c.Noun+".exists", is NOUN and that.
func text(x ast.Expr, consts map[string]string) (string, bool) {
	switch x := x.(type) {
	case *ast.BasicLit:
		s, err := strconv.Unquote(x.Value)
		return s, err == nil && x.Kind == token.STRING
	case *ast.Ident:
		s, ok := consts[x.Name]
		return s, ok
	case *ast.BinaryExpr:
		a, ok := text(x.X, consts)
		b, ok2 := text(x.Y, consts)
		if !ok && ok2 && suffix.MatchString(b) {
			return "NOUN" + b, true
		}
		return a + b, ok && ok2
	}
	return "", false
}

func errorsPage(codes map[string]*code) string {
	var b strings.Builder
	b.WriteString(`# Errors

<!-- Written by packaging/docpages from the source; do not edit. -->

Every error a user may see has a kind, a code that never changes its meaning, mostly a hint, and in the API a request
id that is also in the server's log. The kind decides the HTTP status and the exit code of a command:

| Kind | HTTP | Exit code | What to do |
| --- | --- | --- | --- |
| invalid | 422; 400 where the request cannot be read | 2 | change the request; it stays wrong |
| unauthenticated | 401 | 4 | sign in, or send a token |
| forbidden | 403 | 7 | ask for the role, or see the policy that refused |
| not_found | 404 | 5 | there is no such thing, or none you may see |
| conflict | 409 | 6 | look at the present state, then decide anew |
| too_large | 413 | 1 | stay below the stated bound |
| exhausted | 429 | 1 | wait, or free a quota or disk space |
| unavailable | 503 | 9 | a part is down; try again |
| unknown | 503 | 1 | it may have happened or not: look before you repeat it |
| internal | 500 | 1 | a defect; give its request id to whoever looks after the server |

NOUN stands for what was asked for: dataset, model, endpoint, job, candidate, user, group, token and so on. ` + "`%s`, `%d`" + `
and the like in a hint are filled in.

| Code | Kind | Hint | Comes from |
| --- | --- | --- | --- |
`)
	for _, name := range slices.Sorted(maps.Keys(codes)) {
		c := codes[name]
		join := func(m map[string]bool, sep string) string { return strings.Join(slices.Sorted(maps.Keys(m)), sep) }
		hints := strings.NewReplacer("|", `\|`, "\n", " ", "<", "&lt;").Replace(join(c.hints, "; or: "))
		b.WriteString("| `" + name + "` | " + join(c.kinds, ", ") + " | " + hints + " | " + join(c.rooms, ", ") + " |\n")
	}
	return b.String()
}
