package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/config"
)

func file(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	path := file(t, "site = \"file\"\n[http]\naddress = \"127.0.0.1:1\"\nallowed_hosts = [\"a.example\", \"b.example\"]\n[log]\nlevel = \"warn\"\n[auth]\nsession_idle = \"10m\"\n")
	l, err := config.Load(config.Sources{
		Flags: map[string]string{"http.address": "127.0.0.1:3"},
		Env:   []string{"EDGEWARD_HTTP_ADDRESS=127.0.0.1:2", "EDGEWARD_LOG_LEVEL=error", "EDGEWARD_WORKERS_MEMORY=1.5 GiB", "HOME=/home/nurse"},
		File:  path,
		Page:  map[string]string{"site": "page", "retention.prediction_days": "7"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		key, value string
		source     config.Source
		locked     bool
	}{
		{"http.address", "127.0.0.1:3", config.FromFlag, true},
		{"log.level", "error", config.FromEnv, true},
		{"workers.memory", "1536 MiB", config.FromEnv, true},
		{"site", "file", config.FromFile, true},
		{"http.allowed_hosts", "a.example, b.example", config.FromFile, true},
		{"auth.session_idle", "10m", config.FromFile, true},
		{"retention.prediction_days", "7", config.FromPage, false},
		{"grpc.address", "127.0.0.1:8001", config.FromDefault, false},
		{"data_dir", "/home/nurse/.local/share/edgeward", config.FromDefault, false},
	} {
		s, err := l.Explain(row.key)
		if err != nil || s.Value != row.value || s.Source != row.source || s.Locked() != row.locked {
			t.Errorf("%s: got %q from %s (locked %v), want %q from %s", row.key, s.Value, s.Source, s.Locked(), row.value, row.source)
		}
	}
	if l.HTTP.Address != "127.0.0.1:3" || l.Workers.Memory != 3<<29 || l.Auth.SessionIdle != 10*time.Minute || len(l.HTTP.AllowedHosts) != 2 || l.Retention.PredictionDays != 7 {
		t.Errorf("the struct differs from its explanation: %+v", l.Config)
	}
}

func TestErrorsNameKeyValueAndWhatIsRight(t *testing.T) {
	for _, row := range []struct {
		name, toml, code string
		want             []string
	}{
		{"a misspelt key", "[http]\nadress = \"x\"", "config.unknown_key", []string{"http.adress", "http.address"}},
		{"a key in the wrong table", "address = \"x\"", "config.unknown_key", []string{"address", "s3.address"}},
		{"a table for a value", "[site]\nname = \"x\"", "config.unknown_key", []string{"site.name"}},
		{"a value for a table", "http = 3", "config.unknown_key", []string{"\"http\""}},
		{"a number for a text", "site = 3", "config.invalid", []string{"site is \"3\"", "text"}},
		{"a text for a number", "[workers]\nthreads = \"many\"", "config.invalid", []string{"workers.threads", "many", "whole number"}},
		{"an address without a port", "[http]\naddress = \"127.0.0.1\"", "config.invalid", []string{"http.address", "127.0.0.1:8080"}},
		{"a duration without a unit", "[auth]\nsession_idle = 5", "config.invalid", []string{"auth.session_idle", "8h"}},
		{"a size that is none", "[workers]\nmemory = \"big\"", "config.invalid", []string{"workers.memory", "big", "64 MiB"}},
		{"a password in the URL", "[mqtt]\nurl = \"tcp://u:secret@h:1883\"", "config.invalid", []string{"mqtt.url", "tcp://…@h:1883", "without user"}},
		{"a certificate without a key", "[tls]\ncert_file = \"/c.pem\"", "config.invalid", []string{"tls.key_file", "tls.cert_file"}},
		{"two faults at once", "site = \"Bad Name\"\n[log]\nlevel = \"loud\"", "config.invalid", []string{"site", "log.level"}},
		{"no TOML", "site = ", "config.unreadable", []string{"config.toml"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := config.Load(config.Sources{File: file(t, row.toml), Root: true})
			if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) != row.code || edgeward.HintOf(err) == "" {
				t.Fatalf("got %v (%s), hint %q; want %s", err, edgeward.CodeOf(err), edgeward.HintOf(err), row.code)
			}
			for _, w := range row.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q is not in: %v", w, err)
				}
			}
		})
	}
}

func TestAMissingFileIsAnErrorOnlyWhenNamed(t *testing.T) {
	if _, err := config.Load(config.Sources{File: "/no/such/file.toml"}); edgeward.CodeOf(err) != "config.unreadable" {
		t.Error(err)
	}
	if _, err := config.Load(config.Sources{Env: []string{"EDGEWARD_CONFIG=/no/such/file.toml"}}); edgeward.CodeOf(err) != "config.unreadable" {
		t.Error(err)
	}
}

func TestStrayVariablesAreWarnings(t *testing.T) {
	l, err := config.Load(config.Sources{Root: true, File: file(t, ""), Env: []string{"EDGEWARD_HTTP_ADRESS=x", "EDGEWARD_BOOTSTRAP_TOKEN=secret", "EDGEWARD_URL=u", "EDGEWARD_TOKEN=secret"}})
	if err != nil || len(l.Warnings) != 1 || !strings.Contains(l.Warnings[0], "EDGEWARD_HTTP_ADDRESS") {
		t.Fatal(l.Warnings, err)
	}
	if strings.Contains(fmt.Sprint(l), "secret") {
		t.Error("a secret is in what is printed")
	}
}

func TestDefaultsAreRightAndOnLoopback(t *testing.T) {
	l, err := config.Load(config.Sources{Root: true, File: file(t, "")})
	if err != nil || l.DataDir != "/var/lib/edgeward" {
		t.Fatal(l.DataDir, err)
	}
	for _, a := range []string{l.HTTP.Address, l.GRPC.Address, l.S3.Address, l.MQTT.Address} {
		if !config.Loopback(a) {
			t.Errorf("%s is reachable from outside by default", a)
		}
	}
	if l.Gossip.Address != config.Off {
		t.Error("the site port is open by default")
	}
}

func TestEverySettingIsDescribed(t *testing.T) {
	l, _ := config.Load(config.Sources{Root: true, File: file(t, "")})
	for _, s := range l.Settings {
		if len(s.Doc) < 15 || !strings.HasSuffix(s.Doc, ".") || strings.Contains(s.Doc, "|") {
			t.Errorf("%s: %q is no documentation", s.Key, s.Doc)
		}
	}
}

// TestTheExampleIsTheDefaults switches every line of the example on and loads it.
func TestTheExampleIsTheDefaults(t *testing.T) {
	var lines []string
	for line := range strings.Lines(config.Example()) {
		if rest, ok := strings.CutPrefix(line, "# "); ok && strings.Contains(line, " = ") {
			line = rest
		}
		lines = append(lines, line)
	}
	got, err := config.Load(config.Sources{Root: true, File: file(t, strings.Join(lines, ""))})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range got.Settings {
		if s.Value != s.Default || s.Source != config.FromFile {
			t.Errorf("%s: the example says %q (%s), the default is %q", s.Key, s.Value, s.Source, s.Default)
		}
	}
}

func TestDocsAreGenerated(t *testing.T) {
	for path, want := range map[string]string{"../../docs/configuration.md": config.Markdown(), "../../docs/config.example.toml": config.Example()} {
		if os.Getenv("EDGEWARD_WRITE_GOLDEN") != "" {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != want {
			t.Errorf("%s is not what the struct says: run go generate ./node/config (%v)", path, err)
		}
	}
}

func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"64 MiB", "1.5GB", "0", "", "-1", "1e300", "NaN", "9 XiB", "12 b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, err := config.ParseBytes(s)
		if err != nil {
			return
		}
		if again, err := config.ParseBytes(n.String()); n < 0 || err != nil || again != n {
			t.Errorf("%q is %d, written %q, read as %d (%v)", s, n, n, again, err)
		}
	})
}

func FuzzFile(f *testing.F) {
	for _, s := range []string{"", "site = \"x\"", "[http]\naddress = 1979-05-27", "[[http]]\n[[http]]", "a.b.c = {d = 1}", "site = [\"x\"]", "[log]\nlevel = {}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		_, err := config.Load(config.Sources{File: file(t, s), Root: true})
		if err != nil && edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%v has kind %s", err, edgeward.KindOf(err))
		}
	})
}

func ExampleLoad() {
	l, err := config.Load(config.Sources{File: os.DevNull, Root: true, Flags: map[string]string{"http.address": "127.0.0.1:9999"}})
	fmt.Println(l.HTTP.Address, l.Source("http.address"), l.Source("site"), err)
	_, err = config.Load(config.Sources{File: os.DevNull, Root: true, Flags: map[string]string{"http.adress": "x"}})
	fmt.Println(edgeward.HintOf(err))
	// Output:
	// 127.0.0.1:9999 flag default <nil>
	// did you mean http.address?
}
