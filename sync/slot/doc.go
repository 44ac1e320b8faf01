// Package slot decides which binary of edgeward runs on a server, and never forgets it: two slots beside the installed program,
// a state that survives power cuts, and the rules by which a new binary is tried, kept or given up.
//
// # Parties
//
// The supervisor (node/supervise) asks Boot what to start before each start, and tells Commit or Fail how a trial ended. The server
// puts a binary into the free slot (Stage) and asks for its trial (Try). Both are processes of one server and take turns by a lock.
// Nothing here starts a process, and no clock is read: time is an argument.
//
// # Files, below the data directory
//
//	slots/a/edgeward, slots/b/edgeward   the binaries (0700)
//	slots/a/good, slots/b/good           sealed; it was committed: what runs where the state is lost
//	slots/state.0, slots/state.1         sealed State; written in turns, the higher number counts
//	slots/database                       the database as it was before a trial that may change its format
//	slots/lock                           held while the state changes
//
// A sealed file is one line with the SHA-256 of the rest, and the rest, JSON. Each is written under another name, synced, renamed,
// and the folder is synced: a power cut leaves the old or the new one. One that is damaged all the same counts as absent: then the
// state before it holds, which repeats a step that is idempotent, or, with both gone, the binary that was committed last, or the installed one.
//
// # Promises
//
//   - What Boot names has the digest it was staged with; the supervisor may rely on it without looking again.
//   - A binary on trial is started at most Tries times. Then, when it is Failed, or when the state cannot be written, what ran before
//     runs again. The program that ran before is never touched by a trial.
//   - A trial of a binary that writes another format of the database begins with a copy of it, and ends, where the program before
//     cannot read what the new one writes, with the copy in its place. The copy is put back before that program starts.
//   - The installed program (/usr/bin/edgeward) is never written. Where it is newer than a slot's, it wins over the slot: a package was installed.
//   - A full disk, a damaged or unwritable state, a slot that was changed behind our back: each means that what ran before runs, or the installed program.
//
// What a caller may not assume: that a binary is worth a trial. Who signed it, whether it fits this machine, whether it answers rightly
// is proved before Try and before Commit, by others.
package slot
