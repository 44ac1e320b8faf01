package agent

import (
	"fmt"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// Item is an endpoint that the fleet wants here. It is kept with each change.
type Item struct {
	Want  spec.Endpoint `json:"want"`
	Gone  bool          `json:"gone,omitempty"` // the fleet no longer wants the endpoint
	State spec.State    `json:"state"`
	Made  bool          `json:"made,omitempty"` // the agent made the endpoint
	// Proved is the version that was committed here before the wanted one, and was not left to return to that.
	Proved  edgeward.Digest `json:"proved,omitempty"`
	Returns bool            `json:"returns,omitempty"` // the wanted version is what Proved was
	Left    []spec.Endpoint `json:"left,omitempty"`    // was wanted before, and may still stand beside what answers
	// Answers is the time from which the wanted version answers, in the second half of its probation; zero in the first.
	Answers time.Time `json:"answers,omitzero"`
	Before  Served    `json:"before,omitzero"` // what the wanted version had answered when it began to
	Again   int       `json:"again,omitempty"` // Want.Again of the last try
	Tries   int       `json:"tries,omitempty"` // to fetch, since the last success
	Next    time.Time `json:"next,omitzero"`   // not fetched before
	Local   uint64    `json:"local,omitempty"` // Want is that of a promotion of this node: its Seq
	// First is the version that answers before anything else is done: what a promotion of this node had been put over. Zero: nothing has to.
	First     spec.Endpoint `json:"first,omitzero"`
	FirstFrom time.Time     `json:"first_from,omitzero"`
}

// Served counts answers of one version.
type Served struct {
	Answers uint64 `json:"answers"`
	Errors  uint64 `json:"errors"`
}

// Observed is what is so here and now. The agent fills it in before each Next.
type Observed struct {
	Download, Activate bool      // the windows are open
	Opens              time.Time // the next time that the one the item's phase waits for is; zero if it is open

	Waits edgeward.Error // why it may not be newly installed: it is not signed, or revoked, or the hub is away; Code is empty if it may be
	Unfit edgeward.Error // Code is empty if the version fits
	Here  bool           // manifest and files are verified and registered
	Done  int64          // bytes of Total that are here
	Total int64
	Fetch edgeward.Error // of the last try, since the item fetches; Code is empty if it goes on or went well

	Exists   bool            // the endpoint
	Standing edgeward.Digest // what the endpoint's spec wants live, loaded or not
	Live     edgeward.Digest // what answers; after a start nothing does until it is loaded
	Previous edgeward.Digest // what a roll back returns to
	Shadow   bool            // the wanted version is the endpoint's shadow
	Target   bool            // the wanted version is what the endpoint's spec wants live
	Loaded   bool            // it is loaded and proved
	Failure  edgeward.Error  // why it cannot be; Code is empty if it can or it is not known yet
	Seen     spec.Evidence   // Compared, Unlike, Rows, Disagree, Shift, Slower, Memory
	Served   Served          // live answers of the wanted version since the process started
}

// Act is something to be done. All are idempotent.
type Act string

// The acts.
const (
	Fetch    Act = "fetch"    // bring manifest and files, register the version
	Shadow   Act = "shadow"   // make the endpoint if need be, and the version its shadow
	Promote  Act = "promote"  // make the endpoint if need be, and the version live
	Withdraw Act = "withdraw" // the shadow
	Back     Act = "roll back"
	Remove   Act = "remove"  // the endpoint
	Restore  Act = "restore" // make Item.First live
)

// firstWithin is how long an item waits for Item.First to answer.
const firstWithin = 5 * time.Minute

// Wants returns the item as it is when a document wants w of it.
func (i Item) Wants(w spec.Endpoint, now time.Time) Item {
	i.Gone = false
	if i.Want.Digest == w.Digest && (i.Want.Again == w.Again || !i.State.Phase.Settled() || i.State.Phase == spec.Committed) {
		i.Want = w // of the same version something else: its title, its probation
		return i
	}
	i.Returns = i.Proved != "" && w.Digest == i.Proved
	switch {
	case i.Returns:
		i.Proved = "" // that it left is left for a reason
	case i.State.Phase == spec.Committed:
		i.Proved = i.Want.Digest
	}
	if i.State.Phase == spec.Probing || i.State.Phase == spec.Reverted {
		i.Left = append(slices.Clone(i.Left), i.Want)
	}
	i.Left = slices.DeleteFunc(slices.Clone(i.Left), func(l spec.Endpoint) bool { return l.Digest == w.Digest })
	i.Want = w
	i.Answers, i.Tries, i.Next, i.Again = time.Time{}, 0, time.Time{}, w.Again
	i.State = spec.State{Group: w.Group, Name: w.Name, Want: w.Digest, Live: i.State.Live, Previous: i.State.Previous, Phase: spec.Offered, Since: now}
	return i
}

// Next returns the item as it stands after what is observed, and what is to be done. It has no side effects and may be called
// again with the same arguments. fleet/DESIGN.md draws the phases.
func Next(i Item, o Observed, now time.Time) (Item, []Act) {
	i.State.Live, i.State.Previous = o.Live, o.Previous
	i = i.within(now)
	if i.Gone {
		if i.Made && o.Exists {
			return i, []Act{Remove}
		}
		return i, nil
	}
	if i.First.Digest != "" {
		if o.Exists && o.Live != i.First.Digest && now.Before(i.FirstFrom.Add(firstWithin)) {
			return i, []Act{Restore}
		}
		i.First, i.FirstFrom = spec.Endpoint{}, time.Time{}
	}
	switch i.State.Phase {
	case spec.Offered:
		return i.offered(o, now)
	case spec.Admitted:
		if o.Here || o.Download {
			return i.enter(spec.Fetching, now), nil
		}
		return i.waits(o), nil
	case spec.Fetching:
		return i.fetching(o, now)
	case spec.Verified, spec.Staged:
		return i.staged(o, now)
	case spec.Probing:
		if i.Answers.IsZero() {
			return i.shadowed(o, now)
		}
		return i.answering(o, now)
	case spec.Committed:
		return i.committed(o, now)
	case spec.Reverted:
		return i.reverted(o)
	case spec.Refused:
		if i.State.Fault == spec.OfNode && o.Unfit.Code == "" && o.Waits.Code == "" { // there is room now
			return i.enter(spec.Admitted, now), nil
		}
	}
	return i, nil
}

// within brings back to now what a wrong clock put into the future: a battery that was empty must not put a try off by decades.
func (i Item) within(now time.Time) Item {
	if i.State.Since.After(now) {
		i.State.Since = now
	}
	if i.Answers.After(now) {
		i.Answers = now
	}
	if i.FirstFrom.After(now) {
		i.FirstFrom = now
	}
	if i.Next.After(now.Add(2 * longest)) {
		i.Next = now
	}
	return i
}

// Restarted returns the item as it is when the process starts: the time of its probation begins anew, because what was counted is gone, and because the clock
// may be another one.
func (i Item) Restarted(now time.Time) Item {
	if i.State.Phase != spec.Probing {
		return i
	}
	i.State.Since = now
	if !i.Answers.IsZero() {
		i.Answers, i.Before = now, Served{}
	}
	return i
}

func (i Item) enter(p spec.Phase, now time.Time) Item {
	i.State.Phase, i.State.Since = p, now
	i.State.Code, i.State.Reason, i.State.Fault, i.State.Opens = "", "", "", time.Time{}
	return i
}

// waits says that the item waits for a window, and when that opens.
func (i Item) waits(o Observed) Item {
	i.State.Code, i.State.Reason, i.State.Opens = spec.WaitsForWindow, "waits for the window", o.Opens
	if !o.Opens.IsZero() {
		i.State.Reason = "waits for the window, opens " + o.Opens.Format("Mon 15:04 MST")
	}
	return i
}

// because is what a person reads of e, here and at the hub: what is wrong, and what to do about it.
func because(e *edgeward.Error) string { return hinted(edgeward.Words(e), edgeward.HintOf(e)) }

func hinted(problem, hint string) string {
	if hint == "" {
		return problem
	}
	return problem + ": " + hint
}

func (i Item) fail(p spec.Phase, now time.Time, fault spec.Fault, code, format string, args ...any) Item {
	i = i.enter(p, now)
	i.State.Code, i.State.Reason, i.State.Fault = code, fmt.Sprintf(format, args...), fault
	return i
}

func (i Item) offered(o Observed, now time.Time) (Item, []Act) {
	switch {
	case o.Live == i.Want.Digest && o.Target: // it was promoted by a person, or before a crash
		return i.enter(spec.Committed, now), nil
	case o.Target: // and will answer as soon as it is loaded
		i.State.Code, i.State.Reason = o.Failure.Code, ""
		if o.Failure.Code != "" {
			i.State.Reason = edgeward.Words(&o.Failure)
		}
		return i, nil
	case i.returns(o):
		return i, []Act{Back}
	case o.Waits.Code != "":
		i.State.Code, i.State.Reason = o.Waits.Code, because(&o.Waits)
		return i, nil
	case o.Unfit.Code != "":
		return i.fail(spec.Refused, now, spec.OfNode, o.Unfit.Code, "%s", because(&o.Unfit)), nil
	}
	return i.enter(spec.Admitted, now), nil
}

// returns reports whether the wanted version is the one that stood here, proved, before the one that stands now: it is loaded, and what it is compared with
// may be the very version that must go. Only what may not run any more is not returned to.
func (i Item) returns(o Observed) bool {
	return i.Returns && o.Previous == i.Want.Digest && (o.Waits.Code == "" || o.Waits.Kind == edgeward.Unavailable)
}

func (i Item) fetching(o Observed, now time.Time) (Item, []Act) {
	i.State.Done, i.State.Total = o.Done, o.Total
	if o.Here {
		i.Tries, i.State.Done, i.State.Total = 0, 0, 0
		return i.enter(spec.Verified, now), nil
	}
	switch o.Fetch.Kind {
	case edgeward.Invalid, edgeward.Conflict, edgeward.TooLarge: // it will not get better: the signed bytes themselves are wrong for us
		if o.Fetch.Code != "" {
			return i.fail(spec.Refused, now, spec.OfVersion, o.Fetch.Code, "%s", because(&o.Fetch)), nil
		}
	}
	if !o.Download { // what is here of it stays
		return i.waits(o), nil
	}
	if i.State.Code == spec.WaitsForWindow {
		i.State.Code, i.State.Reason, i.State.Opens = "", "", time.Time{}
	}
	if o.Fetch.Code != "" {
		i.State.Code, i.State.Reason = o.Fetch.Code, because(&o.Fetch) // and goes on trying
	}
	if now.Before(i.Next) {
		return i, nil
	}
	return i, []Act{Fetch}
}

func (i Item) staged(o Observed, now time.Time) (Item, []Act) {
	if o.Waits.Code != "" { // revoked or expired since it was admitted
		i.State.Code, i.State.Reason = o.Waits.Code, because(&o.Waits)
		return i, nil
	}
	if i.State.Phase == spec.Verified {
		i = i.enter(spec.Staged, now)
	}
	if !o.Activate {
		return i.waits(o), nil
	}
	i.State.Evidence = spec.Evidence{}
	if o.Standing == "" { // nothing to be a shadow of
		return i.enter(spec.Probing, now).answersFrom(o, now), []Act{Promote}
	}
	return i.enter(spec.Probing, now), []Act{Shadow}
}

func (i Item) answersFrom(o Observed, now time.Time) Item {
	i.Answers, i.Before = now, o.Served
	return i
}

// shadowed is the first half of a probation: the old version answers, the new one is compared with it.
func (i Item) shadowed(o Observed, now time.Time) (Item, []Act) {
	if o.Failure.Code != "" {
		return i.fail(spec.Reverted, now, spec.OfVersion, o.Failure.Code, "%s", edgeward.Words(&o.Failure)), []Act{Withdraw}
	}
	if o.Waits.Code == "fleet.revoked" { // nobody has had an answer of it yet
		return i.fail(spec.Reverted, now, spec.OfVersion, o.Waits.Code, "%s", edgeward.Words(&o.Waits)), []Act{Withdraw}
	}
	if !o.Shadow || !o.Loaded {
		if o.Standing == "" { // what it was a shadow of is gone
			return i.answersFrom(o, now), []Act{Promote}
		}
		if o.Shadow || o.Target { // it is being loaded
			return i, nil
		}
		return i, []Act{Shadow}
	}
	p := i.Want.Probation.Settled()
	e := o.Seen
	i.State.Evidence = e
	if code, why := against(p, e); code != "" {
		return i.fail(spec.Reverted, now, spec.OfVersion, code, "%s", why), []Act{Withdraw}
	}
	enough := e.Compared >= uint64(p.Requests)
	if late := !now.Before(i.State.Since.Add(p.Longest)); !enough && (!late || p.Quiet == "wait") {
		return i, nil
	}
	return i.answersFrom(o, now), []Act{Promote}
}

// against says what of the evidence is beyond the probation's bounds. A share is judged as soon as it cannot come back within
// its bound by the end; a mean when a fifth of the requests is there.
func against(p spec.Probation, e spec.Evidence) (code, why string) {
	wanted := float64(max(uint64(p.Requests), e.Rows))
	switch {
	case e.Unlike > 0 && !p.Unlike:
		return "fleet.unlike", fmt.Sprintf("%d of %d answers have other outputs or shapes than the old version's", e.Unlike, e.Compared)
	case e.Rows > 0 && e.Disagree*float64(e.Rows) > p.Disagree*wanted:
		return "fleet.disagrees", fmt.Sprintf("%.0f of %d rows have another class than the old version's; %.0f %% are allowed", e.Disagree*float64(e.Rows), e.Rows, 100*p.Disagree)
	case e.Compared*5 >= uint64(p.Requests) && e.Compared > 0 && e.Rows == 0 && e.Shift > p.Shift:
		return "fleet.shifts", fmt.Sprintf("its numbers lie %.0f %% off the old version's; %.0f %% are allowed", 100*e.Shift, 100*p.Shift)
	case e.Memory > p.Memory:
		return "fleet.memory", fmt.Sprintf("it takes %.1f times the old version's memory", e.Memory)
	}
	return "", ""
}

// answering is the second half: the new version answers, the old one stays loaded.
func (i Item) answering(o Observed, now time.Time) (Item, []Act) {
	if o.Failure.Code != "" {
		return i.back(o, now, o.Failure.Code, edgeward.Words(&o.Failure))
	}
	if !o.Target {
		return i, []Act{Promote}
	}
	if o.Live != i.Want.Digest { // it is being loaded
		return i, nil
	}
	p := i.Want.Probation.Settled()
	answered := o.Served.Answers - min(i.Before.Answers, o.Served.Answers)
	failed := o.Served.Errors - min(i.Before.Errors, o.Served.Errors)
	e := &i.State.Evidence
	e.Answered, e.Errors, e.Slower = answered+failed, 0, o.Seen.Slower
	if e.Answered > 0 {
		e.Errors = float64(failed) / float64(e.Answered)
	}
	enough := e.Answered >= uint64(p.Requests)
	if failed > 0 && float64(failed) > p.Errors*float64(max(e.Answered, uint64(p.Requests))) {
		return i.back(o, now, "fleet.errors", fmt.Sprintf("%d of %d requests failed", failed, e.Answered))
	}
	if enough && e.Slower > p.Slower {
		return i.back(o, now, "fleet.slower", fmt.Sprintf("its p99 is %.1f times the old version's", e.Slower))
	}
	if enough || !now.Before(i.Answers.Add(p.Longest)) {
		i.Answers = time.Time{}
		return i.enter(spec.Committed, now), nil
	}
	return i, nil
}

func (i Item) back(o Observed, now time.Time, code, why string) (Item, []Act) {
	i.Answers = time.Time{}
	i = i.fail(spec.Reverted, now, spec.OfVersion, code, "%s", why)
	_, acts := i.reverted(o)
	return i, acts
}

// reverted undoes what is left of the version, as often as need be.
func (i Item) reverted(o Observed) (Item, []Act) {
	switch {
	case o.Shadow:
		return i, []Act{Withdraw}
	case o.Target && o.Previous != "":
		return i, []Act{Back}
	case o.Target && i.Made:
		return i, []Act{Remove}
	}
	return i, nil
}

// committed holds on to what is wanted: who changed the endpoint by hand is not overruled, but it is said.
func (i Item) committed(o Observed, now time.Time) (Item, []Act) {
	switch {
	case o.Target && o.Live == i.Want.Digest:
		if i.State.Code != "" {
			i.State.Code, i.State.Reason = "", ""
		}
	case o.Target && o.Failure.Code != "":
		i.State.Code, i.State.Reason = o.Failure.Code, edgeward.Words(&o.Failure)
	case !o.Target:
		i.State.Code, i.State.Reason = "fleet.changed_here", "somebody changed the endpoint on this server"
	}
	return i, nil
}
