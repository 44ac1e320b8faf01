package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"edgeward"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// maxFile bounds the configuration file.
const maxFile = 1 << 20

// Source says where a value came from.
type Source string

// The sources, the strongest first.
const (
	FromFlag    Source = "flag"
	FromEnv     Source = "env"
	FromFile    Source = "file"
	FromAnswers Source = "answers" // of an answers file, kept in the data directory (node/answers)
	FromPage    Source = "page"    // set by an administrator, kept in the store
	FromDefault Source = "default"
)

// Sources are what Load reads. The zero value gives the defaults of an ordinary user without a home.
type Sources struct {
	Flags   map[string]string // by key: "http.address"
	Env     []string          // os.Environ()
	File    string            // path; empty: EDGEWARD_CONFIG, else File if it is there
	Answers map[string]any    // by key; of an answers file, texts and lists of texts
	Page    map[string]string // by key
	Root    bool              // the process runs as root
}

// Setting is one value with its description.
type Setting struct {
	Key     string `json:"key"`
	Env     string `json:"env"`
	Doc     string `json:"doc"`
	Type    string `json:"type"` // text, bool, number, size, duration, list
	Default string `json:"default"`
	Value   string `json:"value"`
	Source  Source `json:"source"`
	From    string `json:"from,omitempty"` // path of the file, name of the variable
}

// Locked reports whether the page Settings cannot change the value because something stronger fixes it.
func (s Setting) Locked() bool {
	return s.Source == FromFlag || s.Source == FromEnv || s.Source == FromFile
}

// Loaded is the configuration and where each value came from.
type Loaded struct {
	Config
	Path     string    // of the file that was read; empty: none
	Settings []Setting // in the order of the documentation
	Warnings []string  // English sentences for the log

	Credentials string // folder of systemd's credentials; empty: none
}

// Explain returns one setting by its key; unknown keys are Invalid "config.unknown_key" naming the nearest.
func (l Loaded) Explain(key string) (Setting, error) {
	for _, s := range l.Settings {
		if s.Key == key {
			return s, nil
		}
	}
	return Setting{}, unknownKey(key, "")
}

// Source returns where the value of a key came from, "" for an unknown key.
func (l Loaded) Source(key string) Source {
	s, _ := l.Explain(key)
	return s.Source
}

// Load reads, checks and explains the configuration. All that is wrong comes in one error of kind Invalid with code
// "config.invalid" (or "config.unknown_key", "config.unreadable"), one line per finding.
func Load(src Sources) (Loaded, error) {
	env := environment(src.Env)
	l := Loaded{Config: Default(defaultDataDir(src.Root, env)), Credentials: env[EnvCredentials]}
	defaults := l.Config
	file, path, err := readFile(src, env)
	if err != nil {
		return l, err
	}
	l.Path = path
	known := map[string]*Setting{}
	eachField(reflect.ValueOf(&defaults).Elem(), "", func(key string, f reflect.StructField, v reflect.Value) {
		l.Settings = append(l.Settings, Setting{Key: key, Env: envName(key), Doc: f.Tag.Get("doc"), Type: typeName(v), Default: text(v), Source: FromDefault})
	})
	for i := range l.Settings {
		known[l.Settings[i].Key] = &l.Settings[i]
	}
	layers := []struct {
		source Source
		values map[string]any
	}{{FromPage, anyMap(src.Page)}, {FromAnswers, src.Answers}, {FromFile, file}, {FromEnv, map[string]any{}}, {FromFlag, anyMap(src.Flags)}}
	for _, s := range l.Settings {
		if v, ok := env[s.Env]; ok {
			layers[3].values[s.Key] = v // of the environment
		}
	}
	var wrong []error
	merged := koanf.New(".")
	for _, layer := range layers {
		k := koanf.New(".")
		if err := k.Load(confmap.Provider(layer.values, "."), nil); err != nil {
			return l, edgeward.E("config.Load", edgeward.Invalid, "config.invalid", "%w", err)
		}
		for _, key := range k.Keys() {
			s, ok := known[key]
			if !ok {
				wrong = append(wrong, unknownKey(key, where(layer.source, path)))
				continue
			}
			s.Source, s.From = layer.source, where(layer.source, path)
			if layer.source == FromEnv {
				s.From = s.Env
			}
		}
		if err := merged.Merge(k); err != nil {
			return l, edgeward.E("config.Load", edgeward.Invalid, "config.invalid", "%w", err)
		}
	}
	eachField(reflect.ValueOf(&l.Config).Elem(), "", func(key string, _ reflect.StructField, v reflect.Value) {
		s := known[key]
		if merged.Exists(key) && s.Source != FromDefault {
			if err := set(v, merged.Get(key)); err != nil {
				wrong = append(wrong, wrongValue(*s, merged.Get(key), err.Error()))
			}
		}
		s.Value = text(v)
	})
	if len(wrong) == 0 {
		for _, f := range l.Config.check() {
			wrong = append(wrong, wrongValue(*known[f.key], known[f.key].Value, f.want))
		}
	}
	l.Warnings = strayEnv(env, known)
	return l, together(wrong)
}

func readFile(src Sources, env map[string]string) (values map[string]any, path string, err error) {
	path, asked := src.File, src.File != ""
	if !asked && env[EnvConfig] != "" {
		path, asked = env[EnvConfig], true
	}
	if !asked {
		path = File
	}
	unreadable := func(err error) error {
		return edgeward.E("config.Load", edgeward.Invalid, "config.unreadable", "configuration file %s: %w", path, err).
			With("path", path).WithHint("correct the file, or name another one with --config")
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) && !asked {
		return map[string]any{}, "", nil
	}
	if err != nil {
		return nil, path, unreadable(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %s", Bytes(maxFile))
	}
	if err != nil {
		return nil, path, unreadable(err)
	}
	values, err = toml.Parser().Unmarshal(data)
	if err != nil {
		return nil, path, unreadable(err)
	}
	return values, path, nil
}

func defaultDataDir(root bool, env map[string]string) string {
	switch {
	case root:
		return "/var/lib/edgeward"
	case filepath.IsAbs(env["XDG_DATA_HOME"]):
		return filepath.Join(env["XDG_DATA_HOME"], "edgeward")
	case filepath.IsAbs(env["HOME"]):
		return filepath.Join(env["HOME"], ".local", "share", "edgeward")
	}
	return "edgeward-data"
}

func environment(list []string) map[string]string {
	env := map[string]string{}
	for _, kv := range list {
		if name, value, ok := strings.Cut(kv, "="); ok {
			env[name] = value
		}
	}
	return env
}

func strayEnv(env map[string]string, known map[string]*Setting) (warnings []string) {
	names := map[string]bool{EnvConfig: true, EnvBootstrapToken: true, EnvURL: true, EnvToken: true, EnvGroup: true, EnvCAFile: true}
	var all []string
	for _, s := range known {
		names[s.Env] = true
		all = append(all, s.Env)
	}
	slices.Sort(all)
	for name := range env {
		if strings.HasPrefix(name, "EDGEWARD_") && !names[name] {
			warnings = append(warnings, fmt.Sprintf("%s in the environment is no setting; the nearest is %s", name, edgeward.Nearest(name, all)))
		}
	}
	slices.Sort(warnings)
	return warnings
}

func envName(key string) string {
	return "EDGEWARD_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func where(s Source, path string) string {
	switch s {
	case FromFile:
		return path
	case FromFlag:
		return "the command line"
	case FromAnswers:
		return "the answers file"
	case FromPage:
		return "the page Settings"
	}
	return ""
}

func anyMap(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// eachField visits every setting in the order of the struct.
func eachField(v reflect.Value, prefix string, visit func(key string, f reflect.StructField, v reflect.Value)) {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := prefix + f.Tag.Get("key")
		if f.Type.Kind() == reflect.Struct {
			eachField(v.Field(i), key+".", visit)
			continue
		}
		visit(key, f, v.Field(i))
	}
}
