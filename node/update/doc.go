// Package update is how a server changes its own binary: it takes a file, looks whether it may and can run here, has it prove itself on a
// copy of what this server has, and lets the supervisor try it (node/supervise, sync/slot).
//
// # The way of a binary
//
//	Take    digest, platform, C library, signature of the fleet (or an administrator's word where there is none); then it lies in a slot
//	Start   the binary itself, on a copy of the database (Prove): opens it, loads the live models, gives golden answers; else it ends here
//	        and nothing was stopped. Then the supervisor ends this server and starts the other on the same sockets.
//	Attend  the new one, on trial: what answered before answers again, the database takes a write, the hub is reached if it was. Then it is
//	        kept; the window over or a failure, the one before runs again.
//
// Every step leaves an event; the outcome is noted by whichever of the two runs afterwards.
package update
