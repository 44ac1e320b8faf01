package spec

import (
	"slices"
	"sync"
	"time"
	_ "time/tzdata" // servers in cellars have no zones of their own

	"edgeward"
)

// Doing is what a window is for.
type Doing string

// What windows are for.
const (
	Download Doing = "download" // bytes may come
	Activate Doing = "activate" // another version may begin to answer
)

// Span is a time of each week: it begins at At on each of Days and lasts For. The zero Span is always.
type Span struct {
	Days []Day  `json:"days,omitempty" yaml:"days,omitempty" doc:"days it begins on: mon to sun; none: every day"`
	At   string `json:"at,omitempty" yaml:"at,omitempty" doc:"time of day, such as 22:00"`
	For  Length `json:"for,omitzero" yaml:"for,omitempty" doc:"how long, such as 4h; at most a week"`
	Zone string `json:"zone,omitempty" yaml:"zone,omitempty" doc:"time zone, such as Europe/Berlin; none: the node's own"`
}

// Window is when something may be done. Of several for the same act one must be open.
type Window struct {
	Name string `json:"name" yaml:"name"`
	What Doing  `json:"what" yaml:"what" enum:"download,activate"`
	Span `yaml:",inline"`
}

// Always reports whether s is no time in particular.
func (s Span) Always() bool { return s.At == "" }

// week is the longest a span lasts.
const week = 7 * 24 * time.Hour

// Open reports whether t lies within s. here is the zone of a Span without one.
func (s Span) Open(t time.Time, here *time.Location) bool {
	if s.Always() {
		return true
	}
	for i := 0; i <= int(s.For.Duration()/(24*time.Hour))+1; i++ {
		if from, ok := s.begin(t, -i, here); ok && !t.Before(from) && t.Before(from.Add(s.For.Duration())) {
			return true
		}
	}
	return false
}

// Next is when s begins the next time after t; zero if it is always.
func (s Span) Next(t time.Time, here *time.Location) time.Time {
	for i := 0; i <= 8 && !s.Always(); i++ {
		if from, ok := s.begin(t, i, here); ok && from.After(t) {
			return from
		}
	}
	return time.Time{}
}

// begin is when s begins on the day so many days after t's, and whether it begins on that day. An hour that a change of the clocks leaves out
// begins an hour later, and one that comes twice counts the second time.
func (s Span) begin(t time.Time, days int, here *time.Location) (time.Time, bool) {
	if s.Zone != "" {
		if l, ok := zone(s.Zone); ok {
			here = l
		}
	}
	if here == nil {
		here = time.Local
	}
	at, err := time.Parse("15:04", s.At)
	if err != nil {
		return time.Time{}, false
	}
	y, m, d := t.In(here).Date()
	from := time.Date(y, m, d+days, at.Hour(), at.Minute(), 0, 0, here)
	return from, len(s.Days) == 0 || slices.Contains(s.Days, dayOf(time.Date(y, m, d+days, 12, 0, 0, 0, here).Weekday()))
}

// Check reports why s is no span.
func (s Span) Check() error {
	if s.Always() {
		if len(s.Days) > 0 || s.For != 0 || s.Zone != "" {
			return invalid("span", "days, for and zone need at, the time of day it begins")
		}
		return nil
	}
	if _, err := time.Parse("15:04", s.At); err != nil {
		return invalid("span", "%.20q is no time of day such as 22:00", s.At)
	}
	if s.For.Duration() < time.Minute || s.For.Duration() > week {
		return invalid("span", "for is a minute to a week (168h), not %s", s.For.Duration())
	}
	if len(s.Days) > 7 {
		return invalid("span", "a week has seven days")
	}
	for _, d := range s.Days {
		if !slices.Contains(weekdays, d) {
			return invalid("span", "%.20q is no day: mon, tue, wed, thu, fri, sat, sun", string(d))
		}
	}
	if _, ok := zone(s.Zone); !ok || s.Zone == "Local" {
		return invalid("span", "%.60q is no time zone such as Europe/Berlin", s.Zone)
	}
	return nil
}

// zones are those that were asked for, by name: a node asks each second, and time.LoadLocation reads a file each time.
var zones sync.Map

// zone finds a time zone by a name of at most 60 bytes, and reads it once.
func zone(name string) (*time.Location, bool) {
	if l, ok := zones.Load(name); ok {
		return l.(*time.Location), true
	}
	if len(name) > 60 {
		return nil, false
	}
	l, err := time.LoadLocation(name)
	if err == nil {
		zones.Store(name, l)
	}
	return l, err == nil
}

// Check reports why w is no window.
func (w Window) Check() error {
	if err := edgeward.CheckName("window", w.Name); err != nil {
		return err
	}
	if w.What != Download && w.What != Activate {
		return invalid("window", "window %s is for download or activate, not %.20q", w.Name, string(w.What))
	}
	return w.Span.Check()
}

// Open reports whether what may be done at t: there is no window for it, or one is open.
func (p Policy) Open(what Doing, t time.Time, here *time.Location) bool {
	some := false
	for _, w := range p.Windows {
		if w.What != what {
			continue
		}
		if some = true; w.Open(t, here) {
			return true
		}
	}
	return !some
}

// Opens is when the next window for what begins after t; zero if there is none.
func (p Policy) Opens(what Doing, t time.Time, here *time.Location) (first time.Time) {
	for _, w := range p.Windows {
		if at := w.Next(t, here); w.What == what && !at.IsZero() && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// maxNamed bounds windows and rates.
const maxNamed = 50

// Check reports why p cannot be obeyed.
func (p Policy) Check() error {
	if len(p.Windows) > maxNamed || len(p.Rates) > maxNamed {
		return invalid("policy", "at most %d windows and %d rates", maxNamed, maxNamed)
	}
	for i, w := range p.Windows {
		if i > 0 && p.Windows[i-1].Name >= w.Name {
			return invalid("policy", "windows are not in order or stand twice: %s", w.Name)
		}
		if err := w.Check(); err != nil {
			return err
		}
	}
	for i, r := range p.Rates {
		if i > 0 && p.Rates[i-1].Name >= r.Name {
			return invalid("policy", "rates are not in order or stand twice: %s", r.Name)
		}
		if err := r.Check(); err != nil {
			return err
		}
	}
	return p.Autonomy.Check()
}

// Day is a day of the week: "mon" to "sun".
type Day string

var weekdays = []Day{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

func dayOf(d time.Weekday) Day { return weekdays[d] }

// Length is how long something lasts. Its text is Go's: "4h", "1h30m".
type Length time.Duration

// Duration is l as Go counts it.
func (l Length) Duration() time.Duration { return time.Duration(l) }

// MarshalText implements encoding.TextMarshaler.
func (l Length) MarshalText() ([]byte, error) { return []byte(time.Duration(l).String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Length) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || len(b) > 40 {
		return invalid("length", "%.40q is no length of time such as 4h or 90m", b)
	}
	*l = Length(d)
	return nil
}
