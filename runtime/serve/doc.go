// Package serve puts model versions behind stable endpoints.
//
// # Parties
//
// An Endpoint is the name clients call; all its versions are versions of one model. A person (or the loop, in a
// person's name) writes its Spec: which version is live, which are canaries with what share of the answers, which are
// shadows, which can be chosen by name. The Endpoint's VersionPolicy loads more, to be asked for by number. A Spec changes only through its methods, pure functions that refuse a stale revision. The Server's reconciler
// makes Status follow: it loads a new version beside the old one, warms it with example rows, compares its answers with
// the golden outputs, swaps one pointer, drains the old one by reference count and unloads it.
//
// # Guarantees
//
//   - A request is answered by exactly one version, and the answer names it. No request fails because of a swap.
//   - The same sticky key, or without one the same prediction id, goes to the same version as long as the spec stands: the
//     share is a hash of it.
//   - A request may choose a variant of the spec by its name. One that does not stand there, any more, is as none: a change
//     of the spec fails no request. The answer says which variant, if any, gave it.
//   - A version that does not load or does not give its golden answers never answers: the last good one goes on and
//     Status says degraded with the evidence.
//   - The version before the last promotion stays loaded, so that a roll back is one pointer swap.
//   - Every routed request is also given to each shadow after its answer, through a bounded queue. A full queue drops
//     and counts; an endpoint with ShadowWait makes the caller wait instead, so that every request is really answered.
//   - Requests share the machine's slots. One that finds a slot free runs at once; others wait, the urgent first and nobody
//     for ever, and those that can be joined are answered by one run. Joining happens only where the version proved, when
//     it was loaded, that a row's answer does not depend on the rows beside it. A request whose answer would come after
//     its deadline is refused at once; one whose caller goes leaves the queue, or stops the engine if nobody else waits
//     for that run.
//   - A version that is an inference graph (Composed) is a version like any other: one answer, one record, proved by its own
//     examples from end to end. Its parts are loaded once for all graphs made of them and wait in queues of their own, where
//     requests are joined; the graph itself holds no slot while they wait.
//   - Where a version declares how pictures become an input (models.Manifest), a request may send BYTES, files of JPEG or PNG,
//     in the place of the tensor. They are prepared here, by the declaration of the version that answers (each shadow by its
//     own), so that no protocol and no client can do it in another way; what is run, kept and recorded is the tensor.
//   - A shadow's answers are compared with those the clients got, by the version that gave them, and dropped.
//   - A rate limit, of all callers or of each, counts requests, not rows; one more is refused (Exhausted, retry_after).
//   - In-flight requests of an endpoint are bounded; one more is refused at once (Exhausted, with params retry_after).
//   - An endpoint may say what its versions run on. One that cannot run there runs on the CPU, says so in its status, and the
//     endpoint is degraded; where the device is required it is not loaded instead.
//   - An endpoint may keep answers for equal requests. They belong to the loaded version and end with it. An answer from
//     there is counted, recorded and marked.
//   - An endpoint records so many predictions a second; what comes beyond that is answered, counted and marked, not
//     recorded. Requests that bring their own event time, as a replay's do, are all recorded.
//
// # What a caller may not assume
//
// Inputs given to Infer belong to the Server afterwards (a shadow and the record may still read them): never reuse
// their memory. Outputs are shared with the record: read only. Counters start at zero with the process.
package serve
