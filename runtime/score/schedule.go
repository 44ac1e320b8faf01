package score

import (
	"strconv"
	"strings"
	"time"

	"edgeward"
)

// Schedule is when runs are due. The zero Schedule is never.
type Schedule struct {
	every time.Duration // 0: by the clock
	clock cron
	zone  *time.Location
}

// The shortest and longest interval of an "every".
const (
	MinEvery = time.Minute
	MaxEvery = 366 * 24 * time.Hour
)

const scheduleHint = `write "every 15m", "daily 06:30", "weekly mon 06:30", or five fields of cron such as "30 6 * * 1-5"`

// ParseSchedule reads one of
//
//	every DURATION          from a minute to a year, counted from 1970-01-01 UTC: "every 15m" is at :00, :15, :30, :45
//	daily HH:MM
//	weekly DAY HH:MM        DAY is mon to sun
//	MIN HOUR DAY MONTH WEEKDAY    as cron: *, n, a-b, */s, a-b/s, lists by comma; weekday 0 and 7 are Sunday
//
// in a time zone; empty is UTC. A clock time that a change to summer time leaves out is an hour later on that day, one that
// the change back brings twice comes once. Invalid "score.schedule", "score.zone".
func ParseSchedule(text, zone string) (Schedule, error) {
	const op = "score.ParseSchedule"
	bad := func(format string, args ...any) (Schedule, error) {
		return Schedule{}, edgeward.E(op, edgeward.Invalid, "score.schedule", format, args...).WithHint("%s", scheduleHint)
	}
	if len(text) > maxText || len(zone) > 64 {
		return bad("a schedule of %d bytes", len(text))
	}
	s := Schedule{zone: time.UTC}
	if zone != "" {
		var err error
		if s.zone, err = time.LoadLocation(zone); err != nil || zone == "Local" {
			return Schedule{}, edgeward.E(op, edgeward.Invalid, "score.zone", "there is no time zone %.64q", zone).WithHint("write a name such as Europe/Berlin, or UTC")
		}
	}
	f := strings.Fields(text)
	switch {
	case len(f) == 2 && f[0] == "every":
		d, err := time.ParseDuration(f[1])
		if err != nil || d < MinEvery || d > MaxEvery || d%time.Second != 0 {
			return bad("%.40q is no interval of a minute to a year", f[1])
		}
		s.every = d
		return s, nil
	case len(f) == 2 && f[0] == "daily":
		h, m, ok := clockTime(f[1])
		if !ok {
			return bad("%.40q is no time of day", f[1])
		}
		s.clock = cron{minutes: 1 << m, hours: 1 << h, days: all(1, 31), months: all(1, 12), weekdays: all(0, 6)}
		return s, nil
	case len(f) == 3 && f[0] == "weekly":
		h, m, ok := clockTime(f[2])
		day := strings.Index("sunmontuewedthufrisat", f[1])
		if !ok || len(f[1]) != 3 || day < 0 || day%3 != 0 {
			return bad("%.40q is no day and time", f[1]+" "+f[2])
		}
		s.clock = cron{minutes: 1 << m, hours: 1 << h, days: all(1, 31), months: all(1, 12), weekdays: 1 << (day / 3)}
		return s, nil
	case len(f) == 5:
		c, ok := parseCron(f)
		if !ok {
			return bad("%.80q is no line of cron", text)
		}
		s.clock = c
		if s.Next(time.Unix(0, 0)).IsZero() {
			return bad("%.80q never comes", text)
		}
		return s, nil
	}
	return bad("%.80q is no schedule", text)
}

// clockTime reads HH:MM.
func clockTime(s string) (h, m int, ok bool) {
	if len(s) != 5 || s[2] != ':' {
		return 0, 0, false
	}
	h, err1 := strconv.Atoi(s[:2])
	m, err2 := strconv.Atoi(s[3:])
	return h, m, err1 == nil && err2 == nil && h >= 0 && h < 24 && m >= 0 && m < 60 && s[0] != '+' && s[3] != '+'
}

// Next is the first slot after t, in UTC; the zero time when there is none within five years.
func (s Schedule) Next(t time.Time) time.Time {
	switch {
	case s.zone == nil:
		return time.Time{}
	case s.every > 0:
		step := int64(s.every / time.Second)
		sec := t.Unix()
		n := sec / step
		if sec%step < 0 {
			n--
		}
		return time.Unix((n+1)*step, 0).UTC()
	}
	return s.clock.next(t.In(s.zone)).UTC()
}

// schedule is the scoring's; the zero Schedule when it has none.
func (s *Scoring) schedule() (Schedule, error) {
	if s.Schedule == "" && s.Zone == "" {
		return Schedule{}, nil
	}
	if s.Schedule == "" {
		return Schedule{}, edgeward.E("score.Check", edgeward.Invalid, "score.schedule", "a time zone and no schedule").WithHint("%s", scheduleHint)
	}
	return ParseSchedule(s.Schedule, s.Zone)
}

// NextRun is when the schedule wants a run next: a time that has passed when one is overdue. The zero time: never.
func (s Scoring) NextRun() time.Time {
	plan, err := s.schedule()
	if err != nil || s.Paused || s.Schedule == "" {
		return time.Time{}
	}
	return plan.Next(s.Since)
}

// Due returns the slot that is to be run at now, the zero time when none is. busy says that a run of the scoring has not
// ended: then none is. Of several slots that have passed the first is given, and Took passes over the others.
func (s Scoring) Due(now time.Time, busy bool) time.Time {
	if next := s.NextRun(); !busy && !next.IsZero() && !next.After(now) {
		return next
	}
	return time.Time{}
}

// Took is the scoring after a slot became the run of a job at now.
func (s Scoring) Took(job string, now time.Time) Scoring {
	s.Last, s.Since = job, now
	return s
}
