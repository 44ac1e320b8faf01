package ui_test

import (
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// read parses a message file.
func read[T any](t *testing.T, name string) (v T) {
	t.Helper()
	b, err := os.ReadFile("src/text/" + name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return v
}

var place = regexp.MustCompile(`\{\w+\}`)

// places lists what a message is filled with, both of its forms together.
func places(message json.RawMessage) []string {
	all := place.FindAllString(string(message), -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// TestLanguagesSayTheSame holds both message files to the same keys, forms and values to fill in.
func TestLanguagesSayTheSame(t *testing.T) {
	en, de := read[map[string]json.RawMessage](t, "en.json"), read[map[string]json.RawMessage](t, "de.json")
	for _, k := range slices.Sorted(maps.Keys(en)) {
		if _, ok := de[k]; !ok {
			t.Errorf("German lacks %s", k)
			continue
		}
		if en[k][0] != de[k][0] {
			t.Errorf("%s has one form in one language and two in the other", k)
		}
		if a, b := places(en[k]), places(de[k]); !slices.Equal(a, b) {
			t.Errorf("%s is filled with %v in English and with %v in German", k, a, b)
		}
	}
	for k := range de {
		if _, ok := en[k]; !ok {
			t.Errorf("English lacks %s", k)
		}
	}
}

// told are the beginnings of the codes a person at the page meets; each such code has German words. What is not told is
// below: it has another reader.
var told = []string{"NOUN.", "alert.", "auth.", "candidate.", "dataset.", "disk.", "endpoint.", "evaluation.", "features.", "feedback.", "group.",
	"lookup.", "loop.", "model.", "monitor.", "onnx.", "password.", "predict.", "query.", "reason.", "recipe.", "role.", "token.", "train.", "user."}

// untold are codes of programs (model repository of the Triton extensions), of the command line and of the inside.
var untold = []string{"alert.rule_invalid", "auth.bootstrap_token", "feedback.endpoint", "feedback.file", "feedback.none", "model.config", "model.files", "model.no_version", "model.not_loaded", "model.ref", "onnx.bad_interval", "query.filters", "query.groups"}

var row = regexp.MustCompile("(?m)^\\| `([A-Za-z_]+\\.[a-z_]+)` .* \\| ([^|]+) \\|$")

// elsewhere are rooms whose errors only programs and the command line see.
var elsewhere = regexp.MustCompile(`^((node/api/oip|node/client|cmd/edgeward)[a-z/]*(, )?)+$`)

// TestRefusalsAreTranslated compares the German words for codes with docs/errors.md, which is written from the source.
func TestRefusalsAreTranslated(t *testing.T) {
	doc, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	words := read[map[string][2]string](t, "errors.de.json")
	codes := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		code := strings.Replace(m[1], "NOUN.", "*.", 1)
		codes[code] = true
		wanted := slices.ContainsFunc(told, func(s string) bool { return strings.HasPrefix(m[1], s) }) && !slices.Contains(untold, code) && !elsewhere.MatchString(m[2])
		if _, ok := words[code]; wanted && !ok {
			t.Errorf("%s has no German words: add them to src/text/errors.de.json", code)
		}
	}
	if len(codes) < 200 {
		t.Fatalf("docs/errors.md lists %d codes only", len(codes))
	}
	for code, w := range words {
		if !codes[code] && code != "worker.died" && code != "worker.memory" { // these two are put together at run time
			t.Errorf("no part of the server says %s any more", code)
		}
		if w[0] == "" || place.MatchString(w[0]+w[1]) {
			t.Errorf("%s: %q: a sentence without places to fill is wanted", code, w)
		}
	}
}
