// Package canonical writes JSON in one form only (RFC 8785, JSON Canonicalization Scheme): equal values are equal bytes,
// so that a digest or a signature of them can be checked by whoever has the value.
//
// No white space; keys in order of their UTF-16 units; numbers as ECMAScript prints them, so a number is a float64 and
// integers beyond 2^53 belong into strings; strings with the shortest escapes. Of keys that stand twice the last counts.
package canonical

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"edgeward"
)

// JSON is v in canonical form. It fails where encoding/json does, and for a number without a finite float64.
func JSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err == nil {
		b, err = rewrite(b)
	}
	return b, edgeward.Wrap("canonical.JSON", err)
}

func rewrite(b []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := write(&out, v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func write(w *bytes.Buffer, v any) error {
	switch v := v.(type) {
	case nil:
		w.WriteString("null")
	case bool:
		w.WriteString(strconv.FormatBool(v))
	case json.Number:
		f, err := v.Float64()
		if err != nil || math.IsInf(f, 0) {
			return fmt.Errorf("number %s has no canonical form", v)
		}
		w.WriteString(number(f))
	case string:
		writeString(w, v)
	case []any:
		w.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				w.WriteByte(',')
			}
			if err := write(w, e); err != nil {
				return err
			}
		}
		w.WriteByte(']')
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.SortFunc(keys, func(a, b string) int { return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))) })
		w.WriteByte('{')
		for i, k := range keys {
			if i > 0 {
				w.WriteByte(',')
			}
			writeString(w, k)
			w.WriteByte(':')
			if err := write(w, v[k]); err != nil {
				return err
			}
		}
		w.WriteByte('}')
	}
	return nil
}

// number prints f as ECMAScript's Number.prototype.toString does.
func number(f float64) string {
	if f == 0 {
		return "0"
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	mant, exp, _ := strings.Cut(s, "e")
	sign := exp[:1]
	return mant + "e" + sign + strings.TrimLeft(exp[1:], "0")
}

func writeString(w *bytes.Buffer, s string) {
	w.WriteByte('"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			w.WriteByte('\\')
			w.WriteRune(r)
		case '\b':
			w.WriteString(`\b`)
		case '\f':
			w.WriteString(`\f`)
		case '\n':
			w.WriteString(`\n`)
		case '\r':
			w.WriteString(`\r`)
		case '\t':
			w.WriteString(`\t`)
		default:
			if r < 0x20 {
				fmt.Fprintf(w, `\u%04x`, r)
			} else {
				w.WriteRune(r)
			}
		}
	}
	w.WriteByte('"')
}
