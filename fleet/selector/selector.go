// Package selector says which servers of a fleet are meant, by their tags. It is a leaf: no clock, no I/O.
//
// A selector is a list of terms with commas between them; a server is meant if all terms hold. The empty selector means all.
//
//	term   = key "=" value             the tag is there and has this value
//	       | key "!=" value            it has another value, or is not there
//	       | key " in (" values ")"    it has one of these values
//	       | key " notin (" values ")" it has none of them, or is not there
//	       | key                       it is there
//	       | "!" key                   it is not there
//	key    = a name (edgeward.CheckName)
//	value  = up to 200 bytes of printable text without comma, parentheses and quotes; spaces around it do not count
//
// Some keys are not tags but known of every server (Reserved). String is canonical: two selectors that say the same in another order
// have the same text.
package selector

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"edgeward"
)

// Bounds of a selector and of a server's tags.
const (
	MaxLength = 1000 // bytes
	maxTerms  = 20
	maxValues = 50
	MaxTags   = 32
	MaxValue  = 200 // bytes of a tag's value
)

// Reserved are the keys that are known of every server and cannot be tags.
var Reserved = []string{"arch", "name", "os", "pair", "site", "standing", "version"}

// Selector is safe to copy. The zero Selector means all.
type Selector struct{ terms []term }

type term struct {
	key    string
	not    bool     // the opposite is meant
	any    bool     // whatever its value
	values []string // sorted
}

// Parse reads a selector. Error: Invalid "fleet.selector".
func Parse(s string) (Selector, error) {
	var out Selector
	if len(s) > MaxLength {
		return out, bad("it is longer than %d bytes", MaxLength)
	}
	if !utf8.ValidString(s) {
		return out, bad("it is no text")
	}
	for rest := strings.TrimSpace(s); rest != ""; {
		t, after, err := one(rest)
		if err != nil {
			return Selector{}, err
		}
		if out.terms = append(out.terms, t); len(out.terms) > maxTerms {
			return Selector{}, bad("it has more than %d terms", maxTerms)
		}
		after = strings.TrimSpace(after)
		if after == "" {
			break
		}
		comma, ok := strings.CutPrefix(after, ",")
		if rest = strings.TrimSpace(comma); !ok || rest == "" {
			return Selector{}, bad("after %.40q a comma and another term must follow", t.String())
		}
	}
	slices.SortFunc(out.terms, func(a, b term) int { return strings.Compare(a.String(), b.String()) })
	out.terms = slices.CompactFunc(out.terms, func(a, b term) bool { return a.String() == b.String() })
	return out, nil
}

// one reads a term off the front of s.
func one(s string) (t term, rest string, err error) {
	s, t.not = strings.CutPrefix(s, "!")
	absent := t.not
	s = strings.TrimSpace(s)
	end := strings.IndexFunc(s, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	if end < 0 {
		end = len(s)
	}
	t.key, rest = s[:end], strings.TrimSpace(s[end:])
	if edgeward.CheckName("tag", t.key) != nil {
		return t, "", bad("%.40q does not begin with the name of a tag", s)
	}
	word := func(w string) (string, bool) {
		after, ok := strings.CutPrefix(rest, w)
		return strings.TrimSpace(after), ok && strings.HasPrefix(strings.TrimSpace(after), "(")
	}
	switch {
	case rest == "" || rest[0] == ',':
		t.any = true
		return t, rest, nil
	case absent:
		return t, "", bad("after !%s nothing may follow", t.key)
	case strings.HasPrefix(rest, "!="), strings.HasPrefix(rest, "="):
		t.not = rest[0] == '!'
		rest = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(rest, "!"), "="), "=")
		v, after := rest, ""
		if i := strings.IndexByte(rest, ','); i >= 0 {
			v, after = rest[:i], rest[i:]
		}
		t.values = []string{strings.TrimSpace(v)}
		return t, after, t.check()
	}
	list, ok := word("in")
	if !ok {
		if list, t.not = word("notin"); !t.not {
			return t, "", bad("after %s one of =, !=, in (…) and notin (…) must follow", t.key)
		}
	}
	inner, after, ok := strings.Cut(list[1:], ")")
	if !ok {
		return t, "", bad("the parenthesis after %s is not closed", t.key)
	}
	for v := range strings.SplitSeq(inner, ",") {
		if v = strings.TrimSpace(v); v == "" {
			return t, "", bad("a value in the parentheses after %s is empty", t.key)
		}
		t.values = append(t.values, v)
	}
	slices.Sort(t.values)
	t.values = slices.Compact(t.values)
	if len(t.values) > maxValues {
		return t, "", bad("%s has more than %d values", t.key, maxValues)
	}
	return t, after, t.check()
}

func (t term) check() error {
	for _, v := range t.values {
		if why := badValue(v); why != "" {
			return bad("the value %.40q of %s %s", v, t.key, why)
		}
	}
	return nil
}

// String is the term in its canonical form.
func (t term) String() string {
	switch {
	case t.any && t.not:
		return "!" + t.key
	case t.any:
		return t.key
	case len(t.values) == 1 && t.not:
		return t.key + "!=" + t.values[0]
	case len(t.values) == 1:
		return t.key + "=" + t.values[0]
	case t.not:
		return t.key + " notin (" + strings.Join(t.values, ",") + ")"
	}
	return t.key + " in (" + strings.Join(t.values, ",") + ")"
}

// String is the selector in its canonical form.
func (s Selector) String() string {
	words := make([]string, len(s.terms))
	for i, t := range s.terms {
		words[i] = t.String()
	}
	return strings.Join(words, ",")
}

// All reports whether s means everybody.
func (s Selector) All() bool { return len(s.terms) == 0 }

// Matches reports whether s means a server; get returns the value of a tag.
func (s Selector) Matches(get func(key string) (string, bool)) bool {
	for _, t := range s.terms {
		v, ok := get(t.key)
		if (ok && (t.any || slices.Contains(t.values, v))) == t.not {
			return false
		}
	}
	return true
}

// CheckTags reports why m cannot be a server's tags. Error: Invalid "fleet.tags".
func CheckTags(m map[string]string) error {
	refuse := func(format string, args ...any) error {
		return edgeward.E("selector.CheckTags", edgeward.Invalid, "fleet.tags", format, args...)
	}
	if len(m) > MaxTags {
		return refuse("at most %d tags", MaxTags)
	}
	for k, v := range m {
		if err := edgeward.CheckName("tag", k); err != nil {
			return err
		}
		if slices.Contains(Reserved, k) {
			return refuse("%s is known of every server and is no tag", k)
		}
		if why := badValue(v); why != "" {
			return refuse("the value of tag %s %s", k, why)
		}
	}
	return nil
}

// badValue says why v is no value of a tag.
func badValue(v string) string {
	switch {
	case len(v) > MaxValue:
		return "is longer than 200 bytes"
	case v != strings.TrimSpace(v):
		return "begins or ends with a space"
	case !utf8.ValidString(v) || strings.ContainsAny(v, `,()"'`) || strings.ContainsFunc(v, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "has a comma, a parenthesis, a quote or something that is not printed"
	}
	return ""
}

func bad(format string, args ...any) error {
	return edgeward.E("selector.Parse", edgeward.Invalid, "fleet.selector", format, args...).WithHint("write terms such as line=3, ward in (a,b), line!=4, gpu or !gpu, with commas between them")
}
