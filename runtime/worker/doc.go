// Package worker runs native code in a process of its own, so that a crash, an endless loop or a wild allocation in a
// C++ library ends one process that we start again, and never the server.
//
// # Two ends
//
// The parent (a Worker) starts this same program again with the arguments "worker KIND" and its ends of a socket pair and
// of pipes from file descriptor 3 on: a control socket, and a lane for each handler that may run at once. The child meets Dispatch on
// the first line of main (and of TestMain), finds that it was started as a worker, builds the Service of its kind and
// serves until the control socket closes. Nobody else can connect: there is no address. Arguments, environment and stderr carry no data of users.
//
// # Guarantees
//
//   - Death is an answer. If the process dies during a call, the caller gets Unavailable "worker.died" with the cause
//     taken from its last stderr lines (parameter "cause"), or Exhausted "worker.memory" where it ran out of memory.
//   - A call that passes its deadline, or whose ctx is cancelled, is told to stop; if its handler has not come back after
//     Options.Grace the process is killed. So when Call returns, the handler no longer runs. The caller gets
//     Unavailable "worker.timeout" or "worker.canceled" (errors.Is sees context's errors); calls that shared the killed
//     process get "worker.died".
//   - Every such error has a Death in its chain that says which process it was and whether this call may have ended it: one
//     that waited, or shared the process with a call that did not stop, or met a kill from outside, did not.
//   - This package retries nothing. A call that failed with worker.died may have taken effect or not; whoever knows
//     that it is idempotent calls again, at once if it likes, and gets a fresh process. Only processes that die several
//     times with no successful call between are started with a growing delay (up to 5 s), spent inside Call.
//   - Everything is bounded: bytes of a frame (MaxFrame), calls in flight (MaxInFlight, else Exhausted "worker.busy"),
//     handlers at once (Concurrency; further calls wait for a lane in order), address space (MemoryLimit, by RLIMIT_AS,
//     always; where Env.Reserves private memory, by RLIMIT_DATA), the start (StartTimeout).
//   - A process without a call for Options.Idle ends, and its memory goes back to the system; the next call starts a fresh
//     one. No call is lost to that, and it is neither a death nor a failure. What a handler kept between calls is gone, as
//     after a death.
//   - A process that nobody has called for ten seconds gives back what only work needs (runtime/pages), once.
//   - The child has no network: it cannot make an internet socket, nor can what it starts.
//   - The child never outlives the parent: it ends when the socket closes, and the kernel kills it (Pdeathsig) should it
//     be too busy to notice.
//   - Parent and child are the same build, or the child refuses: "worker.build".
//   - Errors cross the socket with kind, code, parameters and hint.
//
// A panic in a handler is not caught: the state of native libraries after it is unknown, so the process ends and the
// panic's text becomes the cause.
//
// # Wire
//
// Frames both ways, little-endian: length of the payload u32, kind u8, alone u8, two zero bytes, call id u64, time left in
// microseconds i64 (0: no deadline), payload. On the control socket the parent opens with hello (JSON: protocol, build,
// kind, limits, Env), the child answers ready or error, and from then on the parent sends cancel there. On a lane one
// call is under way at a time: call (parent), any number of progress and then result or error (child). The calling
// goroutine writes and reads on its lane by itself and a thread of the child waits in the kernel for each: a call costs
// two wake-ups, and no goroutine hands it to another. A lane has three pipes: calls, answers, and answers to calls with
// alone 1, whose caller waits in the kernel as well. Kinds 8 and 9 are reserved for calls and results whose body is a memfd
// passed along on the control socket.
package worker

import (
	"context"
	"time"
)

// The defaults of Options.
const (
	DefaultMemoryLimit  = 4 << 30
	DefaultMaxFrame     = 64 << 20
	DefaultMaxInFlight  = 256
	DefaultStartTimeout = 20 * time.Second
	DefaultGrace        = 2 * time.Second
)

// Handler serves one method. ctx ends at the caller's deadline or cancellation, and with the parent. body is the
// handler's own, except where the Service Borrows it. progress sends a message to the caller at once, in order, and may be called from several goroutines
// until the handler returns. The answer must fit one frame.
type Handler func(ctx context.Context, body []byte, progress func([]byte)) ([]byte, error)

// Service is what a worker of one kind does.
type Service struct {
	Methods map[string]Handler
	Borrows map[string]bool // methods whose handlers keep nothing of body: its memory holds the lane's next request
	Close   func()          // called when the parent has gone or closed; may be nil; has one second
}

// Kinds maps a kind of worker ("infer", "train", "query") to the function that builds its service in the child. An
// error of that function is what the parent's Call returns.
type Kinds map[string]func(Env) (Service, error)

// Env is what the parent tells the child about the place it runs in.
type Env struct {
	NativeDir   string            `json:"native_dir,omitempty"` // root of the unpacked native libraries
	DataDir     string            `json:"data_dir,omitempty"`   // where the kind may keep files; empty: nowhere
	Threads     int               `json:"threads,omitempty"`    // threads native libraries may use for one call; 0: 1
	MemoryLimit uint64            `json:"memory_limit"`         // filled in from Options: bytes of address space beyond the bare process
	Reserves    bool              `json:"reserves,omitempty"`   // the kind's libraries reserve addresses by the terabyte, as CUDA does: the limit is of private memory that can be written
	Values      map[string]string `json:"values,omitempty"`     // settings only the kind understands
}
