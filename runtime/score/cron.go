package score

import (
	"strconv"
	"strings"
	"time"
)

// cron is five sets of numbers, each a bit a number.
type cron struct {
	minutes, hours, days, months, weekdays uint64
	// restricted: day and weekday both were given, so that one of them is enough, as cron has it.
	restricted bool
}

// all is the set of low to high.
func all(low, high int) (set uint64) {
	for i := low; i <= high; i++ {
		set |= 1 << i
	}
	return set
}

func parseCron(f []string) (c cron, ok bool) {
	for i, part := range []struct {
		set       *uint64
		low, high int
	}{{&c.minutes, 0, 59}, {&c.hours, 0, 23}, {&c.days, 1, 31}, {&c.months, 1, 12}, {&c.weekdays, 0, 7}} {
		if *part.set, ok = parseSet(f[i], part.low, part.high); !ok {
			return cron{}, false
		}
	}
	if c.weekdays&(1<<7) != 0 {
		c.weekdays = c.weekdays&^(1<<7) | 1
	}
	c.restricted = !strings.HasPrefix(f[2], "*") && !strings.HasPrefix(f[4], "*")
	return c, true
}

// parseSet reads a list of *, n, a-b, each perhaps with /step.
func parseSet(s string, low, high int) (set uint64, ok bool) {
	for item := range strings.SplitSeq(s, ",") {
		what, by, stepped := strings.Cut(item, "/")
		step := 1
		if stepped {
			if step, ok = number(by, 1, high); !ok {
				return 0, false
			}
		}
		from, to := low, high
		if what != "*" {
			a, b, isRange := strings.Cut(what, "-")
			if from, ok = number(a, low, high); !ok {
				return 0, false
			}
			switch {
			case isRange:
				if to, ok = number(b, from, high); !ok {
					return 0, false
				}
			case !stepped:
				to = from
			}
		}
		for i := from; i <= to; i += step {
			set |= 1 << i
		}
	}
	return set, set != 0
}

func number(s string, low, high int) (int, bool) {
	if len(s) == 0 || len(s) > 2 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil && n >= low && n <= high
}

func (c cron) onDay(t time.Time) bool {
	if c.months&(1<<int(t.Month())) == 0 {
		return false
	}
	day, weekday := c.days&(1<<t.Day()) != 0, c.weekdays&(1<<int(t.Weekday())) != 0
	if c.restricted {
		return day || weekday
	}
	return day && weekday
}

// next is the first time after t, in t's zone; the zero time when there is none in five years.
func (c cron) next(t time.Time) time.Time {
	for i := range 5*366 + 1 {
		day := time.Date(t.Year(), t.Month(), t.Day()+i, 12, 0, 0, 0, t.Location()) // noon: no change of clocks moves it to another day
		if !c.onDay(day) {
			continue
		}
		var first time.Time // a change of clocks may put a later clock time first
		for h := range 24 {
			if c.hours&(1<<h) == 0 {
				continue
			}
			for m := range 60 {
				if c.minutes&(1<<m) == 0 {
					continue
				}
				at := time.Date(day.Year(), day.Month(), day.Day(), h, m, 0, 0, t.Location())
				if at.Hour()*60+at.Minute() < h*60+m { // left out by the change: the other side of it
					at = at.Add(time.Hour)
				}
				if before := at.Add(-time.Hour); before.Hour() == h && before.Minute() == m { // there twice: the first
					at = before
				}
				if at.After(t) && (first.IsZero() || at.Before(first)) {
					first = at
				}
			}
		}
		if !first.IsZero() {
			return first
		}
	}
	return time.Time{}
}
