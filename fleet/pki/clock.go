package pki

import "time"

// far is how wrong a clock may be before the hub's time counts instead.
const far = 24 * time.Hour

// Clock is what a node knows about the time. The zero Clock believes the real-time clock. It is a value; Floor is to be kept with
// the membership and ends with it. The hub itself has nobody to ask: its Clock is Clock{Floor: Authority.Since}, always.
type Clock struct {
	Floor  time.Time     `json:"floor"` // the latest time that a signature of the fleet carried: of a document, of a certificate
	Offset time.Duration `json:"-"`     // to add to the real-time clock; for this run of the process only
}

// At is the time to judge by, when the real-time clock says rtc.
func (c Clock) At(rtc time.Time) time.Time {
	if t := rtc.Add(c.Offset); t.After(c.Floor) {
		return t
	}
	return c.Floor
}

// Signed returns c after a signature of the fleet carried t.
func (c Clock) Signed(t time.Time) Clock {
	if t.After(c.Floor) {
		c.Floor = t
	}
	return c
}

// Heard returns c after the hub said t (the Date of its answer) in a live session, whose TLS proved that it is the hub and that
// nobody replays it. A real-time clock that differs by less than a day is left alone. A floor above t was signed while the
// hub's clock was wrong, and comes down: else one dead battery at the hub would stop every node for good. Who holds the hub's keys can so make a
// node take files of persons for fresh that expired since the hub was taken; the hub's own he could have signed anew anyway.
func (c Clock) Heard(rtc, t time.Time) Clock {
	c.Offset = 0
	if d := t.Sub(rtc); d > far || d < -far {
		c.Offset = d
	}
	if c.Floor.After(t.Add(far)) {
		c.Floor = t
	}
	return c
}

// Wrong reports whether the real-time clock is so wrong that a person should set it.
func (c Clock) Wrong(rtc time.Time) bool { return c.Offset != 0 || rtc.Before(c.Floor.Add(-far)) }
