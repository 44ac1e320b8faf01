package spec_test

import (
	"testing"
	"time"

	"edgeward/fleet/spec"
)

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWhenASpanIsOpen(t *testing.T) {
	berlin := zone(t, "Europe/Berlin")
	in := func(l *time.Location, text string) time.Time {
		t.Helper()
		at, err := time.ParseInLocation("2006-01-02 15:04", text, l)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	nights := spec.Span{At: "22:00", For: spec.Length(6 * time.Hour), Zone: "Europe/Berlin"}
	weekend := spec.Span{Days: []spec.Day{"fri"}, At: "20:00", For: spec.Length(58 * time.Hour), Zone: "Europe/Berlin"}
	early := spec.Span{At: "02:30", For: spec.Length(time.Hour), Zone: "Europe/Berlin"}
	for _, row := range []struct {
		name string
		s    spec.Span
		at   time.Time
		open bool
		next time.Time
	}{
		{"always", spec.Span{}, in(berlin, "2026-11-26 12:00"), true, time.Time{}},
		{"by day", nights, in(berlin, "2026-11-26 12:00"), false, in(berlin, "2026-11-26 22:00")},
		{"as it begins", nights, in(berlin, "2026-11-26 22:00"), true, in(berlin, "2026-11-27 22:00")},
		{"after midnight", nights, in(berlin, "2026-11-27 03:59"), true, in(berlin, "2026-11-27 22:00")},
		{"as it ends", nights, in(berlin, "2026-11-27 04:00"), false, in(berlin, "2026-11-27 22:00")},
		{"seen from elsewhere", nights, in(time.UTC, "2026-11-26 21:30"), true, in(berlin, "2026-11-27 22:00")},
		{"Thursday", weekend, in(berlin, "2026-11-26 21:00"), false, in(berlin, "2026-11-27 20:00")},
		{"Sunday", weekend, in(berlin, "2026-11-29 21:00"), true, in(berlin, "2026-12-04 20:00")},
		{"Monday morning", weekend, in(berlin, "2026-11-30 05:59"), true, in(berlin, "2026-12-04 20:00")},
		{"Monday", weekend, in(berlin, "2026-11-30 06:00"), false, in(berlin, "2026-12-04 20:00")},
		{"an hour that is left out", early, in(berlin, "2026-03-29 03:45"), true, in(berlin, "2026-03-30 02:30")}, // 2:30 is 3:30
		{"an hour that comes twice", early, time.Date(2026, 10, 25, 0, 45, 0, 0, time.UTC), false, time.Date(2026, 10, 25, 1, 30, 0, 0, time.UTC)},
		{"the hour's second time", early, time.Date(2026, 10, 25, 1, 45, 0, 0, time.UTC), true, in(berlin, "2026-10-26 02:30")},
	} {
		if got := row.s.Open(row.at, time.UTC); got != row.open {
			t.Errorf("%s: open %v", row.name, got)
		}
		if got := row.s.Next(row.at, time.UTC); !got.Equal(row.next) {
			t.Errorf("%s: next %s, want %s", row.name, got, row.next)
		}
	}
	local := spec.Span{At: "22:00", For: spec.Length(time.Hour)}
	if !local.Open(in(berlin, "2026-11-26 22:30"), berlin) || local.Open(in(berlin, "2026-11-26 22:30"), time.UTC) {
		t.Error("a span without a zone is not the node's own")
	}
}

func TestWindowsOfAPolicy(t *testing.T) {
	noon := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	at := func(name, begin string, what spec.Doing) spec.Window {
		return spec.Window{Name: name, What: what, Span: spec.Span{At: begin, For: spec.Length(time.Hour), Zone: "UTC"}}
	}
	p := spec.Policy{Windows: []spec.Window{at("a", "22:00", spec.Activate), at("b", "11:30", spec.Activate)}}
	if err := p.Check(); err != nil || !p.Open(spec.Activate, noon, nil) || p.Open(spec.Activate, noon.Add(time.Hour), nil) || !p.Open(spec.Download, noon, nil) {
		t.Errorf("one of two is open, and none for downloads: %v", err)
	}
	if next := p.Opens(spec.Activate, noon.Add(time.Hour), nil); next.Hour() != 22 || !p.Opens(spec.Download, noon, nil).IsZero() {
		t.Errorf("next %s", next)
	}
	for name, bad := range map[string]spec.Policy{
		"not in order": {Windows: []spec.Window{at("b", "11:00", spec.Activate), at("a", "12:00", spec.Activate)}},
		"no act":       {Windows: []spec.Window{at("a", "11:00", "sleep")}},
		"twice":        {Rates: []spec.Rate{{Name: "a", WAN: 1 << 20}, {Name: "a", WAN: 1 << 20}}},
		"too slow":     {Rates: []spec.Rate{{Name: "a", LAN: 1}}},
		"no name":      {Rates: []spec.Rate{{WAN: 1 << 20}}},
		"too many":     {Rates: make([]spec.Rate, 51)},
		"days alone":   {Rates: []spec.Rate{{Name: "a", Span: spec.Span{Days: []spec.Day{"mon"}}}}},
	} {
		if bad.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSpeedsAreText(t *testing.T) {
	for text, want := range map[string]spec.Speed{"512KiB/s": 512 << 10, "2MiB": 2 << 20, "1GiB/s": 1 << 30, "1000B/s": 1000} {
		var s spec.Speed
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
		var again spec.Speed
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s became %s", text, s)
		}
	}
	for _, text := range []string{"", "2", "2 M", "2MB/s", "-2MiB", "1.5MiB", "99999999999GiB", "2MiB/h"} {
		var s spec.Speed
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: %d", text, s)
		}
	}
}
