package edgeward_test

import (
	"strings"
	"testing"

	"edgeward"
)

func TestNearest(t *testing.T) {
	words := []string{"age", "ward", "weekday"}
	for word, want := range map[string]string{"agee": "age", "wadr": "ward", "week_day": "weekday", "": "age", strings.Repeat("ward", 1<<16): "ward"} {
		if got := edgeward.Nearest(word, words); got != want && len(word) < 100 {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := edgeward.Nearest("age", nil); got != "" {
		t.Errorf("of no words %q", got)
	}
}
