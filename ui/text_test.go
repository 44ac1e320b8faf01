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

// untold are the codes that no person at the page meets: what ends a start or a command on the server itself, what only
// programs cause, what is of the inside. Every other code has German words.
var untold = map[string]bool{
	// commands on the server: backup, restore, export of the log, images
	"audit.export": true, "backup.damaged": true, "backup.exists": true, "backup.invalid": true, "backup.target": true, "file.exists": true, "image.bundle": true,
	"image.taken": true, "oci.layout": true, "oci.too_large": true, "restore.not_empty": true, "store.exists": true, "store.missing": true,
	// a start that fails
	"auth.bootstrap_token": true, "broker.open": true, "config.invalid": true, "config.unknown_key": true, "config.unreadable": true, "listen.address": true,
	"listen.failed": true, "listen.in_use": true, "listen.socket": true, "mqtt.options": true, "node.data_dir": true, "segment.newer": true, "store.locked": true,
	"store.newer": true, "store.older": true, "tls.certificate": true, "tracing.url": true, "web.missing": true,
	// programs: entity tags, idempotency keys, the feed, MQTT, the model repository of the Triton extensions
	"drift.report_invalid": true, "drift.report_large": true, "event.after": true,
	"idempotency.invalid": true, "idempotency.reused": true, "model.config": true, "model.files": true, "model.no_version": true, "model.not_loaded": true,
	"mqtt.payload": true, "mqtt.topic": true, "precondition.required": true, "query.filters": true, "query.groups": true,
	// the inside
	"alert.rule_invalid": true, "digest.invalid": true, "event.invalid": true, "event.not_found": true, "manifest.too_large": true, "model.ref": true,
	"onnx.bad_interval": true, "segment.frame_too_large": true, "segment.unknown": true, "signature.invalid": true, "store.write_without_event": true,
}

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
		_, ok := words[code]
		if !ok && !untold[code] && !elsewhere.MatchString(m[2]) {
			t.Errorf("%s has no German words: add them to src/text/errors.de.json", code)
		}
		if ok && untold[code] {
			t.Errorf("%s has German words: take it out of untold", code)
		}
	}
	if len(codes) < 200 {
		t.Fatalf("docs/errors.md lists %d codes only", len(codes))
	}
	for code := range untold {
		if !codes[code] {
			t.Errorf("no part of the server says %s any more: take it out of untold", code)
		}
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
