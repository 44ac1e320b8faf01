// Package rollout moves an endpoint of the fleet from one model version to another, some nodes at a time. It is a pure state
// machine: no clock, no goroutine, no I/O. fleet/hub feeds it what nodes reported and renders each node's document from
// what it Wants.
//
// # Order
//
// The nodes of a rollout stand in a fixed order, by a hash of its salt and their id. A wave is the first so many of them. A
// node that joins the fleet while the rollout runs is put at the end, whatever its hash: nobody is updated earlier because it came
// later.
//
// # What is told to whom
//
// Only the nodes in Told are told the new version. Within a wave they are told as the budget allows: at most MaxMoving
// nodes of a site are between being told and being settled, and of a redundant pair never both, and none while the other
// does not answer. A node that is absent when its turn comes is passed over: it is not waited for and is told when the
// rollout has succeeded. A node that is told and then falls silent is waited for: silence is no consent.
//
// # The verdict on a wave
//
//	success        every node told reports the new digest committed, and has for Soak, and as many requests are counted as the Gate asks for
//	failure        more than MaxFailures nodes reverted or refused it by the version's fault, or what all of them show together does not
//	               hold against the plan's Gate (which pauses, unless the plan says roll-back)
//	inconclusive   anything else; after the wave's Deadline the rollout pauses. Where nodes wait for a maintenance window,
//	               it counts from when the last of these opens
//
// A node whose own fault it is (no room, no such device) is set aside: it keeps the old version, and it is said. If a wave has
// nobody left, the rollout pauses.
//
// Failure takes every told node back (OnFailure "pause" leaves them, and a person decides). Rolling back ends when
// every told node that can be seen reports the old digest, or the endpoint gone where there was none before.
//
// # Guarantees
//
//   - Next(Next(r)) with the same arguments changes nothing more: it may be called as often as one likes.
//   - A version that fails on its first nodes is never told to more than the first wave: with the default plan max(1 node, 1 %).
//   - Succeeded means that all told nodes reported the digest, not that they were told.
package rollout
