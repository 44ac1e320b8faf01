package scorer

import (
	"strings"
	"testing"

	"edgeward"
)

func TestParseMessage(t *testing.T) {
	allowed := []string{"plant/answers", "lab/"}
	for _, c := range []struct{ name, payload, code, id, reply string }{
		{"fields", `{"id":"a-1","fields":{"x":1}}`, "", "a-1", ""},
		{"rows", `{"rows":[{"x":1},{"x":2}]}`, "", "", ""},
		{"an answer elsewhere", `{"id":"1","fields":{},"reply_to":"plant/answers/press-4"}`, "", "1", "plant/answers/press-4"},
		{"a prefix that ends with a slash", `{"fields":{},"reply_to":"lab/x"}`, "", "", "lab/x"},
		{"a topic that only looks like it", `{"id":"1","fields":{},"reply_to":"plant/answersandmore"}`, "score.reply_to", "1", ""},
		{"the prefix itself", `{"fields":{},"reply_to":"plant/answers"}`, "score.reply_to", "", ""},
		{"a wildcard", `{"fields":{},"reply_to":"plant/answers/+"}`, "score.reply_to", "", ""},
		{"no JSON", `x`, "score.message", "", ""},
		{"nothing", ``, "score.message", "", ""},
		{"two objects", `{"id":"1","fields":{}}{}`, "score.message", "1", ""},
		{"another field", `{"id":"1","feilds":{}}`, "score.message", "1", ""},
		{"an id that is a number", `{"id":1,"fields":{}}`, "score.message", "", ""},
		{"a long id", `{"id":"` + strings.Repeat("x", 201) + `","fields":{}}`, "score.message", "", ""},
		{"an id with a zero byte", `{"id":"\u0000","fields":{}}`, "score.message", "", ""},
		{"deep", strings.Repeat(`{"fields":`, 20000), "score.message", "", ""},
		{"too large", `{"id":"1","fields":{"x":"` + strings.Repeat("x", 256<<10) + `"}}`, "score.message_too_large", "", ""},
	} {
		m, err := parseMessage([]byte(c.payload), allowed)
		if edgeward.CodeOf(err) != c.code || m.ID != c.id || m.ReplyTo != c.reply || err != nil && edgeward.HintOf(err) == "" {
			t.Errorf("%s: %q %q %v, want %q %q %q", c.name, m.ID, m.ReplyTo, err, c.id, c.reply, c.code)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	f.Add([]byte(`{"id":"a","reply_to":"p/x","rows":[{"x":[1,2]}],"event_time":"2026-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"fields":{"x":null}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseMessage(b, []string{"p"})
		if err != nil && edgeward.KindOf(err) != edgeward.Invalid && edgeward.KindOf(err) != edgeward.TooLarge {
			t.Fatal(err)
		}
		if len(m.ID) > maxMessageID || strings.ContainsRune(m.ID, 0) || m.ReplyTo != "" && err == nil && !strings.HasPrefix(m.ReplyTo, "p/") {
			t.Fatalf("%+v", m)
		}
	})
}
