package spec

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// Words says what w is for and when, for people: "download: sat, sun from 02:00 for 3h, Europe/Berlin". The name is not in it.
func (w Window) Words() string { return string(w.What) + ": " + w.Span.Words() }

// Words says how fast bytes may come and when, for people: "2MiB/s from the hub, every day from 07:00 for 11h". The name is not in it.
func (r Rate) Words() string {
	var out []string
	if r.WAN != 0 {
		out = append(out, r.WAN.String()+" from the hub")
	}
	if r.LAN != 0 {
		out = append(out, r.LAN.String()+" within the site")
	}
	if len(out) == 0 {
		out = append(out, "no limit")
	}
	if !r.Always() {
		out = append(out, r.Span.Words())
	}
	return strings.Join(out, ", ")
}

// Words says when s is, for people: "mon, fri from 20:00 for 1h30m, Europe/Berlin", "at any time".
func (s Span) Words() string {
	if s.Always() {
		return "at any time"
	}
	days := make([]string, len(s.Days))
	for i, d := range s.Days {
		days[i] = string(d)
	}
	text := cmp.Or(strings.Join(days, ", "), "every day") + " from " + s.At + " for " + lasting(s.For.Duration())
	if s.Zone != "" {
		text += ", " + s.Zone
	}
	return text
}

// Words says what a node may do by itself and from when on, for people.
func (a Autonomy) Words() string {
	switch {
	case a.Mode != LocalPromote:
		return string(None)
	case a.Always:
		return string(a.Mode) + " at any time"
	}
	return string(a.Mode) + " once the hub is away for " + lasting(a.After.Duration())
}

// Words says what p sets otherwise than by default, for people.
func (p Probation) Words() string {
	var out []string
	add := func(there bool, text string) {
		if there {
			out = append(out, text)
		}
	}
	percent := func(x float64) string { return strconv.FormatFloat(100*x, 'g', 6, 64) + " %" }
	times := func(x float64) string { return strconv.FormatFloat(x, 'g', 6, 64) + " times" }
	add(p.Requests != 0, strconv.Itoa(p.Requests)+" answers are enough")
	add(p.Longest != 0, "at most "+lasting(p.Longest))
	add(p.Quiet == "wait", "waits where too few come")
	add(p.Quiet != "" && p.Quiet != "wait", p.Quiet+"s where too few come")
	add(p.Disagree != 0, "other classes up to "+percent(p.Disagree))
	add(p.Shift != 0, "numbers shifted up to "+percent(p.Shift))
	add(p.Errors != 0, "errors up to "+percent(p.Errors))
	add(p.Slower != 0, "p99 up to "+times(p.Slower)+" the old one")
	add(p.Memory != 0, "memory up to "+times(p.Memory)+" the old one's")
	add(p.Unlike, "other outputs are meant")
	return cmp.Or(strings.Join(out, ", "), "as by default")
}

// lasting is Go's text of d without the parts that are nothing: "3h", "1h30m".
func lasting(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
