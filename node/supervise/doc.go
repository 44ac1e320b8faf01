// Package supervise keeps a server running through updates of its own binary: one process, the supervisor, starts the server as its
// child, holds its listening sockets, and changes the binary behind them. What runs is decided by sync/slot; here it is started, watched and stopped.
//
// # Parties
//
// Supervisor is the parent (edgeward supervise), Link the child's end (edgeward serve, where it was started by a supervisor). They speak over
// an inherited socket: messages of Message as JSON, one a packet, with at most one descriptor. New fields are optional and unknown
// messages are passed over, because the two may be of different versions.
//
// # What it promises
//
//   - A listening socket outlives the process that answers on it: connections that come while one binary ends and the next begins wait in the
//     kernel and are answered. The server lets requests under way end before it ends itself.
//   - A binary on trial proves itself (Proved) within slot.Dir's window, or what ran before runs again: when it says so itself (Failed), exits
//     for the third time, says nothing any more, or is late.
//   - A server that dies is started again, after 1 s, 2 s, up to 30 s. One that never got ready since the supervisor began, and is not on
//     trial, ends the supervisor with its exit code: a mistake in the configuration is for a person.
//   - One that is silent (Alive) for Options.Silence is killed and started again.
//   - The supervisor gives its own place to the binary of a slot last, by exec, once the server of that binary is ready. Child and sockets stay.
//     It does so at most three times without hearing that it went well, so that a supervisor that cannot work never stops the next from starting.
//   - When the supervisor is killed, the server sees its end of the socket close and ends as well.
//
// It works without systemd; with it, by Type=notify: READY when the server first is, WATCHDOG as long as it is alive.
package supervise
