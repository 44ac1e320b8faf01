// Package node is the composition root: it opens the parts of one server, connects them, runs them and closes them. It
// holds no rules.
//
// # The data directory
//
//	store.db      facts (node/store)
//	blobs/        bytes by digest (sync/blobs)
//	records/      predictions and feedback (runtime/segment)
//	native/       native libraries, unpacked by digest (runtime/native)
//	broker/       sessions and retained messages of the embedded broker
//	tls/          this server's own CA and certificate, made when one is needed
//	slots/        programs that this server was updated to (sync/slot)
//	temp/         scratch; emptied at start
//	edgeward.sock commands of this machine's administrator reach the server here (mode 0600)
//
// # Order
//
// Open takes the store's lock first: a second server on one directory fails before it does anything. Listeners are bound
// in Open as well, so that a taken address is an error of the start and not of a goroutine. Run starts what answers
// requests last and stops it first; then the monitor and the jobs stop, which still write; then the records, which they
// wrote to, are synced; the store closes last.
package node
