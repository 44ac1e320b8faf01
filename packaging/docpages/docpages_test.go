package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

func TestPagesSayWhatTheSourceSays(t *testing.T) {
	want, err := pages(root)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range want {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != text {
			t.Errorf("%s is not what the source says: go run ./packaging/docpages", path)
		}
	}
}

func TestCodesAreFound(t *testing.T) {
	codes, err := codesOf(root)
	if err != nil {
		t.Fatal(err)
	}
	// a call of E; a literal of Error; a helper's parameter; a joined code
	for _, name := range []string{"monitor.not_found", "manifest.invalid", "feedback.source", "NOUN.not_found"} {
		if codes[name] == nil {
			t.Errorf("%s is not found", name)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)

func TestLinksLeadSomewhere(t *testing.T) {
	paths, _ := filepath.Glob(root + "/docs/*.md")
	more, _ := filepath.Glob(root + "/docs/*/*.md")
	for _, path := range append(append(paths, more...), root+"/README.md") {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", strings.TrimPrefix(path, root+"/"), m[1])
			}
		}
	}
}

func TestEveryPageIsInTheIndex(t *testing.T) {
	index, err := os.ReadFile(root + "/docs/index.md")
	if err != nil {
		t.Fatal(err)
	}
	paths, _ := filepath.Glob(root + "/docs/*.md")
	for _, path := range paths {
		if name := filepath.Base(path); name != "index.md" && !strings.Contains(string(index), "("+name+")") {
			t.Errorf("docs/index.md does not mention %s", name)
		}
	}
}
