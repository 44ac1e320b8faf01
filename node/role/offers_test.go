package role

import (
	"testing"
	"time"
)

func TestWhenAServerOfTheSiteIsAskedWhatItPromoted(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for name, row := range map[string]struct {
		was    asked
		shares uint32
		want   bool
	}{
		"it never had anything":                {asked{}, 0, false},
		"it has something":                     {asked{}, 7, true},
		"it has said so":                       {asked{7, now.Add(-time.Minute)}, 7, false},
		"that is a while ago":                  {asked{7, now.Add(-6 * time.Minute)}, 7, true},
		"it has something else":                {asked{7, now}, 8, true},
		"it has nothing any more":              {asked{7, now}, 0, true},
		"it has had nothing for long":          {asked{0, now.Add(-time.Hour)}, 0, false},
		"it said so, by a clock of the future": {asked{7, now.Add(time.Hour)}, 7, true},
	} {
		if got := row.was.again(row.shares, now); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
