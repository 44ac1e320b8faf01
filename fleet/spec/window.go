package spec

import (
	"slices"
	"time"
)

// Open reports whether w is open at t, in t's location. A window that ends before it begins goes over midnight and belongs to the day it
// begins on.
func (w Window) Open(t time.Time) bool {
	from, okFrom := minutes(w.From)
	until, okUntil := minutes(w.Until)
	on := func(d time.Weekday) bool { return len(w.Days) == 0 || slices.Contains(w.Days, d) }
	if !okFrom && !okUntil {
		return on(t.Weekday())
	}
	if !okUntil {
		until = 24 * 60
	}
	now := t.Hour()*60 + t.Minute()
	if from < until {
		return on(t.Weekday()) && now >= from && now < until
	}
	return on(t.Weekday()) && now >= from || on((t.Weekday()+6)%7) && now < until
}

// Check reports why w is no window.
func (w Window) Check() error {
	for _, s := range []string{w.From, w.Until} {
		if _, ok := minutes(s); s != "" && !ok {
			return invalid("window", "%.20q is no time of day such as 22:00", s)
		}
	}
	for _, d := range w.Days {
		if d < 0 || d > 6 {
			return invalid("window", "days are 0 (Sunday) to 6")
		}
	}
	return nil
}

// minutes reads "22:00" as minutes since midnight.
func minutes(s string) (int, bool) {
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil
}
