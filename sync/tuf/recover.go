package tuf

import (
	"bytes"
	"time"

	"edgeward"
)

// Recover returns own with the files of theirs that are newer, sealed by the hub above both, and whether there were any: a hub that was restored
// from a backup gets back from a node what persons have signed since. Theirs is verified whole, from the same first root; nothing of it is believed
// for being a node's.
func Recover(own, theirs Set, hub Key, now time.Time) (Set, bool, error) {
	const op = "tuf.Recover"
	mine, err := own.open(noTime)
	if err != nil {
		return own, false, edgeward.Wrap(op, err)
	}
	if theirs.Pin() != own.Pin() || len(theirs.Roots) < len(own.Roots) {
		return own, false, edgeward.E(op, edgeward.Forbidden, "fleet.pin", "the signed files are of another fleet, or older")
	}
	for i, r := range own.Roots {
		if !bytes.Equal(r, theirs.Roots[i]) {
			return own, false, edgeward.E(op, edgeward.Forbidden, "fleet.pin", "root %d is another one", i+1)
		}
	}
	if _, err := theirs.open(noTime); err != nil {
		return own, false, edgeward.Wrap(op, err)
	}
	next := own
	next.Roots = theirs.Roots
	changed := len(theirs.Roots) > len(own.Roots)
	for _, role := range []string{Targets, Models, Revoked, Releases, Snapshot, Timestamp} {
		if b := theirs.current(role); versionOf(b) > versionOf(own.current(role)) {
			next, changed = next.with(role, b), true
		}
	}
	if !changed {
		return own, false, nil
	}
	if hub.Public() != mine.charter.Hub {
		return own, false, edgeward.E(op, edgeward.Conflict, "fleet.hub_key", "the charter names another key for the hub than the one it has")
	}
	if next, err = next.seal(hub, false, now); err != nil {
		return own, false, edgeward.Wrap(op, err)
	}
	if _, err := next.open(noTime); err != nil {
		return own, false, edgeward.Wrap(op, err)
	}
	return next, true, nil
}
