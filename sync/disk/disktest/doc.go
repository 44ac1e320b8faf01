// Package disktest cuts the power of a process at any of its changes to a disk, and says what the disk then holds.
//
// The process is a real one: the system's calls that change files under a folder are counted one by one (a filter of seccomp stops it before each, ptrace
// tells the test), and before the chosen one it is killed. So a test sees every state that a kill -9 can leave. With Lost and Scattered the folder is then
// brought back to what a disk may hold after its power went: bytes that were not synced are those of before, all of them or some; names that were made, changed or
// removed in a folder that was not synced since are those of before. With Torn half of the bytes of a last write are there. With Full nobody is
// killed: from the chosen call on everything that needs room is refused, as on a full disk.
//
// The process calls Watched first of all. Linux on amd64 only.
package disktest

// How is what happens at the chosen change.
type How int

// The ways.
const (
	Killed    How = iota // the process ends; what it wrote stands
	Torn                 // it ends in the middle of that write
	Lost                 // the power goes: what was not synced is gone
	Scattered            // the power goes: of what was not synced some is gone
	Full                 // the disk is full from then on; the process is killed when it has not ended after Cut.Patience
	Ways                 // how many there are
)

func (h How) String() string {
	return [...]string{"killed", "torn", "lost", "scattered", "full"}[h]
}
