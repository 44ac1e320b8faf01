// Package alerts holds rules that fire: inactive, pending, firing, resolved, as in Prometheus, on event time.
//
//	inactive --condition--> pending --held for Rule.For--> firing --gone for Rule.HoldDown--> resolved
//	pending --gone--> inactive          resolved --condition--> pending (a new episode when it fires)
//
// Next is pure: it takes the alert as it stands, what was observed and the event time, and returns the alert as it
// stands now and what is to be told. It reads no clock; the same arguments give the same answer.
//
// # Guarantees
//
// One alert per Key and one notification per change of an episode, however often the condition is reported: the key of
// an Action names the episode and the change, so telling it again after a crash can be recognised. Event time never
// goes backwards: an observation older than the newest one changes nothing. A rule with For 0 fires on the first
// observation. A condition that comes back within HoldDown does not end the episode. An acknowledgement belongs to an
// episode and ends with it; it never silences the condition.
//
// # What a caller may not assume
//
// A latched rule (Rule.Latch) does not resolve by itself. Drift alerts are latched, because a detector grows used to a
// drift that stays: silence after an alarm is no recovery. Such an alert is ended by Observation.Resolve, that is by
// a new version or by a person with a reason.
package alerts
