// Package store keeps the facts of one server: who may do what, which objects exist, what happened. It is the only user
// of bbolt, and no bbolt type leaves it. Bytes (models, data, answers) live in sync/blobs, rows (predictions, metrics,
// logs) in runtime/segment; here is only what must be atomic.
//
// # What it promises
//
//   - When Update returns nil, the change is on the disk: it survives kill -9 and a power cut.
//   - A change is whole or absent: the facts, the event that reports them, the idempotency record and the outgoing message
//     of one Update stand or fall together. A changed fact without an event is refused ("store.write_without_event").
//   - When Update returns kind Unknown ("store.unknown"), the disk failed while committing and the change may or may not be
//     there. From then on every write is refused until the process is started again; reading goes on.
//   - A damaged record is an error ("store.damaged"), never a wrong answer: every value carries a CRC-32C over bucket, key
//     and data. bbolt alone finds no flipped bit in a record.
//   - One process at a time ("store.locked"). A directory of a newer edgeward does not open ("store.newer").
//   - Backup copies a consistent state while writers go on.
//
// What a caller may not do: keep a *Tx after the function has returned, do I/O or wait inside a transaction (a View longer
// than 250 ms is logged), read the clock or make an identifier inside one; pass both in.
//
// # The tree
//
// File store.db. Every value is
//
//	schema uint16 | data | CRC-32C uint32      big endian; CRC over bucket, 0, key, 0, schema, data
//
// where data is JSON of the noun, or for an index the key it points to. A key is "group id, 0, id"; things of the node
// itself have an empty group. Indexes are buckets "ix/<bucket>/<index>" with keys "group, 0, value, 0, id" ("group, 0,
// value" when unique), written in the same transaction.
//
//	meta            format -> format, created; outbox -> last number, how many wait
//	events          seq uint64 big endian -> the event's JSON, as hashed
//	events.tree     tlog stored hash index uint64 -> 32 byte hash, RFC 6962
//	events.head     head -> size, root, last
//	ix/events/group, ix/events/object    group, 0, [kind, 0, id, 0,] seq
//	groups          node/auth: groups            index name
//	users           node/auth: people            index name, group, admin
//	tokens          node/auth: API tokens        index hash, owner
//	sessions        node/auth: browser sessions  index user, expires
//	settings        small values by name: node id, site
//	idempotency     answers to POSTs, 24 h       index expires
//	demo            where the demonstration stands and its report
//	outbox          number uint64 -> MQTT message not yet acknowledged
//	datasets, dataset_versions   runtime/datasets   index data_set, digest
//	models, model_versions       runtime/models
//	candidates                   runtime/models     index endpoint
//	endpoints, endpoint_status   runtime/serve      index model; what is observed, without events
//	jobs                         runtime/jobs       index key, open, scoring
//	scorings                     runtime/score      index topic
//	deliveries                   runtime/score      index due, scoring
//	answered                     ids of MQTT messages that were answered, 24 h    index expires
//	fleet, fleet_codes, fleet_nodes, fleet_assignments, fleet_rollouts, fleet_overlays, fleet_events   fleet/hub: what a hub knows; events index id, node, class
//	fleet_tallies                                  fleet/hub: counts of each node's events
//	fleet_membership, fleet_trust, fleet_kept   what a node knows of its fleet: certificate and key, signed files, items of fleet/agent
//	fleet_witness                               fleet/witness: what a node saw of its hub's log
//	fleet_summaries              fleet/summary: what nodes said of their versions' work, at the hub   index model, day
//	fleet_inquiries              fleet/inquiry: what persons at the hub asked of nodes; the files lie in fleet/inquiries
//	fleet_counts                 fleet/summary: what this node counts
//	fleet_outbox, fleet_queue                   fleet/outbox: events that wait for the hub by class, and how far the hub has the log
//	watches                      node/monitor       state of each endpoint's monitor
//
// Change this drawing first; a test compares it with the buckets that exist.
//
// # Adding a noun
//
// One file: a Collection with its bucket, key and indexes; methods on *Tx where several steps compose, methods on *DB that
// open the transaction for the interface the noun's package declares; its line in catalogue.go; its line above.
//
// # Format
//
// Format is written in meta. Reading format N-1 is the job of N; a kept directory of each old format is in testdata.
package store
