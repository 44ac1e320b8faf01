package edgeward_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// floors orders the rooms: a package may import packages of its own floor or of a lower one. ui stands beside: only
// node may import it.
var floors = map[string]int{"cmd": 5, "node": 4, "fleet": 3, "runtime": 2, "sync": 1, "": 0, "ui": 0}

// owners names the only room that may import a library, and why.
var owners = map[string][]string{
	"go.etcd.io/bbolt":                    {"node/store"},
	"github.com/labstack/echo/v4":         {"node/api"},
	"google.golang.org/grpc":              {"node/api/oip/oipgrpc"},
	"google.golang.org/genproto":          {"node/api/oip/oipgrpc"},
	"github.com/danielgtaylor/huma/v2":    {"node/api"},
	"github.com/hashicorp/memberlist":     {"fleet/member"},
	"github.com/eclipse/paho.mqtt.golang": {"fleet/mqtt"},
	"github.com/mochi-mqtt/server/v2":     {"fleet/broker"},
	"github.com/shirou/gopsutil/v4":       {"node/host"},
	"github.com/yalue/onnxruntime_go":     {"runtime/engine/onnx"},
	"github.com/ebitengine/purego":        {"runtime/engine/openvino", "runtime/train/lightgbm", "runtime/native"},
	"github.com/duckdb/duckdb-go/v2":      {"runtime/query"},
	"github.com/spf13/cobra":              {"cmd/edgeward"},
	"github.com/knadh/koanf/v2":           {"node/config"},
	"go.opentelemetry.io/otel":            {"node/trace"},
	"golang.org/x/crypto/argon2":          {"node/auth"},
	"github.com/opencontainers":           {"sync/oci"},
	"github.com/theupdateframework":       {"sync/tuf"},
	"github.com/secure-systems-lab":       {"sync/tuf"},
	"filippo.io/age":                      {"sync/tuf", "sync/sealed"},
}

// fences are imports that the floors allow and the design does not.
var fences = []struct{ from, to, why string }{
	{"fleet/hub", "fleet/agent", "the two roles never import each other; share through fleet/spec"},
	{"fleet/agent", "fleet/hub", "the two roles never import each other; share through fleet/spec"},
	{"fleet/rollout", "net", "a rollout is a pure state machine"},
	{"runtime/loop", "os", "the loop is a pure state machine"},
	{"runtime/loop", "net", "the loop is a pure state machine"},
	{"runtime/drift", "net/http", "reports leave through fleet/mqtt"},
	{"runtime/serve", "net/http", "HTTP types stay in node/api"},
	{"node/client", "edgeward/node/store", "the client knows the API only"},
	{"node/client", "edgeward/node/api", "the client knows the API only"},
}

type file struct {
	path, dir string // relative to the root, with slashes
	ast       *ast.File
	fset      *token.FileSet
}

// parsed are the files of the tree, read once.
var parsed = sync.OnceValues(func() (out []file, err error) {
	fset := token.NewFileSet()
	err = filepath.WalkDir(".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != "." && (strings.HasPrefix(n, ".") || n == "testdata" || n == "node_modules" || n == "bin" || n == "dist") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") {
			return nil
		}
		f, err := parser.ParseFile(fset, p, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(p))
		if dir == "." {
			dir = ""
		}
		out = append(out, file{filepath.ToSlash(p), dir, f, fset})
		return nil
	})
	return out, err
})

func sources(t *testing.T) []file {
	t.Helper()
	out, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 100 {
		t.Fatalf("only %d files were found", len(out))
	}
	return out
}

func room(dir string) string { top, _, _ := strings.Cut(dir, "/"); return top }

// within reports whether dir is room or a folder below it.
func within(dir, room string) bool { return dir == room || strings.HasPrefix(dir, room+"/") }

func TestImportsPointDown(t *testing.T) {
	for _, f := range sources(t) {
		if room(f.dir) == "packaging" {
			continue // build tools, not part of the product
		}
		if _, ok := floors[room(f.dir)]; !ok {
			t.Errorf("%s: no room is called %q; the top level is fixed", f.path, room(f.dir))
			continue
		}
		test := strings.HasSuffix(f.path, "_test.go")
		for _, im := range f.ast.Imports {
			p, _ := strconv.Unquote(im.Path.Value)
			at := f.fset.Position(im.Pos())
			if to, ours := strings.CutPrefix(p, "edgeward/"); ours {
				from, target := room(f.dir), room(to)
				if target == "ui" && from != "node" && from != "ui" {
					t.Errorf("%s: %s imports %s: only node may import the web page", at, f.dir, to)
				}
				if helper := test || strings.HasSuffix(f.dir, "test"); target == "packaging" && (to != "packaging/needtest" || !helper) {
					t.Errorf("%s: %s imports %s: of packaging only needtest may be imported, and only by tests and their helpers", at, f.dir, to)
				}
				if floors[target] > floors[from] {
					t.Errorf("%s: %s imports %s: imports point down (cmd, node, fleet, runtime, sync, root)", at, f.dir, to)
				}
			}
			if test {
				continue
			}
			for lib, rooms := range owners {
				if p != lib && !strings.HasPrefix(p, lib+"/") {
					continue
				}
				ok := false
				for _, r := range rooms {
					ok = ok || within(f.dir, r)
				}
				if !ok {
					t.Errorf("%s: %s imports %s: its only room is %s", at, f.dir, lib, strings.Join(rooms, ", "))
				}
			}
			for _, fence := range fences {
				if within(f.dir, fence.from) && (p == fence.to || p == "edgeward/"+fence.to) {
					t.Errorf("%s: %s imports %s: %s", at, f.dir, p, fence.why)
				}
			}
			if within(f.dir, "node/demo") && strings.HasPrefix(p, "edgeward/") && p != "edgeward/node/client" && !strings.HasPrefix(p, "edgeward/node/demo") {
				t.Errorf("%s: node/demo imports %s: the demo uses only node/client and foreign protocols", at, p)
			}
		}
	}
}

func TestFoldersThatAreNoPackages(t *testing.T) {
	for _, f := range sources(t) {
		if f.dir == "runtime" || f.dir == "sync" {
			t.Errorf("%s: %s is a folder, never a package", f.path, f.dir)
		}
	}
}

// TestNobodyBelowNodeReadsTheClock finds calls of the clock and of identifier makers in runtime, sync and fleet. A line
// with "room:clock" and a reason is let through: elapsed time, and timers of Run loops.
func TestNobodyBelowNodeReadsTheClock(t *testing.T) {
	banned := map[string][]string{"time": {"Now", "Since", "Until"}, "ulid": {"Make", "Now", "MustNew"}, "uuid": {"New", "NewString"}}
	for _, f := range sources(t) {
		if r := room(f.dir); strings.HasSuffix(f.path, "_test.go") || (r != "runtime" && r != "sync" && r != "fleet") || strings.HasSuffix(f.dir, "test") {
			continue
		}
		excused := map[int]bool{}
		for _, g := range f.ast.Comments {
			for _, c := range g.List {
				if i := strings.Index(c.Text, "room:clock"); i >= 0 && len(strings.TrimSpace(c.Text[i+len("room:clock"):])) > 3 {
					excused[f.fset.Position(c.Pos()).Line] = true
				}
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				return true
			}
			at := f.fset.Position(sel.Pos())
			for _, name := range banned[pkg.Name] {
				if sel.Sel.Name == name && !excused[at.Line] {
					t.Errorf("%s: %s.%s: below node time and ids are arguments", at, pkg.Name, name)
				}
			}
			return true
		})
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	has, seen := map[string]bool{}, map[string]string{}
	for _, f := range sources(t) {
		if strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		seen[f.dir] = f.ast.Name.Name
		if f.ast.Doc != nil && len(f.ast.Doc.Text()) > 40 {
			has[f.dir] = true
		}
	}
	for dir, name := range seen {
		if !has[dir] {
			t.Errorf("package %s (%s) has no package comment: write what it promises and what a caller may not assume", name, dir)
		}
	}
}

// TestNoFileWhereEveryNounMeets keeps node's rooms at one file per noun.
func TestNoFileWhereEveryNounMeets(t *testing.T) {
	const limit = 700
	for _, f := range sources(t) {
		end := f.fset.Position(f.ast.End()).Line
		generated := len(f.ast.Comments) > 0 && strings.Contains(f.ast.Comments[0].Text(), "DO NOT EDIT")
		if !strings.HasSuffix(f.path, "_test.go") && !generated && end > limit {
			t.Errorf("%s", fmt.Sprintf("%s has %d lines: which noun wants its own file?", f.path, end))
		}
	}
}
