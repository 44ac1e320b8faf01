package update

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/events"
	"edgeward/node/supervise"
	"edgeward/node/wire"
	"edgeward/sync/slot"
)

// Parts are what an Update needs. Signed and Reached may be nil: a server that is in no fleet.
type Parts struct {
	Dir        *slot.Dir
	Supervisor *supervise.Link
	Version    string // of this program
	Record     func(context.Context, events.Event) error
	// Prove runs a binary on a copy of this server's data.
	Prove func(ctx context.Context, path string) (wire.Proof, error)
	// Answering are the endpoints that answer now.
	Answering func(context.Context) ([]string, error)
	// Signed reports whether the fleet's signatures are needed, and why a binary lacks them.
	Signed func(ctx context.Context, os, arch string, d edgeward.Digest) (needed bool, err error)
	// Reached reports whether this server is of a fleet, and whether its hub was reached since it started.
	Reached func(context.Context) (member, reached bool)
	Now     func() time.Time
	Log     *slog.Logger
}

// Update is safe for concurrent use.
type Update struct {
	p    Parts
	busy chan struct{} // holds one token: the right to take or to start

	mu      sync.Mutex
	phase   string
	since   time.Time
	problem *wire.Trouble
	refusal refusal         // of the last binary that did not come to a trial
	digest  edgeward.Digest // of the installed program, where that runs
}

// refusal is why a binary was not tried.
type refusal struct {
	of  edgeward.Digest
	id  string
	err error
}

// The phases beside the trial's.
const (
	Idle      = "idle"
	Proving   = "proving"
	Switching = "switching"
	OnTrial   = "trial"
)

// New returns an Update at rest.
func New(p Parts) *Update {
	return &Update{p: p, busy: make(chan struct{}, 1), phase: Idle}
}

// state is what is known of the slots. A trial that nobody tries is ended first: where the disk was full when the supervisor gave one up, its end
// could not be written, and what runs is neither the trial nor about to make place for it.
func (u *Update) state() (slot.State, error) {
	s, err := u.p.Dir.State()
	if err != nil || s.Trial == nil {
		return s, err
	}
	if on, _ := u.p.Supervisor.Trial(); on {
		return s, nil
	}
	release, err := u.take() // who has it may be about to switch
	if err != nil {
		return s, nil
	}
	defer release()
	u.mu.Lock()
	leaves := u.phase == Switching
	u.mu.Unlock()
	if leaves {
		return s, nil
	}
	ended, err := u.p.Dir.Fail("update.disk", "that it was given up could not be written: the disk was full", u.p.Now())
	if err != nil {
		u.p.Log.Warn("a trial that is over still stands in the state of the slots", "err", err)
		return s, nil
	}
	u.p.Log.Warn("the trial of a version is over that nobody tried", "version", s.Program(s.Trial.Slot).Version)
	return ended, nil
}

// Status is how things stand.
func (u *Update) Status(ctx context.Context) (wire.Update, error) {
	s, err := u.state()
	if err != nil {
		return wire.Update{}, err
	}
	signed := false
	if u.p.Signed != nil {
		signed, _ = u.p.Signed(ctx, "", "", "")
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	runs, p := u.p.Supervisor.Slot()
	out := wire.Update{Version: u.p.Version, Slot: runs.String(), Digest: p.Digest, Supervisor: u.p.Supervisor.Supervisor(), Phase: u.phase, Since: u.since, Problem: u.problem, Trial: s.Trial, Signed: signed}
	if out.Digest == "" {
		out.Digest = u.digest
	}
	if s.Trial != nil && s.Trial.Slot == runs {
		out.Phase, out.Since = OnTrial, s.Trial.Began
	}
	if s.Last.Seq > 0 {
		out.Last = &s.Last
	}
	for _, n := range []slot.Name{slot.Installed, slot.A, slot.B} {
		out.Slots = append(out.Slots, wire.Slot{Name: n.String(), Program: s.Program(n), State: stateOf(s, n, runs)})
	}
	return out, nil
}

func stateOf(s slot.State, n, runs slot.Name) string {
	switch {
	case n == runs:
		return "runs"
	case s.Trial != nil && s.Trial.Slot == n:
		return "trial"
	case s.Previous != nil && *s.Previous == n:
		return "previous"
	case n == slot.Installed:
		return "spare"
	case s.Program(n).Digest == "":
		return "empty"
	}
	return "staged"
}

// take takes the right to change something, or says that somebody else has it.
func (u *Update) take() (func(), error) {
	select {
	case u.busy <- struct{}{}:
		return func() { <-u.busy }, nil
	default:
		return nil, edgeward.E("update", edgeward.Conflict, "update.busy", "an update is under way").WithHint("wait for its end: edgeward self-update status")
	}
}

func (u *Update) enter(phase string, problem error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.phase, u.since, u.problem = phase, u.p.Now(), problemOf(problem)
}

func problemOf(err error) *wire.Trouble {
	if err == nil {
		return nil
	}
	code := edgeward.CodeOf(err)
	if code == "" {
		code = "internal"
	}
	return &wire.Trouble{Code: code, Text: edgeward.Words(err), Hint: edgeward.HintOf(err)}
}

func (u *Update) event(ctx context.Context, by auth.Principal, action, reason string, p slot.Program, detail map[string]string) {
	e := events.Event{Time: u.p.Now(), Principal: by.Ref(), PrincipalID: by.ID, Action: action, Object: events.Object{Kind: "program", ID: string(p.Digest), Name: "edgeward " + p.Version}, Reason: reason, Detail: detail}
	if err := u.p.Record(context.WithoutCancel(ctx), e); err != nil {
		u.p.Log.Error("an event of the update is not in the audit", "action", action, "err", err)
	}
}

// refused notes that p is not taken, or not tried.
func (u *Update) refused(ctx context.Context, by auth.Principal, reason string, p slot.Program, err error) {
	u.event(ctx, by, "update.refused", reason, p, map[string]string{"code": edgeward.CodeOf(err), "why": clip(edgeward.Words(err))})
}

// Start has a staged binary prove itself and, if it does, lets the supervisor try it. It returns once the proof has begun; slot "" is the staged
// one. id names the rollout that wants it.
func (u *Update) Start(ctx context.Context, by auth.Principal, name, reason, id string) (wire.Update, error) {
	const op = "update.Start"
	if u.p.Supervisor == nil {
		return wire.Update{}, u.p.Supervisor.Say(supervise.Message{})
	}
	s, err := u.state()
	if err != nil {
		return wire.Update{}, err
	}
	n, err := pick(s, name)
	if err != nil {
		return wire.Update{}, err
	}
	release, err := u.take()
	if err != nil {
		return wire.Update{}, err
	}
	if s.Trial != nil {
		release()
		return wire.Update{}, edgeward.E(op, edgeward.Conflict, "update.busy", "version %s is being tried", s.Program(s.Trial.Slot).Version)
	}
	u.enter(Proving, nil)
	u.mu.Lock()
	u.refusal = refusal{}
	u.mu.Unlock()
	go func() {
		defer release()
		ctx := context.WithoutCancel(ctx)
		if err := u.start(ctx, by, n, s.Program(n), reason, id); err != nil {
			u.p.Log.Error("the new version is not tried", "version", s.Program(n).Version, "err", err)
			u.refused(ctx, by, reason, s.Program(n), err)
			u.mu.Lock()
			u.refusal = refusal{s.Program(n).Digest, id, err}
			u.mu.Unlock()
			u.enter(Idle, err)
		}
	}()
	return u.Status(ctx)
}

// clip keeps an event within its bounds.
func clip(s string) string {
	if r := []rune(s); len(r) > 300 {
		return string(r[:299]) + "…"
	}
	return s
}

// pick is the slot to try.
func pick(s slot.State, name string) (slot.Name, error) {
	for _, n := range []slot.Name{slot.A, slot.B} {
		if s.Program(n).Digest == "" || n == s.Active {
			continue
		}
		if name == string(n) || name == "" && (s.Previous == nil || *s.Previous != n) {
			return n, nil
		}
	}
	return "", edgeward.E("update.Start", edgeward.NotFound, "update.empty", "no new version is staged").WithHint("give one first: edgeward self-update FILE")
}

// Back tries what ran before.
func (u *Update) Back(ctx context.Context, by auth.Principal, reason, id string) (wire.Update, error) {
	s, err := u.state()
	if err != nil {
		return wire.Update{}, err
	}
	if s.Previous == nil {
		return wire.Update{}, edgeward.E("update.Back", edgeward.NotFound, "update.no_previous", "no version ran before this one").WithHint("edgeward self-update status shows what there is")
	}
	if u.p.Supervisor == nil {
		return wire.Update{}, u.p.Supervisor.Say(supervise.Message{})
	}
	release, err := u.take()
	if err != nil {
		return wire.Update{}, err
	}
	defer release()
	u.mu.Lock()
	u.refusal = refusal{}
	u.mu.Unlock()
	if err := u.try(ctx, by, *s.Previous, s.Program(*s.Previous), reason, id); err != nil {
		u.enter(Idle, err)
		return wire.Update{}, err
	}
	return u.Status(ctx)
}

// start proves and tries.
func (u *Update) start(ctx context.Context, by auth.Principal, n slot.Name, p slot.Program, reason, id string) error {
	proof, err := u.p.Prove(ctx, u.p.Dir.Path(n))
	if err != nil {
		return err
	}
	before, err := u.p.Answering(ctx)
	if err != nil {
		return err
	}
	if err := judge(proof, p, before); err != nil {
		return err
	}
	return u.try(ctx, by, n, p, reason, id)
}

// maxReady bounds the endpoints that a trial waits for by name.
const maxReady = 500

func (u *Update) try(ctx context.Context, by auth.Principal, n slot.Name, p slot.Program, reason, id string) error {
	ready, err := u.p.Answering(ctx)
	if err != nil {
		return err
	}
	asked := slot.Asked{By: by.Ref(), ID: id, Reason: reason, Ready: ready[:min(len(ready), maxReady)]}
	if u.p.Reached != nil {
		member, reached := u.p.Reached(ctx)
		asked.Offline = !member || !reached
	}
	if _, err := u.p.Dir.Try(n, asked, u.p.Now()); err != nil {
		return err
	}
	u.enter(Switching, nil)
	u.event(ctx, by, "update.started", reason, p, map[string]string{"from": u.p.Version})
	if err := u.p.Supervisor.Say(supervise.Message{Do: supervise.Restart}); err != nil {
		_, ferr := u.p.Dir.Fail("update.supervisor", "the supervisor does not answer", u.p.Now())
		return errors.Join(err, ferr)
	}
	return nil
}

// judge says why a proof is none.
func judge(proof wire.Proof, p slot.Program, before []string) error {
	const op = "update.judge"
	switch {
	case proof.Problem != nil:
		return edgeward.E(op, edgeward.Conflict, "update.unproved", "version %s cannot run here: %s", p.Version, proof.Problem.Text).With("code", proof.Problem.Code).
			WithHint("what runs goes on; %s", proof.Problem.Hint)
	case proof.Version != p.Version:
		return edgeward.E(op, edgeward.Conflict, "update.unproved", "the binary calls itself %s now and %s before", proof.Version, p.Version)
	case !proof.Golden:
		return edgeward.E(op, edgeward.Conflict, "update.golden", "version %s does not give the known answer of the built-in model", p.Version).WithHint("what runs goes on; get another build")
	}
	state := map[string]wire.ProvedService{}
	for _, e := range proof.Endpoints {
		state[e.Endpoint] = e
	}
	for _, name := range before {
		if e := state[name]; e.State != "ready" && e.State != "degraded" {
			return edgeward.E(op, edgeward.Conflict, "update.golden", "version %s cannot answer for endpoint %s as this one does: %s", p.Version, name, e.Why).WithHint("what runs goes on; get another build")
		}
	}
	return nil
}
