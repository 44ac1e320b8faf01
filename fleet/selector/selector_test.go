package selector_test

import (
	"fmt"
	"strings"
	"testing"

	"edgeward"
	"edgeward/fleet/selector"
)

func tags(m map[string]string) func(string) (string, bool) {
	return func(k string) (string, bool) { v, ok := m[k]; return v, ok }
}

func TestWhoIsMeant(t *testing.T) {
	press := map[string]string{"line": "3", "kind": "press", "gpu": ""}
	for _, row := range []struct {
		text, canonical string
		meant           bool
	}{
		{"", "", true},
		{"  ", "", true},
		{"line=3", "line=3", true},
		{" line = 3 ", "line=3", true},
		{"line=4", "line=4", false},
		{"line!=4", "line!=4", true},
		{"line!=3", "line!=3", false},
		{"ward!=3", "ward!=3", true}, // no such tag
		{"ward=3", "ward=3", false},
		{"line in (4, 3)", "line in (3,4)", true},
		{"line in(3)", "line=3", true},
		{"line notin (4,5)", "line notin (4,5)", true},
		{"line notin (3)", "line!=3", false},
		{"gpu", "gpu", true},
		{"gpu=", "gpu=", true},
		{"!gpu", "!gpu", false},
		{"!ward", "!ward", true},
		{"ward", "ward", false},
		{"line=3,kind=press", "kind=press,line=3", true},
		{"line=3,kind=oven", "kind=oven,line=3", false},
		{"line=3,line=3", "line=3", true},
		{"in in (a)", "in=a", false},
		{"place=hall 3", "place=hall 3", false},
	} {
		s, err := selector.Parse(row.text)
		if err != nil || s.String() != row.canonical || s.Matches(tags(press)) != row.meant {
			t.Errorf("%q: %q %v %v, want %q %v", row.text, s, s.Matches(tags(press)), err, row.canonical, row.meant)
		}
	}
}

func TestWhatIsNoSelector(t *testing.T) {
	for _, s := range []string{",", "line=3,", ",line=3", "Line=3", "3=line", "line=3 kind=4)", "line in", "line in ()", "line in (3", "line in (3,)", "line in 3", "line ~ 3", "!line=3", "line=(3)", "line=\"3\"", "line=a\tb",
		"line=\xff", strings.Repeat("a", 2000), strings.Repeat("a,", 30) + "a", "line in (3) kind"} {
		if got, err := selector.Parse(s); edgeward.CodeOf(err) != "fleet.selector" || edgeward.HintOf(err) == "" {
			t.Errorf("%.40q: %v, %v", s, got, err)
		}
	}
}

func TestTags(t *testing.T) {
	many := map[string]string{}
	for i := range selector.MaxTags + 1 {
		many[fmt.Sprintf("t%d", i)] = ""
	}
	for name, m := range map[string]map[string]string{
		"too many": many, "a reserved key": {"site": "north"}, "no name": {"Line": "3"}, "a comma": {"line": "3,4"}, "a space at the end": {"line": "3 "}, "too long": {"line": strings.Repeat("x", 201)},
		"a line break": {"line": "3\n4"},
	} {
		if err := selector.CheckTags(m); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := selector.CheckTags(map[string]string{"line": "3", "place": "Halle 3 Süd", "gpu": ""}); err != nil {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"line=3", "line in (3,4),!gpu", "a notin (b)", "k!=v", "in in (in)"} {
		f.Add(s, "3")
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		s, err := selector.Parse(text)
		if err != nil {
			return
		}
		again, err := selector.Parse(s.String())
		if err != nil || again.String() != s.String() {
			t.Errorf("%q became %q, and that %q, %v", text, s, again, err)
		}
		get := func(string) (string, bool) { return value, value != "" }
		if s.Matches(get) != again.Matches(get) {
			t.Errorf("%q and %q mean others", text, s)
		}
	})
}

func ExampleSelector_Matches() {
	s, _ := selector.Parse("line=3, kind in (press, oven)")
	node := map[string]string{"line": "3", "kind": "press"}
	fmt.Println(s, s.Matches(func(k string) (string, bool) { v, ok := node[k]; return v, ok }))
	// Output: kind in (oven,press),line=3 true
}
