// Package scorer is what makes scorings go by themselves: it looks at the clock and queues the runs that schedules ask
// for, sends results to their sinks until they have arrived, and answers what comes by MQTT. It has no rules of its own:
// runtime/score says when something is due, node/work does it.
//
// # Clock and crashes
//
// Run wakes at the next time that something is due, when it is told that something changed, and once a minute in any case,
// because the clock may be moved. A run of a slot has a key of the slot, so a crash between queueing it and noting it
// changes nothing. An attempt of a delivery is noted after it was made: a crash in between repeats it under the same id.
//
// # Outbound
//
// This package opens connections to the webhooks that the administrator configured, and to nothing else: no redirect is
// followed, no proxy of the environment is used. It writes to the drop folders that the administrator configured: a file
// appears whole, under a name of our own making. Messages go through the outbox (fleet/mqtt).
package scorer
