package agent_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
)

var (
	oldBinary, newBinary = edgeward.DigestOf([]byte("the program before")), edgeward.DigestOf([]byte("the program"))
	night                = time.Date(2026, 11, 26, 1, 0, 0, 0, time.UTC)
)

func binary() *spec.Binary {
	return &spec.Binary{Version: "2.0.0", OS: "linux", Arch: "amd64", Digest: newBinary, Rollout: "R1"}
}

func problem(kind edgeward.Kind, code string) edgeward.Error {
	return edgeward.Error{Kind: kind, Code: code, Err: errors.New(code)}
}

func TestNextBinary(t *testing.T) {
	at := func(p spec.Phase) agent.BinaryItem {
		i := *agent.WantsBinary(nil, binary(), night)
		i.State.Phase = p
		if p == spec.Probing || p == spec.Committed {
			i.Starts = 1
		}
		return i
	}
	often := at(spec.Probing)
	often.Starts = 3
	later := at(spec.Fetching)
	later.Next = night.Add(time.Minute)
	ahead := later
	ahead.Next = night.AddDate(50, 0, 0)
	gone := at(spec.Committed)
	gone.Gone = true
	package_ := gone
	package_.Starts = 0
	ofNode := at(spec.Refused)
	ofNode.State.Fault = spec.OfNode
	ofVersion := at(spec.Refused)
	ofVersion.State.Fault = spec.OfVersion
	type o = agent.BinaryObserved
	runs := func(o *o) { o.Runs = newBinary }
	slotted := func(o *o) { o.Slots = append(o.Slots, newBinary) }
	here := func(o *o) { o.Here = true }
	closed := func(o *o) { o.Download, o.Activate, o.Opens = false, false, night.Add(time.Hour) }
	busy := func(o *o) { o.Busy = true }
	waits := func(code string) func(o *o) { return func(o *o) { o.Waits = problem(edgeward.Forbidden, code) } }
	fails := func(kind edgeward.Kind, code string) func(o *o) {
		return func(o *o) { o.Problem = problem(kind, code) }
	}
	gaveUp := func(id, code string) func(o *o) {
		return func(o *o) { o.Failed, o.For, o.Reason = newBinary, id, problem(edgeward.Conflict, code) }
	}
	all := func(fs ...func(*o)) []func(*o) { return fs }
	for name, c := range map[string]struct {
		i     agent.BinaryItem
		with  []func(*o)
		phase spec.Phase
		act   agent.Act
		code  string
	}{
		"it runs already, by a package":                   {at(spec.Offered), all(runs, waits("fleet.release_unsigned")), spec.Committed, "", ""},
		"it is not signed":                                {at(spec.Offered), all(waits("fleet.release_unsigned")), spec.Offered, "", "fleet.release_unsigned"},
		"it does not fit":                                 {at(spec.Offered), all(func(o *o) { o.Unfit = problem(edgeward.Conflict, "update.libc") }), spec.Refused, "", "update.libc"},
		"it fits":                                         {at(spec.Offered), nil, spec.Admitted, "", ""},
		"it ran before and lies in a slot":                {at(spec.Offered), all(slotted), spec.Staged, "", ""},
		"the window for bytes is closed":                  {at(spec.Admitted), all(closed), spec.Admitted, "", spec.WaitsForWindow},
		"its bytes are here, a bundle brought them":       {at(spec.Admitted), all(closed, here), spec.Fetching, "", ""},
		"it is fetched":                                   {at(spec.Fetching), nil, spec.Fetching, agent.Fetch, ""},
		"a fetch that failed is tried again":              {at(spec.Fetching), all(fails(edgeward.Unavailable, "pull.broken")), spec.Fetching, agent.Fetch, "pull.broken"},
		"but later":                                       {later, all(fails(edgeward.Unavailable, "pull.broken")), spec.Fetching, "", "pull.broken"},
		"decades of a wrong clock are not waited for":     {ahead, all(fails(edgeward.Unavailable, "pull.broken")), spec.Fetching, agent.Fetch, "pull.broken"},
		"the window closes over it":                       {at(spec.Fetching), all(closed), spec.Fetching, "", spec.WaitsForWindow},
		"its bytes have come":                             {at(spec.Fetching), all(here), spec.Verified, "", ""},
		"it is revoked while it is fetched":               {at(spec.Fetching), all(waits("fleet.revoked")), spec.Fetching, "", "fleet.revoked"},
		"it goes into a slot":                             {at(spec.Verified), all(here), spec.Verified, agent.Stage, ""},
		"it is no program":                                {at(spec.Verified), all(here, fails(edgeward.Invalid, "update.not_runnable")), spec.Refused, "", "update.not_runnable"},
		"a full disk is tried again":                      {at(spec.Verified), all(here, fails(edgeward.Exhausted, "disk.full")), spec.Verified, agent.Stage, "disk.full"},
		"its bytes were swept away":                       {at(spec.Verified), nil, spec.Fetching, "", ""},
		"it is in a slot":                                 {at(spec.Verified), all(here, slotted), spec.Staged, "", ""},
		"the window to switch is closed":                  {at(spec.Staged), all(slotted, closed), spec.Staged, "", spec.WaitsForWindow},
		"it is revoked in its slot":                       {at(spec.Staged), all(slotted, waits("fleet.revoked")), spec.Staged, "", "fleet.revoked"},
		"somebody took its slot":                          {at(spec.Staged), nil, spec.Offered, "", ""},
		"it is started":                                   {at(spec.Staged), all(slotted), spec.Probing, agent.Start, ""},
		"it proves itself":                                {at(spec.Probing), all(slotted, busy), spec.Probing, "", ""},
		"it is on trial":                                  {at(spec.Probing), all(runs, busy), spec.Probing, "", ""},
		"it stays":                                        {at(spec.Probing), all(runs), spec.Committed, "", ""},
		"it was given up":                                 {at(spec.Probing), all(slotted, gaveUp("R1#0", "update.exits")), spec.Reverted, "", "update.exits"},
		"it was given up before it was revoked":           {at(spec.Probing), all(slotted, gaveUp("R1#0", "update.golden"), waits("fleet.revoked")), spec.Reverted, "", "update.golden"},
		"what another try came to does not count":         {at(spec.Probing), all(slotted, gaveUp("R0#0", "update.exits")), spec.Probing, agent.Start, ""},
		"the start was lost with this process":            {at(spec.Probing), all(slotted), spec.Probing, agent.Start, ""},
		"this process ended over each start":              {often, all(slotted), spec.Reverted, "", "update.exits"},
		"a person's update was under way at each start":   {often, all(slotted, fails(edgeward.Conflict, "update.busy")), spec.Probing, agent.Start, "update.busy"},
		"it is kept":                                      {at(spec.Committed), all(runs), spec.Committed, "", ""},
		"a person went back by hand":                      {at(spec.Committed), all(slotted), spec.Committed, "", "fleet.program_changed"},
		"it was taken back, and stays so":                 {at(spec.Reverted), all(slotted), spec.Reverted, "", ""},
		"a refusal of the node ends when there is room":   {ofNode, nil, spec.Offered, "", ""},
		"one of the binary does not":                      {ofVersion, nil, spec.Refused, "", ""},
		"the fleet goes back":                             {gone, all(runs), spec.Committed, agent.Return, ""},
		"it is on its way back":                           {gone, all(busy), spec.Committed, "", ""},
		"it is back":                                      {gone, nil, spec.Committed, agent.Forget, ""},
		"what ran before runs no more":                    {gone, all(runs, gaveUp("R1#0 back", "update.exits")), spec.Committed, agent.Forget, ""},
		"nothing ran before":                              {gone, all(runs, fails(edgeward.NotFound, "update.no_previous")), spec.Committed, agent.Forget, ""},
		"the fleet has no part in what a package brought": {package_, all(runs), spec.Committed, agent.Forget, ""},
	} {
		t.Run(name, func(t *testing.T) {
			seen := o{Program: agent.Program{Runs: oldBinary}, Download: true, Activate: true}
			for _, f := range c.with {
				f(&seen)
			}
			got, act := agent.NextBinary(c.i, seen, night)
			if got.State.Phase != c.phase || act != c.act || got.State.Code != c.code {
				t.Errorf("%s %q %q, want %s %q %q", got.State.Phase, act, got.State.Code, c.phase, c.act, c.code)
			}
			if (got.State.Code == "") != (got.State.Reason == "") {
				t.Errorf("code %q, reason %q", got.State.Code, got.State.Reason)
			}
			if again, act2 := agent.NextBinary(c.i, seen, night); act2 != act || again.State != got.State {
				t.Error("the same again is something else")
			}
		})
	}
}

func TestWhoseFaultItIs(t *testing.T) {
	for code, fault := range map[string]spec.Fault{"update.disk": spec.OfNode, "update.copy": spec.OfNode, "update.packaged": spec.OfNode,
		"update.exits": spec.OfVersion, "update.golden": spec.OfVersion, "update.unproved": spec.OfVersion, "update.deadline": spec.OfVersion, "a code of tomorrow": spec.OfVersion} {
		i := *agent.WantsBinary(nil, binary(), night)
		i.State.Phase = spec.Probing
		o := agent.BinaryObserved{Program: agent.Program{Runs: oldBinary, Failed: newBinary, For: "R1#0", Reason: problem(edgeward.Conflict, code)}}
		if got, _ := agent.NextBinary(i, o, night); got.State.Phase != spec.Reverted || got.State.Fault != fault {
			t.Errorf("%s: %s, %s", code, got.State.Phase, got.State.Fault)
		}
	}
}

func TestWhatADocumentChanges(t *testing.T) {
	if agent.WantsBinary(nil, nil, night) != nil {
		t.Error("nothing is wanted, and there is an item")
	}
	i := *agent.WantsBinary(nil, binary(), night)
	i.State.Phase = spec.Reverted
	if same := agent.WantsBinary(&i, binary(), night); same.State.Phase != spec.Reverted {
		t.Errorf("the same again: %s", same.State.Phase)
	}
	again := binary()
	again.Again = 1
	if next := agent.WantsBinary(&i, again, night); next.State.Phase != spec.Offered {
		t.Errorf("asked for again: %s", next.State.Phase)
	}
	if next := agent.WantsBinary(&i, nil, night); !next.Gone {
		t.Error("it is wanted no more, and stays")
	}
	i.State.Phase = spec.Committed
	if next := agent.WantsBinary(&i, again, night); next.State.Phase != spec.Committed || next.Want.Again != 1 {
		t.Errorf("it runs and is asked for again: %+v", next)
	}
	other := binary()
	other.Digest = oldBinary
	if next := agent.WantsBinary(&i, other, night); next.State.Phase != spec.Offered || next.State.Want != oldBinary || next.Starts != 0 {
		t.Errorf("another one: %+v", next)
	}
}

// TestSoakBinaryUnderKills kills the server before and after everything that it does about a binary, at random: 300 times, 10,000 with EDGEWARD_SOAK.
// Whatever comes, it ends with the program that it should, nothing unsigned is ever started, and a bad one is not tried for ever.
func TestSoakBinaryUnderKills(t *testing.T) {
	n := 300
	if os.Getenv("EDGEWARD_SOAK") != "" {
		n = 10_000
	}
	kills, ends := 0, map[string]int{}
	for seed := range n {
		s := &box{t: t, seed: seed, rnd: rand.New(rand.NewPCG(uint64(seed), 1)), runs: oldBinary, now: night}
		s.is = []string{"good", "good", "unproved", "crashes", "unsigned", "kills its proof"}[s.rnd.IntN(6)]
		ends[s.is+": "+s.live()]++
		kills += s.kills
	}
	for _, want := range []string{"good: committed", "unproved: reverted", "crashes: reverted", "unsigned: offered", "kills its proof: reverted"} {
		if ends[want] == 0 {
			t.Errorf("nothing ended as %q", want)
		}
		delete(ends, want)
	}
	if len(ends) > 0 || kills < n {
		t.Errorf("%v, %d kills", ends, kills)
	}
	t.Logf("%d kills in %d updates", kills, n)
}

// box is a node in the model: what survives a kill, and what does not.
type box struct {
	t           *testing.T
	seed        int
	rnd         *rand.Rand
	is          string // the binary
	now         time.Time
	kills       int
	item        *agent.BinaryItem // durable, as are slot, runs, trial and last
	blob        bool
	slotted     bool
	runs        edgeward.Digest
	trial       string // id of the one under way
	failed, why string // the last that was given up on trial: its id
	// In memory alone.
	proving, refused, refusal string
	trials, proofs, lost      int
}

// live has the server work until nothing happens any more, and returns how the item stands.
func (s *box) live() string {
	s.item = agent.WantsBinary(nil, binary(), s.now)
	for quiet := 0; quiet < 30; {
		s.now = s.now.Add(10 * time.Minute)
		before := fmt.Sprint(s.item, s.slotted, s.runs, s.trial, s.proving)
		s.step()
		if quiet++; fmt.Sprint(s.item, s.slotted, s.runs, s.trial, s.proving) != before {
			quiet = 0
		}
		if s.now.Sub(night) > 400*time.Hour {
			s.t.Fatalf("seed %d, %s: it never ends: %+v", s.seed, s.is, s.item)
		}
	}
	want := oldBinary
	if s.is == "good" {
		want = newBinary
	}
	if s.runs != want || s.is == "unsigned" && s.slotted || s.trials > 12 || s.proofs > 40 {
		s.t.Errorf("seed %d, %s: %d trials, %d proofs, %+v", s.seed, s.is, s.trials, s.proofs, s.item)
	}
	return string(s.item.State.Phase)
}

// kill ends the process, one time in eight; over starts only twice, as the third one counts against the binary.
func (s *box) kill() (dead bool) {
	starts := s.item.State.Phase == spec.Probing
	if dead = s.rnd.IntN(8) == 0 && !(starts && s.lost == 2); dead {
		s.kills++
		if starts {
			s.lost++
		}
		s.proving, s.refused, s.refusal = "", "", ""
	}
	return dead
}

// step is a turn of the agent, and what the rest of the server does meanwhile.
func (s *box) step() {
	if s.trial != "" { // the supervisor's part: it survives kills of the server
		switch s.is {
		case "good":
			s.runs, s.trial = newBinary, ""
		case "crashes":
			s.failed, s.why, s.trial = s.trial, "update.exits", ""
		default:
			s.t.Fatalf("seed %d: a binary that is %s came to a trial", s.seed, s.is)
		}
		s.proving, s.refused = "", ""
		return
	}
	if s.proving != "" {
		id := s.proving
		s.proofs++
		switch {
		case s.is == "kills its proof":
			s.kills++
			s.proving, s.refused, s.refusal = "", "", ""
			return
		case s.kill():
			return
		case s.is == "unproved":
			s.proving, s.refused, s.refusal = "", id, "update.unproved"
		default:
			s.trial = id
			s.trials++
		}
		return
	}
	o := agent.BinaryObserved{Download: true, Activate: true, Here: s.blob, Program: agent.Program{Runs: s.runs}}
	if s.is == "unsigned" {
		o.Waits = problem(edgeward.Forbidden, "fleet.release_unsigned")
	}
	if s.slotted && s.runs != newBinary {
		o.Slots = []edgeward.Digest{newBinary}
	}
	if s.refused != "" {
		o.Failed, o.For, o.Reason = newBinary, s.refused, problem(edgeward.Conflict, s.refusal)
	} else if s.failed != "" {
		o.Failed, o.For, o.Reason = newBinary, s.failed, problem(edgeward.Conflict, s.why)
	}
	next, act := agent.NextBinary(*s.item, o, s.now)
	if s.kill() {
		return
	}
	s.item = &next
	if s.kill() {
		return
	}
	switch act {
	case agent.Fetch:
		s.blob = true
	case agent.Stage:
		s.slotted = true
	case agent.Start:
		if s.is == "unsigned" || !slices.Contains(o.Slots, newBinary) {
			s.t.Fatalf("seed %d: what is %s is started", s.seed, s.is)
		}
		s.proving, s.refused = "R1#0", ""
	}
	s.kill()
}
