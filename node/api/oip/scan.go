package oip

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"edgeward"
)

// maxDepth bounds how deep JSON may be nested; a tensor has at most 16 dimensions.
const maxDepth = 32

// maxKeys bounds the keys of one object.
const maxKeys = 256

// scanner reads JSON (RFC 8259) from a whole buffer, value by value, and refuses what two readers could understand in
// two ways: duplicate keys and invalid UTF-8.
type scanner struct {
	b     []byte
	i     int
	depth int
}

func (s *scanner) bad(format string, args ...any) error {
	return edgeward.E("oip.scan", edgeward.Invalid, "request.json", "byte %d: "+format, append([]any{s.i}, args...)...).
		WithHint("send the request as the Open Inference Protocol describes it, as strict JSON")
}

// peek returns the first byte of the next token, 0 at the end.
func (s *scanner) peek() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// take consumes c if it is the next token.
func (s *scanner) take(c byte) bool {
	if s.peek() == c && s.i < len(s.b) {
		s.i++
		return true
	}
	return false
}

// end reports whether only white space is left.
func (s *scanner) end() error {
	if s.peek(); s.i < len(s.b) {
		return s.bad("something follows the request")
	}
	return nil
}

// raw consumes a string and returns it with quotes and escapes.
func (s *scanner) raw() ([]byte, bool, error) {
	if !s.take('"') {
		return nil, false, s.bad("a string should stand here")
	}
	start, plain := s.i-1, true
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start:s.i], plain, nil
		case c == '\\':
			plain = false
			s.i++
			if err := s.escape(); err != nil {
				return nil, false, err
			}
		case c < 0x20:
			return nil, false, s.bad("a control character in a string")
		case c < utf8.RuneSelf:
			s.i++
		default:
			r, n := utf8.DecodeRune(s.b[s.i:])
			if r == utf8.RuneError && n == 1 {
				return nil, false, s.bad("invalid UTF-8")
			}
			s.i += n
		}
	}
	return nil, false, s.bad("a string does not end")
}

func (s *scanner) escape() error {
	if s.i >= len(s.b) {
		return s.bad("a string does not end")
	}
	c := s.b[s.i]
	s.i++
	if c != 'u' {
		if bytes.IndexByte([]byte(`"\/bfnrt`), c) < 0 {
			return s.bad("an unknown escape")
		}
		return nil
	}
	for range 4 {
		if s.i >= len(s.b) || !isHex(s.b[s.i]) {
			return s.bad("an unknown escape")
		}
		s.i++
	}
	return nil
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|32 >= 'a' && c|32 <= 'f' }

// text consumes a string and returns its value.
func (s *scanner) text() (string, error) {
	b, plain, err := s.raw()
	if err != nil {
		return "", err
	}
	if plain {
		return string(b[1 : len(b)-1]), nil
	}
	var out string
	if err := json.Unmarshal(b, &out); err != nil {
		return "", s.bad("%v", err)
	}
	return out, nil
}

// number consumes a number and returns it as it is written.
func (s *scanner) number() ([]byte, error) {
	s.peek()
	start := s.i
	digits := func() bool {
		from := s.i
		for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
			s.i++
		}
		return s.i > from
	}
	at := func(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }
	if at('-') {
		s.i++
	}
	zero := at('0')
	first := s.i
	if !digits() || zero && s.i > first+1 {
		return nil, s.bad("a number should stand here")
	}
	if at('.') {
		s.i++
		if !digits() {
			return nil, s.bad("a number ends in a point")
		}
	}
	if at('e') || at('E') {
		s.i++
		if at('+') || at('-') {
			s.i++
		}
		if !digits() {
			return nil, s.bad("a number ends in an exponent without digits")
		}
	}
	return s.b[start:s.i], nil
}

// word consumes true, false or null.
func (s *scanner) word(w string) bool {
	s.peek()
	if bytes.HasPrefix(s.b[s.i:], []byte(w)) {
		s.i += len(w)
		return true
	}
	return false
}

// boolean consumes true or false.
func (s *scanner) boolean() (bool, error) {
	switch {
	case s.word("true"):
		return true, nil
	case s.word("false"):
		return false, nil
	}
	return false, s.bad("true or false should stand here")
}

// object consumes an object; each must consume the value of the key it is given.
func (s *scanner) object(each func(key string) error) error {
	if !s.take('{') {
		return s.bad("an object should stand here")
	}
	if s.depth++; s.depth > maxDepth {
		return s.bad("nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.take('}') {
		return nil
	}
	var keys []string
	for {
		key, err := s.text()
		if err != nil {
			return err
		}
		if slices.Contains(keys, key) {
			return edgeward.E("oip.scan", edgeward.Invalid, "request.duplicate_key", "byte %d: key %.80q stands twice in one object", s.i, key).
				With("key", key).WithHint("send each key once")
		}
		if keys = append(keys, key); len(keys) > maxKeys {
			return s.bad("an object has more than %d keys", maxKeys)
		}
		if !s.take(':') {
			return s.bad("a colon should stand here")
		}
		if err := each(key); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if !s.take(',') {
			return s.bad("a comma or the end of an object should stand here")
		}
	}
}

// array consumes an array; each must consume the element with the number it is given.
func (s *scanner) array(each func(i int) error) error {
	if !s.take('[') {
		return s.bad("an array should stand here")
	}
	if s.depth++; s.depth > maxDepth {
		return s.bad("nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := each(i); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if !s.take(',') {
			return s.bad("a comma or the end of an array should stand here")
		}
	}
}

// skip consumes any value.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(func(string) error { return s.skip() })
	case c == '[':
		return s.array(func(int) error { return s.skip() })
	case c == '"':
		_, _, err := s.raw()
		return err
	case c == '-' || c >= '0' && c <= '9':
		_, err := s.number()
		return err
	case s.word("true"), s.word("false"), s.word("null"):
		return nil
	}
	return s.bad("a value should stand here")
}
