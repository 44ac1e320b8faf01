package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Bytes is a number of bytes, written as "64 MiB", "1.5 GB" or a plain number.
type Bytes int64

var byteUnits = []struct {
	name string
	size float64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}

// String writes b with the largest binary unit that divides it.
func (b Bytes) String() string {
	for _, u := range byteUnits[:4] {
		if n := int64(u.size); b != 0 && int64(b)%n == 0 {
			return fmt.Sprintf("%d %s", int64(b)/n, u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// ParseBytes is the inverse of String and takes decimal units, too.
func ParseBytes(s string) (Bytes, error) {
	text, size := strings.TrimSpace(s), 1.0
	for _, u := range byteUnits {
		if n := len(text) - len(u.name); n > 0 && strings.EqualFold(text[n:], u.name) {
			text, size = strings.TrimSpace(text[:n]), u.size
			break
		}
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0) || n*size > 1<<60 {
		return 0, fmt.Errorf("%.40q is not a size", s)
	}
	return Bytes(n * size), nil
}

// set puts a raw value (a string from flag or environment, a TOML value from the file) into a field.
func set(field reflect.Value, raw any) error {
	text, isText := raw.(string)
	switch target := field.Addr().Interface().(type) {
	case *string:
		if !isText {
			return fmt.Errorf("a text in quotes")
		}
		*target = strings.TrimSpace(text)
	case *bool:
		b, ok := raw.(bool)
		if isText {
			var err error
			b, err = strconv.ParseBool(text)
			ok = err == nil
		}
		if !ok {
			return fmt.Errorf("true or false")
		}
		*target = b
	case *int:
		n, ok := integer(raw)
		if !ok || n < -1<<31 || n >= 1<<31 {
			return fmt.Errorf("a whole number")
		}
		*target = int(n)
	case *float64:
		n, err := strconv.ParseFloat(fmt.Sprint(raw), 64)
		if err != nil {
			return fmt.Errorf("a number")
		}
		*target = n
	case *Bytes:
		n, err := ParseBytes(fmt.Sprint(raw))
		if err != nil {
			return fmt.Errorf("a size such as \"64 MiB\"")
		}
		*target = n
	case *time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("a duration such as \"90s\", \"10m\" or \"8h\"")
		}
		*target = d
	case *[]string:
		list, ok := texts(raw)
		if !ok {
			return fmt.Errorf("a list of texts")
		}
		*target = list
	default:
		panic("config: no parser for " + field.Type().String()) // a mistake in our code, found by every test
	}
	return nil
}

func integer(raw any) (int64, bool) {
	switch v := raw.(type) {
	case int64:
		return v, true
	case int:
		return int64(v), true
	case string:
		n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		return n, err == nil
	}
	return 0, false
}

// texts reads a list: of TOML, or comma-separated.
func texts(raw any) (list []string, ok bool) {
	switch v := raw.(type) {
	case string:
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				list = append(list, part)
			}
		}
		return list, true
	case []string:
		return v, true
	case []any:
		for _, x := range v {
			s, isText := x.(string)
			if !isText {
				return nil, false
			}
			list = append(list, s)
		}
		return list, true
	}
	return nil, false
}

// text is a field as the Settings page and the documents show it.
func text(field reflect.Value) string {
	switch v := field.Interface().(type) {
	case []string:
		return strings.Join(v, ", ")
	case time.Duration:
		s := v.String()
		if strings.HasSuffix(s, "m0s") {
			s = s[:len(s)-2]
		}
		if strings.HasSuffix(s, "h0m") {
			s = s[:len(s)-2]
		}
		return s
	}
	return fmt.Sprint(field.Interface())
}
