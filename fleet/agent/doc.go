// Package agent is the node's side of the fleet: it learns what is wanted, fetches it, proves it here, and says what came of it.
//
// # Parties
//
// Hub is the wire to the hub, Local the node's own endpoints, Store what survives a restart. Agent.Run joins them: one
// loop waits for documents, one brings the items forward, one reports. What an item does next is decided by Next, a pure function.
//
// Programs is the node's own program, of which the fleet may want another: one item of its own kind, brought forward by NextBinary, as pure. The process that
// works on it ends over it; what was asked for is kept before, and what came of it is observed by whichever process runs then.
//
// # What it promises
//
//   - Nothing unsigned runs, models and programs alike. A document is taken when the director's key of the verified repository signed it, it is for this node,
//     its revision is above the last one taken, and it has not expired; a version when its manifest is the target of the repository.
//     Revisions and versions are on the disk before anything is done for them.
//   - What answers goes on answering. Expired documents, a hub that is gone or lies, a full disk, a clock that is wrong: each
//     stops what is new, never what runs.
//   - The version before stays loaded through the probation; a revert is a change of the endpoint's spec.
//   - Each act is idempotent and is repeated after a crash: the item is kept, what was done is observed.
//   - The version that was committed here before the present one is returned to at once: without a probation, requests or a window. It is
//     loaded and proved, and what it would be compared with is the version that must go.
//   - What was wanted and is not any more leaves nothing beside what answers.
//   - A start of the process in the middle of a probation promotes nothing: what is to answer is being loaded, and the probation's time begins anew.
//   - A digest that was reverted or refused is not tried again, until the document's Again is raised or the reason was
//     the node's and has gone.
//
// # Ways to the hub
//
// The node always calls. Without an answer it waits (Backoff) by full jitter up to as long as the hub has been away, at most two minutes, a hash of its
// id spreads the first calls after an outage, and Retry-After is obeyed. A report that is answered ends the pause of the call for documents.
package agent
