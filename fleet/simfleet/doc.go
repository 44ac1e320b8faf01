// Package simfleet is a whole fleet inside testing/synctest: a real hub, real agents, virtual time, and faults by a seed.
//
// # What is real
//
// fleet/hub with its HTTP handler, its driver of rollouts and its long polls; fleet/agent with its wire (but for TLS and TCP), its
// verifier of signatures, its items; fleet/outbox; sync/tuf with real keys. What they keep goes through JSON and survives kill -9, as on a disk.
//
// # What is a model
//
//   - The line: a call takes a delay and some jitter, is lost before or after the hub has done what it asks, comes twice, or its body breaks
//     off. A cut or dead hub is found out after some seconds. TLS, TCP and certificates' dates are not there; who calls is known.
//   - The machine: an endpoint with the rules of runtime/serve (live, previous, shadows; a version answers once it is loaded, the old one until then),
//     a load of so many requests a second, and versions that are bad in one of the ways gates look for (Version).
//   - The disk: maps. A node may have a real blob store and sync/pull (Options.Disk); else files come over the wire into memory and are held against their digests.
//
// # What is the same with each seed
//
// All dice of the network, the machines, the faults, and of agents' and queues' pauses are thrown by seed, caller and count. Delays are odd in their
// nanoseconds, so that nearly never two things happen at one instant. So the trace is the same: what the hub notes of rollouts and of nodes'
// standing, in order, with the virtual time to the millisecond, and in the end each node's version, phase and code (Fleet.Trace). Keys, ids of certificates and
// signatures are not: they are random and not in it. It holds with GOMAXPROCS 1 (the tests set it): with more, two goroutines of one agent that are woken at one instant may run in
// either order, and a report then says one phase more or less.
//
// Only tests import this package.
package simfleet
