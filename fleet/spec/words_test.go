package spec_test

import (
	"testing"
	"time"

	"edgeward/fleet/spec"
)

// TestSettingsAreSaidInWords holds what diff and the pages print of windows, rates, autonomy and probations.
func TestSettingsAreSaidInWords(t *testing.T) {
	weekend := spec.Span{Days: []spec.Day{"sat", "sun"}, At: "02:00", For: spec.Length(3 * time.Hour), Zone: "Europe/Berlin"}
	for want, got := range map[string]string{
		"activate: sat, sun from 02:00 for 3h, Europe/Berlin": spec.Window{Name: "answers", What: spec.Activate, Span: weekend}.Words(),
		"download: every day from 20:00 for 1h30m":            spec.Window{What: spec.Download, Span: spec.Span{At: "20:00", For: spec.Length(90 * time.Minute)}}.Words(),
		"download: at any time":                               spec.Window{What: spec.Download}.Words(),
		"2MiB/s from the hub, 20MiB/s within the site":        spec.Rate{WAN: 2 << 20, LAN: 20 << 20}.Words(),
		"256KiB/s from the hub, mon from 07:00 for 11h":       spec.Rate{WAN: 256 << 10, Span: spec.Span{Days: []spec.Day{"mon"}, At: "07:00", For: spec.Length(11 * time.Hour)}}.Words(),
		"no limit, sat, sun from 02:00 for 3h, Europe/Berlin": spec.Rate{Span: weekend}.Words(),
		"none":                      spec.Autonomy{}.Words(),
		"local-promote at any time": spec.Autonomy{Mode: spec.LocalPromote, Always: true}.Words(),
		"local-promote once the hub is away for 72h": spec.Autonomy{Mode: spec.LocalPromote, After: spec.Length(72 * time.Hour)}.Words(),
		"as by default": spec.Probation{}.Words(),
		"200 answers are enough, at most 10m, waits where too few come, errors up to 1 %": spec.Probation{Requests: 200, Longest: 10 * time.Minute, Quiet: "wait", Errors: 0.01}.Words(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
