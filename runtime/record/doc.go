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
// # Two forms
//
// What arrives is written as frames (see encode.go). Run makes each finished file, 8 MiB or a day of them, Parquet (see row
// for its columns, Schema for their number), one file a second at most, so that the query worker can read it and it takes
// a fraction of the room. Everything answers alike from both forms. A crash while a file is sealed leaves the one form or
// the other, never both and never half; retention takes whole files of either.
//
// WriteTable and Table are what the query worker needs to write the predictions of an endpoint with their feedback as one
// table.
//
// # At rest
//
// With Options.Keys every byte of an entry is encrypted on the disk, in both forms (packages segment and vault). Files of
// before, and those under an older data key, are read, and written anew in the background, a file a second at most; when
// none is left, the older data keys are forgotten. A log whose keys are missing is opened by Locked: it takes nothing,
// tells nothing, and changes no file.
//
// # Forgetting
//
// Forget is durable when it returns: from then on nothing tells of the endpoint's entries. Their bytes leave the disk
// without waiting for retention: Run at once finishes the open file, seals what waits without them, writes those sealed
// files anew that hold some, and removes bytes that were moved aside, because nobody can say whose they are. That takes as
// long as reading the log's sealed files once, two small columns of each, and writing the affected ones (about a quarter of
// a second for 8 MiB of frames on the reference machine; of a log of 4 GiB that holds the endpoint everywhere, two
// minutes), and begins again at the next start if a crash comes between. Three things keep the bytes longer, and nothing
// else: a disk that refuses (it is tried every 30 s and logged), a sealed file that cannot be read (logged; it goes with
// retention), and exports and backups that are being written while it happens. Bytes are unlinked, not overwritten: what
// a disk keeps of removed files is the matter of its encryption. Backups made before hold what they held. Feedback that
// format 1 wrote to predictions which had left the index by the time it was sealed does not know its endpoint, and goes
// with retention.
//
// # Bounds
//
// The index lives in memory (about 600 bytes a prediction with its truth), is rebuilt at Open from the columns it needs of
// sealed files and by scanning the frames, and holds at most Options.MaxPredictions; older ones leave the index first and
// the disk with retention. Inputs are personal data: what of them is kept is the endpoint's Policy, applied before
// anything is written.
package record
