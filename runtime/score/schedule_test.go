package score_test

import (
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/score"
)

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

func TestNextSlot(t *testing.T) {
	for _, c := range []struct{ name, schedule, zone, after, want string }{
		{"a quarter of an hour, from its own second", "every 15m", "", "2026-03-01T10:15:00Z", "2026-03-01T10:30:00Z"},
		{"a quarter of an hour, from within", "every 15m", "", "2026-03-01T10:15:01Z", "2026-03-01T10:30:00Z"},
		{"before 1970", "every 15m", "", "1969-12-31T23:50:00Z", "1970-01-01T00:00:00Z"},
		{"later today", "daily 06:30", "", "2026-03-01T06:29:59Z", "2026-03-01T06:30:00Z"},
		{"tomorrow, since today's has come", "daily 06:30", "", "2026-03-01T06:30:00Z", "2026-03-02T06:30:00Z"},
		{"in the zone", "daily 06:30", "Europe/Berlin", "2026-01-10T00:00:00Z", "2026-01-10T05:30:00Z"},
		{"in the zone's summer", "daily 06:30", "Europe/Berlin", "2026-07-10T00:00:00Z", "2026-07-10T04:30:00Z"},
		{"a time that summer time leaves out is an hour later", "daily 02:30", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00Z"},
		{"a time that comes twice comes once: the first", "daily 02:30", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z"},
		{"and not again", "daily 02:30", "Europe/Berlin", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"},
		{"next Monday", "weekly mon 06:30", "", "2026-11-25T12:00:00Z", "2026-11-30T06:30:00Z"},
		{"Sunday is 0 and 7", "5 4 * * 7", "", "2026-11-25T12:00:00Z", "2026-11-29T04:05:00Z"},
		{"working days", "30 6 * * 1-5", "", "2026-11-27T06:30:00Z", "2026-11-30T06:30:00Z"},
		{"steps and lists", "*/20 8-9,17 * * *", "", "2026-11-25T09:40:00Z", "2026-11-25T17:00:00Z"},
		{"day or weekday, as cron has it", "0 0 13 * 5", "", "2026-11-25T00:00:00Z", "2026-11-27T00:00:00Z"},
		{"day and any weekday", "0 0 13 * *", "", "2026-11-25T00:00:00Z", "2026-12-13T00:00:00Z"},
		{"a leap day", "0 0 29 2 *", "", "2026-11-25T00:00:00Z", "2028-02-29T00:00:00Z"},
	} {
		s, err := score.ParseSchedule(c.schedule, c.zone)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := s.Next(at(c.after)); !got.Equal(at(c.want)) {
			t.Errorf("%s: %s after %s is %s, want %s", c.name, c.schedule, c.after, got.Format(time.RFC3339), c.want)
		}
	}
}

func TestSchedulesThatAreNone(t *testing.T) {
	for _, s := range []string{"sometimes", "every", "every 59s", "every 9000h", "every 90.5s", "every -1h", "daily 24:00", "daily 6:30", "daily +6:30", "weekly un 06:30", "weekly xyz 06:30",
		"* * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "5-1 * * * *", "1,,2 * * * *", "a * * * *", "-1 * * * *", "0 0 31 2 *", "001 * * * *"} {
		if _, err := score.ParseSchedule(s, ""); edgeward.CodeOf(err) != "score.schedule" || edgeward.HintOf(err) == "" {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, z := range []string{"Mars/Base", "Local", "../etc/passwd"} {
		if _, err := score.ParseSchedule("daily 06:30", z); edgeward.CodeOf(err) != "score.zone" {
			t.Errorf("zone %q: %v", z, err)
		}
	}
}

func FuzzParseSchedule(f *testing.F) {
	for _, s := range []string{"every 15m", "daily 06:30", "weekly mon 06:30", "*/5 0-12/3 1,15 * 7"} {
		f.Add(s, "Europe/Berlin")
	}
	f.Fuzz(func(t *testing.T, text, zone string) {
		s, err := score.ParseSchedule(text, zone)
		if err != nil {
			if edgeward.KindOf(err) != edgeward.Invalid {
				t.Fatalf("%q %q: %v", text, zone, err)
			}
			return
		}
		from := at("2026-03-28T23:00:00Z")
		if next := s.Next(from); !next.After(from) {
			t.Fatalf("%q %q: next %s", text, zone, next)
		}
	})
}

// TestSlots: missed slots are one run, a run that goes postpones, a pause loses them.
func TestSlots(t *testing.T) {
	s := score.Scoring{Schedule: "every 15m", Since: at("2026-03-01T10:00:00Z")}
	if due := s.Due(at("2026-03-01T10:14:59Z"), false); !due.IsZero() {
		t.Errorf("due %s", due)
	}
	late := at("2026-03-01T13:07:00Z")
	if due := s.Due(late, true); !due.IsZero() {
		t.Errorf("due %s while a run goes", due)
	}
	if due := s.Due(late, false); !due.Equal(at("2026-03-01T10:15:00Z")) {
		t.Errorf("due %s after three hours of downtime", due)
	}
	s = s.Took("job", late)
	if due := s.Due(late, false); !due.IsZero() || !s.NextRun().Equal(at("2026-03-01T13:15:00Z")) {
		t.Errorf("due %s, next %s", due, s.NextRun())
	}
	s.Paused = true
	if !s.NextRun().IsZero() || !s.Due(at("2027-01-01T00:00:00Z"), false).IsZero() {
		t.Error("paused and due")
	}
	if !(score.Scoring{}).NextRun().IsZero() {
		t.Error("no schedule and a next run")
	}
}
