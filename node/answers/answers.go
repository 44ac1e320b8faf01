// Package answers is what an unattended installation says of a new server, in one YAML file: its settings, its first administrator and the
// fleet that it joins.
//
// # What it promises
//
//   - The file is read at each start while it is there. What it says of settings holds until it says otherwise, also when it is there no
//     more because a stick was pulled out: settings are kept in the data directory (KeptFile). A flag, the environment and the configuration
//     file win over them.
//   - The administrator is made only while there is none. A join code is brought to its hub once: a server that was refused or has left
//     its fleet asks again only with another code. So the same file at every start changes nothing.
//   - No secret is in the file: it names files, which a path without a leading slash looks for beside it, and variables of the environment. They are read
//     when they are needed, never logged, and of them only the join code is kept, while the server asks.
//   - It is at most MaxBytes, and strict: what it does not have to say is an error that names the line, and so are anchors.
//
// The zero Answers says nothing.
package answers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"edgeward"
	"edgeward/fleet/selector"
	"edgeward/fleet/strictyaml"
)

// File is where answers are looked for when no file is named.
const File = "/etc/edgeward/answers.yaml"

// MaxBytes bounds the file, and each file with a secret.
const MaxBytes = 64 << 10

// Answers are what a file says.
type Answers struct {
	Name     string         `yaml:"name"`     // of the server: node.name
	Site     string         `yaml:"site"`     // that it stands in: site
	Settings map[string]any `yaml:"settings"` // others, by key: "gossip.address"
	Admin    *Admin         `yaml:"admin"`    // nil: a person opens the printed link
	Fleet    *Fleet         `yaml:"fleet"`    // nil: it joins none

	dir string // of the file
}

// Admin is the first administrator, with a password, an API token, or both.
type Admin struct {
	User         string `yaml:"user"` // "": admin
	PasswordFile string `yaml:"password_file"`
	PasswordEnv  string `yaml:"password_env"`
	TokenFile    string `yaml:"token_file"`
	TokenEnv     string `yaml:"token_env"`
}

// Fleet is the fleet to join.
type Fleet struct {
	CodeFile string            `yaml:"code_file"`
	CodeEnv  string            `yaml:"code_env"`
	Tags     map[string]string `yaml:"tags"` // that the server asks for; the hub decides
}

// Read reads a file.
func Read(path string) (*Answers, error) {
	b, err := read(path)
	if err != nil {
		return nil, edgeward.E("answers.Read", edgeward.Invalid, "answers.unreadable", "answers file %s: %w", path, err).With("path", path).WithHint("correct the path, or the rights of the file")
	}
	a, err := Parse(b)
	if err != nil {
		return nil, edgeward.Wrap(path, err)
	}
	a.dir = filepath.Dir(path)
	return a, nil
}

// bounds of a file: nothing in it is deep.
var bounds = strictyaml.Bounds{Bytes: MaxBytes, Documents: 1, Depth: 6, Many: "one document, without --- after it, is read", NoField: "is nothing that an answers file says"}

// Parse reads the text of a file. Error: Invalid "answers.invalid".
func Parse(b []byte) (*Answers, error) {
	a := &Answers{}
	for said, err := range strictyaml.Documents[Answers](b, bounds) {
		if err != nil {
			return nil, invalid("%w", err)
		}
		if said != nil {
			a = said
		}
	}
	return a, a.check()
}

func (a *Answers) check() error {
	for k, v := range a.Settings {
		switch v.(type) {
		case string, bool, int, float64, []any:
		default:
			return invalid("settings: %.80q is no single value; write keys with dots, such as gossip.address", k)
		}
		if k == "data_dir" {
			return invalid("settings: data_dir cannot be answered, because answers are kept there").WithHint("give --data-dir or EDGEWARD_DATA_DIR")
		}
	}
	if m := a.Admin; m != nil {
		if m.PasswordFile == "" && m.PasswordEnv == "" && m.TokenFile == "" && m.TokenEnv == "" {
			return invalid("admin: a password or a token is needed").WithHint("name a file with it (password_file, token_file) or a variable (password_env, token_env)")
		}
		if m.PasswordFile != "" && m.PasswordEnv != "" || m.TokenFile != "" && m.TokenEnv != "" {
			return invalid("admin: a file and a variable are named for one secret")
		}
	}
	if f := a.Fleet; f != nil {
		if (f.CodeFile == "") == (f.CodeEnv == "") {
			return invalid("fleet: either code_file or code_env is needed").WithHint("the code is what \"edgeward fleet code create\" printed at the hub")
		}
		return selector.CheckTags(f.Tags)
	}
	return nil
}

// Values are the settings by key, as config.Sources take them.
func (a *Answers) Values() map[string]any {
	out := map[string]any{}
	for k, v := range a.Settings {
		if list, ok := v.([]any); ok {
			texts := make([]any, len(list))
			for i, x := range list {
				texts[i] = fmt.Sprint(x)
			}
			out[k] = texts
			continue
		}
		out[k] = fmt.Sprint(v)
	}
	for k, v := range map[string]string{"node.name": a.Name, "site": a.Site} {
		if v != "" {
			out[k] = v
		}
	}
	return out
}

// Password is the administrator's; "" if there is none.
func (a *Answers) Password() (string, error) {
	return a.secret("password", a.Admin.PasswordFile, a.Admin.PasswordEnv, firstLine)
}

// Token is the administrator's API token; "" if there is none.
func (a *Answers) Token() (string, error) {
	return a.secret("token", a.Admin.TokenFile, a.Admin.TokenEnv, firstLine)
}

// Code is the join code, which may be wrapped.
func (a *Answers) Code() (string, error) {
	return a.secret("join code", a.Fleet.CodeFile, a.Fleet.CodeEnv, strings.TrimSpace)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}

// secret reads what counts of a file, or a variable. Error: Invalid "answers.secret", which says where and never what.
func (a *Answers) secret(what, file, env string, counts func(string) string) (string, error) {
	missing := func(format string, args ...any) error {
		return edgeward.E("answers", edgeward.Invalid, "answers.secret", "the %s: %w", what, fmt.Errorf(format, args...)).WithHint("put it where the answers file says it is")
	}
	switch {
	case env != "":
		if v := os.Getenv(env); v != "" {
			return v, nil
		}
		return "", missing("the variable %s is not set", env)
	case file == "":
		return "", nil
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(a.dir, file)
	}
	b, err := read(file)
	if err != nil {
		return "", missing("%w", err)
	}
	text := counts(string(b))
	if text == "" {
		return "", missing("%s is empty", file)
	}
	return text, nil
}

func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if s, err := f.Stat(); err != nil || !s.Mode().IsRegular() && s.Mode()&fs.ModeNamedPipe == 0 {
		return nil, errors.Join(err, errors.New("it is no file"))
	}
	b, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err == nil && len(b) > MaxBytes {
		err = fmt.Errorf("more than %d bytes", MaxBytes)
	}
	return b, err
}

func invalid(format string, args ...any) *edgeward.Error {
	return edgeward.E("answers", edgeward.Invalid, "answers.invalid", format, args...).WithHint("correct the answers file")
}
