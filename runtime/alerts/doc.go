// Package alerts holds rules that fire: inactive, pending, firing, resolved, as in Prometheus, on event time.
//
// Next is pure: it takes the alert as it stands, what was observed and the event time, and returns the alert as it
// stands now and what is to be told. It reads no clock; the same arguments give the same answer.
package alerts
