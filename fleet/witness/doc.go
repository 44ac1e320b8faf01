// Package witness has the nodes of a fleet watch over the log of their hub. The hub's log is a chain and an RFC 6962 tree (node/events). Whoever has the
// hub's machine can rewrite it whole; so each node keeps the last head that it saw, and takes a later one only with the proof that the later log begins with
// the one that it saw. One node that keeps its disk is enough to find a log that was rewritten.
//
// # Parties
//
// The hub answers Statements: size and root of its log, signed by the key that signs documents, and the proof from the size that the node has. A Witness on a
// node asks when it starts, after each document that it took, and each ten minutes; where nothing is new the answer is empty. What it keeps is Kept; what an
// answer changes is decided by Kept.Hear, a pure function.
//
// # What it promises
//
//   - A head is believed if the hub's present key signed it for this fleet. Two heads of one term that do not fit are both kept as they were signed: they prove
//     to anybody that the hub, or who has its key, told two stories. They stay when the hub shows the first story again or begins a new term: the first head that did
//     not fit and the newest seven others, in the node's store and its backups.
//   - In one term of the hub the head never goes back, and each head is proved to be a continuation of the one before. What does not fit is never taken; the
//     finding stays until the hub shows a log again that leads through what was seen, or begins a new term.
//   - A new term, which begins with each restore from a backup, may have another log. What the backup did not know is lost, and is said (Shorter): the last head of
//     the term before is kept, so that an export of the old log can still be held against it. Who hides a rewritten log behind a new term says so at every node.
//   - Nothing that runs and nothing that is new depends on it. It is evidence for people.
//
// # What it does not see
//
// A program of the hub that writes no event, or shows nodes less than it has; and what was written and rewritten between two looks. Two nodes that are shown two logs are
// found by holding what they keep against one export, which is what the verification at the hub does with what all nodes report, and "audit verify-file" does with what
// was brought from a node.
package witness
