package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Markdown is docs/configuration.md.
func Markdown() string {
	var b strings.Builder
	b.WriteString(`# Configuration

<!-- Generated from node/config by go generate; do not edit. -->

A server runs without any configuration. A value comes from, in this order: the command line, the environment, the file
` + "`" + File + "`" + ` (or ` + "`--config FILE`" + `), an [answers file](operations.md#install-without-a-person), the page *Settings*, the default. ` + "`edgeward settings`" + ` prints each value and where
it came from. ` + "`config.example.toml`" + ` beside this page holds every setting with its default.

Not settings, but read from the environment: ` + "`EDGEWARD_CONFIG`" + ` (the file), ` + "`EDGEWARD_BOOTSTRAP_TOKEN`" + ` (24 or more
printable characters: the first administrator's API token, used only while there is no administrator), and for commands
` + "`EDGEWARD_URL`, `EDGEWARD_TOKEN`, `EDGEWARD_GROUP` and `EDGEWARD_CA_FILE`" + `.

| Key | Environment | Default | Meaning |
| --- | --- | --- | --- |
`)
	for _, s := range described() {
		value := "`" + s.Default + "`"
		if s.Default == "" {
			value = ""
		}
		fmt.Fprintf(&b, "| <a id=\"%s\"></a>`%s` | `%s` | %s | %s |\n", strings.ReplaceAll(s.Key, ".", "-"), s.Key, s.Env, value, s.Doc)
	}
	return b.String()
}

// Example is docs/config.example.toml: every setting, switched off by "#".
func Example() string {
	var b strings.Builder
	b.WriteString("# Configuration of edgeward. Generated from node/config by go generate; do not edit the original.\n# Every setting has its default; remove the # to change one.\n")
	table := ""
	for _, s := range described() {
		head, name, ok := strings.Cut(s.Key, ".")
		if !ok {
			head, name = "", s.Key
		}
		if head != table {
			table = head
			fmt.Fprintf(&b, "\n[%s]\n", head)
		}
		value := s.Default
		switch s.Type {
		case "list":
			value = "[]"
		case "text", "size", "duration":
			value = fmt.Sprintf("%q", value)
		}
		fmt.Fprintf(&b, "\n# %s\n# %s = %s\n", s.Doc, name, value)
	}
	return b.String()
}

func described() (all []Setting) {
	c := Default("/var/lib/edgeward")
	eachField(reflect.ValueOf(&c).Elem(), "", func(key string, f reflect.StructField, v reflect.Value) {
		all = append(all, Setting{Key: key, Env: envName(key), Doc: f.Tag.Get("doc"), Type: typeName(v), Default: text(v)})
	})
	return all
}

func typeName(v reflect.Value) string {
	switch v.Interface().(type) {
	case bool:
		return "bool"
	case int, float64:
		return "number"
	case Bytes:
		return "size"
	case time.Duration:
		return "duration"
	case []string:
		return "list"
	}
	return "text"
}
