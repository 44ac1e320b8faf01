package spec

import (
	"strconv"
	"strings"
	"time"

	"edgeward"
)

// Rate is how fast bytes may come at some time. Of the rates that hold at a time those with a Span count before those that are always,
// and among these the slowest.
type Rate struct {
	Name string `json:"name" yaml:"name"`
	WAN  Speed  `json:"wan,omitzero" yaml:"wan,omitempty" doc:"from the hub, such as 2MiB/s; none: as fast as it goes"`
	LAN  Speed  `json:"lan,omitzero" yaml:"lan,omitempty" doc:"from and to servers of the site"`
	Span `yaml:",inline"`
}

// MinSpeed is the slowest rate: a slower source would count as one that hangs.
const MinSpeed Speed = 8 << 10

// Check reports why r is no rate.
func (r Rate) Check() error {
	if err := edgeward.CheckName("rate", r.Name); err != nil {
		return err
	}
	for _, v := range []Speed{r.WAN, r.LAN} {
		if v != 0 && v < MinSpeed {
			return invalid("rate", "rate %s: the slowest is %s", r.Name, MinSpeed)
		}
	}
	return r.Span.Check()
}

// Speeds are what holds at t; zero is no limit.
func (p Policy) Speeds(t time.Time, here *time.Location) (wan, lan Speed) {
	slowest := func(always bool, of func(Rate) Speed) (s Speed) {
		for _, r := range p.Rates {
			if v := of(r); v > 0 && r.Always() == always && (s == 0 || v < s) && r.Open(t, here) {
				s = v
			}
		}
		return s
	}
	holds := func(of func(Rate) Speed) Speed {
		if s := slowest(false, of); s > 0 {
			return s
		}
		return slowest(true, of)
	}
	return holds(func(r Rate) Speed { return r.WAN }), holds(func(r Rate) Speed { return r.LAN })
}

// Speed is bytes a second. Its text is a number with B, KiB, MiB or GiB, and "/s": "2MiB/s".
type Speed int64

var speeds = []struct {
	unit string
	n    Speed
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// String is s as people write it.
func (s Speed) String() string {
	for _, u := range speeds {
		if s%u.n == 0 && s != 0 || u.n == 1 {
			return strconv.FormatInt(int64(s/u.n), 10) + u.unit + "/s"
		}
	}
	return ""
}

// MarshalText implements encoding.TextMarshaler.
func (s Speed) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Speed) UnmarshalText(b []byte) error {
	text := strings.TrimSuffix(string(b), "/s")
	for _, u := range speeds {
		number, ok := strings.CutSuffix(text, u.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err == nil && n >= 0 && n <= int64(1<<40/u.n) {
			*s = Speed(n) * u.n
			return nil
		}
		break
	}
	return invalid("speed", "%.40q is no speed such as 512KiB/s or 2MiB/s", b)
}
