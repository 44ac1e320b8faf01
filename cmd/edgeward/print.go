package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"edgeward"
)

// print writes v as one JSON document, or what human writes.
func (r *remote) print(v any, human func(w io.Writer)) error {
	if r.asJSON {
		enc := json.NewEncoder(r.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	human(r.stdout)
	return nil
}

// items is how --json prints a list: the shape that the API has.
type items[T any] struct {
	Items []T `json:"items"`
}

func listed[T any](all []T) items[T] {
	if all == nil {
		all = []T{}
	}
	return items[T]{all}
}

// table writes rows in columns; the header words name the columns.
func table(w io.Writer, header string, rows [][]string) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "none")
		return
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, strings.ReplaceAll(header, " ", "\t"))
	for _, row := range rows {
		for i := range row {
			row[i] = printable(row[i])
			if row[i] == "" {
				row[i] = "-"
			}
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush() // an error of stdout shows at the next write
}

// facts writes one line for each pair of name and value; empty values are left out.
func facts(w io.Writer, pairs ...string) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(t, "%s\t%s\n", pairs[i], printable(pairs[i+1]))
		}
	}
	_ = t.Flush() // as in table
}

// printable keeps what others wrote from steering the terminal or breaking a table.
func printable(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		if c == '\n' || c == '\t' {
			return ' '
		}
		return -1
	}, s)
}

// when writes a time for people: a day where it has no clock time in UTC, else the local clock.
func when(t time.Time) string {
	switch u := t.UTC(); {
	case t.IsZero():
		return ""
	case u.Hour() == 0 && u.Minute() == 0 && u.Second() == 0 && u.Nanosecond() == 0:
		return u.Format(time.DateOnly)
	default:
		return t.Local().Format("2006-01-02 15:04:05")
	}
}

func whenever(t *time.Time) string {
	if t == nil {
		return ""
	}
	return when(*t)
}

// count writes 151108 as 151,108.
func count[N int | int64 | uint64](n N) string {
	s := strconv.FormatInt(int64(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// num writes a measured number with a precision that people can read.
func num(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return ""
	case x == math.Trunc(x) && a < 1e6:
		return strconv.FormatFloat(x, 'f', 0, 64)
	case a >= 100 && a < 1e6:
		return strconv.FormatFloat(x, 'f', 1, 64)
	case a >= 0.1 && a < 100:
		return strconv.FormatFloat(x, 'f', 2, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

func some(x *float64) string {
	if x == nil {
		return ""
	}
	return num(*x)
}

func share(x float64) string { return strconv.FormatFloat(100*x, 'f', 0, 64) + " %" }

func size(n int64) string {
	for _, u := range []struct {
		name string
		of   float64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if float64(n) >= u.of {
			return strconv.FormatFloat(float64(n)/u.of, 'f', 1, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10) + " B"
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// value writes one cell of a table of data.
func value(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// ref reads NAME or NAME/N; number 0 is the newest.
func ref(what, s string) (name string, n int, err error) {
	name, num, has := strings.Cut(s, "/")
	if err := edgeward.CheckName(what, name); err != nil {
		return "", 0, err
	}
	if !has {
		return name, 0, nil
	}
	n, err = strconv.Atoi(num)
	if err != nil || n < 1 {
		return "", 0, edgeward.E("ref", edgeward.Invalid, "cli.ref", "%q is no version of %s %s", num, what, name).WithHint("write %s or %s/2", name, name)
	}
	return name, n, nil
}

// moment is a flag for a day or an RFC 3339 time.
type moment struct{ time.Time }

func (m *moment) Set(s string) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano, "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			m.Time = t
			return nil
		}
	}
	return fmt.Errorf("write a day such as 2024-03-01 or a time such as 2024-03-01T12:00:00Z")
}

func (m *moment) String() string {
	if m.IsZero() {
		return ""
	}
	return m.Format(time.RFC3339)
}

func (m *moment) Type() string { return "time" }

// pointer is nil for a flag that was not given.
func (m *moment) pointer() *time.Time {
	if m.IsZero() {
		return nil
	}
	return &m.Time
}

// pairs reads KEY=VALUE flags.
func pairs(flag string, list []string) (map[string]string, error) {
	out := map[string]string{}
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, edgeward.E("flags", edgeward.Invalid, "cli.usage", "--%s %q is not name=value", flag, s)
		}
		out[k] = v
	}
	return out, nil
}

// number reads the number of a version.
func number(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, edgeward.E("number", edgeward.Invalid, "cli.usage", "%q is no version number", s)
	}
	return n, nil
}
