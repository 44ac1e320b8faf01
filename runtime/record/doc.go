// Package record keeps what was predicted and what turned out to be true: the prediction log.
//
// A Prediction is one request and its answer by one version in one role. The answer a client got and the copies its
// shadows gave share one id; the pair (id, version) is unique. A Feedback is what somebody, or some system, later said
// of a prediction; it is idempotent by (prediction id, row, source, kind): the same again changes nothing, another value
// corrects, the newest wins and the history stays in the log.
//
// # One log, two promises
//
// Predictions and feedback lie in one append-only log in the order they arrived; the position of an entry is its
// sequence number and never changes. Predictions are durable within 200 ms (the stated loss window of a crash).
// Feedback is durable before AddFeedback returns, and because the log is one, so is the prediction it speaks of.
//
// # Time
//
// Every question about windows is asked in event time. The watermark of an endpoint is the event time up to which truth
// is complete: every prediction at or before it has a truth, or is so much older than the newest truth (Lateness) that
// none is expected any more.
//
// # The stream of pairs
//
// A prediction that got its truth, or a corrected one, is a Pair with the sequence number of the entry that completed
// it. After(cursor) returns the pairs with greater numbers, only those already durable: a consumer that stores the
// cursor together with what it made of the pairs sees each exactly once, across crashes of either.
//
// # Bounds
//
// The index lives in memory (about 600 bytes a prediction with its truth), is rebuilt by scanning the log at Open and holds at most
// Options.MaxPredictions; older ones leave the index first and the disk with retention. Inputs are personal data: what
// of them is kept is the endpoint's Policy, applied before anything is written.
package record
