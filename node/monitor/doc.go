// Package monitor watches each endpoint whose live version carries a drift reference, and answers drift with the loop.
//
// # What it joins
//
// The prediction log gives pairs of answer and truth; runtime/drift turns the live version's pairs into verdicts;
// runtime/alerts decides what fires; runtime/loop decides what is to be done; this package does it: it queues training
// and evaluation jobs, changes the endpoint's spec, keeps candidates, and puts drift reports into the MQTT outbox. It has
// no rules of its own.
//
// # Order and crashes
//
// One goroutine (Run) steps all endpoints, so what it observes is in order. A Watch is the state of one endpoint: the
// detector, the cursor in the log, the loop. Pairs are taken target step by target step; after each step the loop is
// asked what to do, its actions are done, and then the Watch is saved together with alert, report and event. A crash
// repeats from the saved cursor; detectors are deterministic and actions carry keys, so nothing is done twice.
//
// # Classifiers that were imported
//
// They bring no residuals. What people say of their answers takes that place (judged.go): the first judged answers are
// the reference, the next the control run, then the detector looks at 1 for wrong and 0 for right. Their alarm trains
// nothing and waits for a person; when it is dismissed, the detector begins anew.
//
// # Event time
//
// Everything runs on the event time of the data. The watermark is the last target up to which all truth has come, or is
// so late that none is expected. A server that gets two years of truth in a minute lives through two years.
package monitor
