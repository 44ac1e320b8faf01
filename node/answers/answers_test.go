package answers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"edgeward"
	"edgeward/node/answers"
	"edgeward/node/config"
)

const example = `
name: ward-3
site: north
settings:
  gossip.address: 0.0.0.0:7946
  http.shared_memory: false
  jobs.parallel: 2
  http.allowed_hosts: [ward-3.hospital.lan, ward-3]
admin:
  user: ina
  password_file: password
  token_env: EDGEWARD_TEST_ANSWERED
fleet:
  code_file: join-code
  tags: {kind: press, line: "3"}
`

func TestWhatAFileSays(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("answers.yaml", example)
	write("password", "a long enough sentence 42\r\n(of ina)\n")
	a, err := answers.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("EDGEWARD_TEST_ANSWERED", "0123456789012345678901234")
	if p, err := a.Password(); err != nil || p != "a long enough sentence 42" {
		t.Errorf("the password beside the file: %q, %v", p, err)
	}
	if k, err := a.Token(); err != nil || len(k) != 25 {
		t.Errorf("the token of the environment: %v", err)
	}
	if _, err := a.Code(); edgeward.CodeOf(err) != "answers.secret" || edgeward.HintOf(err) == "" {
		t.Errorf("a code that is not there: %v", err)
	}
	write("join-code", " \n")
	if _, err := a.Code(); edgeward.CodeOf(err) != "answers.secret" {
		t.Errorf("an empty code: %v", err)
	}
	if a.Fleet.Tags["line"] != "3" || a.Admin.User != "ina" {
		t.Errorf("%+v", a)
	}
	load := func(values map[string]any, env ...string) config.Loaded {
		l, err := config.Load(config.Sources{Answers: values, Env: env})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	if err := a.Keep(dir); err != nil {
		t.Fatal(err)
	}
	kept, err := answers.Kept(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range map[string]map[string]any{"the file": a.Values(), "what is kept of it": kept} {
		l := load(values)
		if l.Node.Name != "ward-3" || l.Site != "north" || l.Gossip.Address != "0.0.0.0:7946" || l.HTTP.SharedMemory || l.Jobs.Parallel != 2 || len(l.HTTP.AllowedHosts) != 2 {
			t.Errorf("%s: %+v", name, l.Config)
		}
		if l.Source("gossip.address") != config.FromAnswers || l.Source("grpc.address") != config.FromDefault {
			t.Errorf("%s: from %s", name, l.Source("gossip.address"))
		}
		if l := load(values, "EDGEWARD_GOSSIP_ADDRESS=off"); l.Gossip.Address != "off" {
			t.Errorf("%s wins over the environment", name)
		}
	}
	if none, err := answers.Kept(t.TempDir()); err != nil || len(none) > 0 {
		t.Errorf("kept of nothing: %v, %v", none, err)
	}
}

func TestWhatIsNoAnswersFile(t *testing.T) {
	for name, c := range map[string]struct{ text, says string }{
		"a misspelt field":       {"nmae: ward-3", "line 1"},
		"a password in the file": {"admin: {password: secret}", "line 1"},
		"a code in the file":     {"fleet: {code: ew1-abc}", "line 1"},
		"an admin without proof": {"admin: {user: ina}", "password or a token"},
		"two passwords":          {"admin: {password_file: a, password_env: B}", "one secret"},
		"a fleet without a code": {"fleet: {tags: {a: b}}", "code_file or code_env"},
		"two codes":              {"fleet: {code_file: a, code_env: B}", "code_file or code_env"},
		"a tag that is known":    {"fleet: {code_file: a, tags: {site: north}}", "is no tag"},
		"the data directory":     {"settings: {data_dir: /srv}", "data_dir"},
		"nested settings":        {"settings: {http: {address: x}}", "with dots"},
		"an alias":               {"name: &a x\nsite: *a", "anchors"},
		"two documents":          {"name: a\n---\nname: b", "one document"},
		"no YAML":                {"name: [", "line"},
		"a town":                 {"name: " + strings.Repeat("x", answers.MaxBytes), "bytes"},
		"a list":                 {"- a", "line 1"},
	} {
		if _, err := answers.Parse([]byte(c.text)); edgeward.KindOf(err) != edgeward.Invalid || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "answers.A") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, empty := range []string{"", "# nothing\n", "{}"} {
		if a, err := answers.Parse([]byte(empty)); err != nil || len(a.Values()) > 0 {
			t.Errorf("%q: %v", empty, err)
		}
	}
	if _, err := answers.Read(t.TempDir()); edgeward.CodeOf(err) != "answers.unreadable" || edgeward.HintOf(err) == "" {
		t.Errorf("a folder: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{example, "settings: {a: [1, {b: c}]}", "a: &a [*a]", "admin: 1"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := answers.Parse(b)
		if err != nil {
			if edgeward.KindOf(err) != edgeward.Invalid {
				t.Fatalf("%v", err)
			}
			return
		}
		if err := a.Keep(t.TempDir()); err != nil {
			t.Fatal(err)
		}
	})
}
