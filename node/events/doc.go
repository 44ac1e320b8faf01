// Package events is the product's one log: what happened, to what, by whom and why.
//
// # What an event is
//
// Every change of a fact appends one Event in the same transaction as the fact (node/store does that), so there is no
// fact without its event and no event without its fact. Audit, the live feed of the web page, triggers and the hub's
// synchronisation all read this one log. High-rate data (predictions, metrics, log lines) is not in it.
//
// # Order and chain
//
// Order is Seq, which starts at 1 and has no gaps; Time is what the clock said and may go backwards. Each event holds in
// Prev the record hash of the event before it, and the record hashes are the leaves of an RFC 6962 Merkle tree
// (golang.org/x/mod/sumdb/tlog). The hashed bytes are the JSON exactly as it was stored: Hash(raw), never a re-encoding.
// Whoever kept a Head of yesterday can prove that today's log still starts with yesterday's (tlog.ProveTree); whoever has
// only the log finds an edit, a removal, an insertion or a swap as long as the attacker did not rewrite all that follows.
//
// # Following it live
//
// A Feed keeps no copies and no queues: a follower holds a sequence number, is woken after each commit and reads the log
// itself. So a slow follower lags and loses nothing, memory is bounded, and resuming is passing the last number seen.
package events
