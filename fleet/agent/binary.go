package agent

import (
	"fmt"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// Program is what is so of the node's own program.
type Program struct {
	Runs  edgeward.Digest   // "" if it is not known
	Slots []edgeward.Digest // what else can be started: staged, or run before
	Busy  bool              // one proves itself, is switched to or is on trial: nobody can say yet what runs
	// Failed was given up, last: before its trial or on it.
	Failed edgeward.Digest
	For    string // the id under which it was tried
	Reason edgeward.Error
}

// BinaryItem is the binary that the fleet wants here. It is kept with each change.
type BinaryItem struct {
	Want   spec.Binary `json:"want"`
	Gone   bool        `json:"gone,omitempty"` // the fleet no longer says
	State  spec.State  `json:"state"`
	Starts int         `json:"starts,omitempty"` // how often the fleet had it run
	Tries  int         `json:"tries,omitempty"`  // of an act, since the last one that went well
	Next   time.Time   `json:"next,omitzero"`    // not tried before
}

// maxStarts is how often a start is begun of which nothing is seen: neither that it runs nor that it was given up.
const maxStarts = 3

// BinaryObserved is what is so here and now.
type BinaryObserved struct {
	Program
	Download, Activate bool      // the windows are open
	Opens              time.Time // as Observed has it
	Waits, Unfit       edgeward.Error
	Here               bool           // its bytes
	Problem            edgeward.Error // of the last try of an act; Code is empty if there was none or it went well
}

// The acts on a program, besides Fetch. All are idempotent.
const (
	Stage  Act = "stage"  // put it into a slot
	Start  Act = "start"  // have it prove itself and run
	Return Act = "return" // to what ran before
	Forget Act = "forget" // the item
)

// wantsBinary returns the item as it is when a document wants w; nil where none is wanted and none was.
func wantsBinary(i *BinaryItem, w *spec.Binary, now time.Time) *BinaryItem {
	if i == nil && w == nil {
		return nil
	}
	var next BinaryItem
	if i != nil {
		next = *i
	}
	if w == nil {
		next.Gone = true
		return &next
	}
	same := i != nil && i.Want.Digest == w.Digest
	runs := i != nil && i.State.Phase == spec.Committed && i.State.Code == ""
	if same && (i.Want.Again == w.Again || !i.State.Phase.Settled() || runs) {
		next.Want, next.Gone = *w, false
		return &next
	}
	k := w.Key()
	return &BinaryItem{Want: *w, State: spec.State{Group: k.Group, Name: k.Name, Want: w.Digest, Live: next.State.Live, Phase: spec.Offered, Since: now}}
}

// NextBinary returns the item as it stands after what is observed, and what is to be done; "" nothing. Like Next it has no side effects.
// Offered to staged are as an endpoint's; probation is the proof on a copy of the data, the switch and the trial (node/update).
func NextBinary(i BinaryItem, o BinaryObserved, now time.Time) (BinaryItem, Act) {
	if o.Busy {
		return i, ""
	}
	i = i.within(now)
	i.State.Live = o.Runs
	runs, gaveUp := o.Runs == i.Want.Digest, o.Failed == i.Want.Digest && o.For == i.try()
	slotted := slices.Contains(o.Slots, i.Want.Digest)
	if i.Gone {
		return i.gone(runs, o, now)
	}
	switch i.State.Phase {
	case spec.Offered, spec.Staged, spec.Probing:
		if runs {
			return i.enter(spec.Committed, now), ""
		}
	}
	if i.State.Phase == spec.Probing && gaveUp {
		return i.fail(spec.Reverted, now, binaryFault(o.Reason.Code), o.Reason), ""
	}
	if !i.State.Phase.Settled() && o.Waits.Code != "" { // not signed, revoked or stale: nothing more is done for it
		return i.says(o.Waits), ""
	}
	switch i.State.Phase {
	case spec.Offered:
		switch {
		case o.Unfit.Code != "":
			return i.fail(spec.Refused, now, spec.OfNode, o.Unfit), ""
		case slotted:
			return i.enter(spec.Staged, now), ""
		}
		return i.enter(spec.Admitted, now), ""
	case spec.Admitted:
		if o.Here || o.Download {
			return i.enter(spec.Fetching, now), ""
		}
		return i.waits(o), ""
	case spec.Fetching:
		switch {
		case o.Here:
			return i.enter(spec.Verified, now), ""
		case !o.Download:
			return i.waits(o), ""
		}
		return i.says(o.Problem).due(now, Fetch)
	case spec.Verified:
		switch {
		case slotted:
			return i.enter(spec.Staged, now), ""
		case !o.Here:
			return i.enter(spec.Fetching, now), ""
		case o.Problem.Code != "" && o.Problem.Kind == edgeward.Invalid: // it is no program, or does not run
			return i.fail(spec.Refused, now, spec.OfVersion, o.Problem), ""
		}
		return i.says(o.Problem).due(now, Stage)
	case spec.Staged:
		switch {
		case !slotted: // somebody took its slot
			return i.enter(spec.Offered, now), ""
		case !o.Activate:
			return i.waits(o), ""
		}
		i = i.enter(spec.Probing, now)
		i.Starts++
		return i, Start
	case spec.Probing: // it could not be begun, or this process ended over it
		switch {
		case !slotted:
			return i.enter(spec.Offered, now), ""
		case o.Problem.Code != "":
			return i.says(o.Problem).due(now, Start)
		case i.Starts >= maxStarts: // a proof for which there is no room can end the server itself
			return i.fail(spec.Reverted, now, spec.OfVersion, edgeward.Error{Code: "update.exits", Err: fmt.Errorf("it was begun %d times, and this server ended each time", i.Starts)}), ""
		}
		i.Starts++
		return i, Start
	case spec.Committed: // who changed the program by hand, or by a package, is not overruled, but it is said
		if runs {
			return i.says(edgeward.Error{}), ""
		}
		return i.says(edgeward.Error{Code: "fleet.program_changed", Err: fmt.Errorf("somebody changed the program of this server")}), ""
	case spec.Refused:
		if i.State.Fault == spec.OfNode && o.Unfit.Code == "" && o.Waits.Code == "" {
			return i.enter(spec.Offered, now), ""
		}
	}
	return i, ""
}

// gone takes back what the fleet had started.
func (i BinaryItem) gone(runs bool, o BinaryObserved, now time.Time) (BinaryItem, Act) {
	if !runs || i.Starts == 0 || o.For == i.back() && o.Failed != "" { // what ran before does not run any more: the new one stays
		return i, Forget
	}
	if o.Problem.Code == "update.no_previous" {
		return i, Forget
	}
	return i.due(now, Return)
}

// within is that of Item.
func (i BinaryItem) within(now time.Time) BinaryItem {
	x := Item{State: i.State, Next: i.Next}.within(now)
	i.State, i.Next = x.State, x.Next
	return i
}

// due is act, unless its next try is later.
func (i BinaryItem) due(now time.Time, act Act) (BinaryItem, Act) {
	if now.Before(i.Next) {
		return i, ""
	}
	return i, act
}

func (i BinaryItem) enter(p spec.Phase, now time.Time) BinaryItem {
	i.State.Phase, i.State.Since, i.Tries, i.Next = p, now, 0, time.Time{}
	return i.says(edgeward.Error{})
}

func (i BinaryItem) says(err edgeward.Error) BinaryItem {
	i.State.Code, i.State.Reason, i.State.Fault, i.State.Opens = err.Code, "", "", time.Time{}
	if err.Code != "" {
		i.State.Reason = because(&err)
	}
	return i
}

func (i BinaryItem) waits(o BinaryObserved) BinaryItem {
	i.State = Item{State: i.State}.waits(Observed{Opens: o.Opens}).State
	return i
}

func (i BinaryItem) fail(p spec.Phase, now time.Time, fault spec.Fault, err edgeward.Error) BinaryItem {
	i = i.enter(p, now).says(err)
	i.State.Fault = fault
	return i
}

// try names one try of a binary: another Again is another one.
func (i BinaryItem) try() string { return fmt.Sprintf("%s#%d", i.Want.Rollout, i.Want.Again) }

// back names the way back from it.
func (i BinaryItem) back() string { return i.try() + " back" }

// binaryFault says whose it is that a binary did not come to stay. What is not plainly the node's is the binary's: it ends the rollout.
func binaryFault(code string) spec.Fault {
	switch code {
	case "update.disk", "update.copy", "update.damaged", "update.packaged", "update.older", "update.supervisor", "update.empty":
		return spec.OfNode
	}
	return spec.OfVersion
}
