package update

import (
	"context"
	"os"
	"runtime"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/node/auth"
	"edgeward/sync/blobs"
	"edgeward/sync/slot"
	"edgeward/sync/tuf"
)

// Programs is what the fleet does with this server's program.
type Programs struct {
	Update *Update
	Blobs  *blobs.Store // where the agent puts the bytes
	Store  int          // lowest format of a program that reads this one's database
	Free   func() int64 // bytes free for the data directory
}

var _ agent.Programs = Programs{}

// fleet is in whose name the agent acts.
var fleet = auth.Principal{Kind: auth.System, Name: "fleet"}

// Program implements agent.Programs.
func (p Programs) Program(context.Context) (agent.Program, error) {
	u := p.Update
	s, err := u.state()
	if err != nil {
		return agent.Program{}, err
	}
	at, runs := u.p.Supervisor.Slot()
	out := agent.Program{Runs: runs.Digest}
	if at == slot.Installed {
		if out.Runs, err = self(); err != nil {
			return out, err
		}
	}
	for _, n := range []slot.Name{slot.A, slot.B} {
		if x := s.Program(n); x.Digest != "" && n != at {
			out.Slots = append(out.Slots, x.Digest)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	out.Busy = s.Trial != nil || u.phase == Proving || u.phase == Switching
	switch {
	case u.refusal.of != "": // it did not come to a trial
		out.Failed, out.For, out.Reason = u.refusal.of, u.refusal.id, problem(u.refusal.err)
	case s.Last.Result == slot.Reverted:
		out.Failed, out.For = s.Last.To.Digest, s.Last.Asked.ID
		out.Reason = edgeward.Error{Kind: edgeward.Conflict, Code: s.Last.Code, Err: words(s.Last.Reason)}
	}
	return out, nil
}

func problem(err error) edgeward.Error {
	x := problemOf(err)
	return edgeward.Error{Kind: edgeward.KindOf(err), Code: x.Code, Err: words(x.Text)}
}

type words string

func (w words) Error() string { return string(w) }

// FitsProgram implements agent.Programs.
func (p Programs) FitsProgram(_ context.Context, r tuf.Release) error {
	const op = "update.FitsProgram"
	const spare = 256 << 20
	u := p.Update
	s, err := u.p.Dir.State()
	have := libc()
	switch {
	case err != nil:
		return err
	case u.p.Supervisor == nil:
		return edgeward.E(op, edgeward.Conflict, "update.unsupervised", "this server has no supervisor and cannot update itself").WithHint("start it by edgeward supervise")
	case r.OS != runtime.GOOS || r.Arch != runtime.GOARCH:
		return edgeward.E(op, edgeward.Conflict, "update.platform", "the binary is for %s/%s and this machine is %s/%s", r.OS, r.Arch, runtime.GOOS, runtime.GOARCH)
	case r.Libc != "" && have != "" && slot.Newer(r.Libc, have):
		return edgeward.E(op, edgeward.Conflict, "update.libc", "the binary needs C library %s and this machine has %s", r.Libc, have).WithHint("update the system, or build on an older one")
	case r.Store < p.Store:
		return edgeward.E(op, edgeward.Conflict, "update.database", "version %s cannot read the database that version %s writes", r.Version, u.p.Version)
	case slot.Newer(s.Seen.Version, r.Version):
		return edgeward.E(op, edgeward.Conflict, "update.older", "the installed program is version %s, newer than %s", s.Seen.Version, r.Version).
			WithHint("the newer one of the two runs; install the older package if that is meant")
	}
	if free := p.Free(); free > 0 && free < 2*r.Length+spare {
		return edgeward.E(op, edgeward.Exhausted, "fleet.disk", "the binary needs %d MiB twice and %d MiB are free; 256 MiB stay free", r.Length>>20, free>>20).WithHint("free space on the data directory's disk")
	}
	return nil
}

// TakeProgram implements agent.Programs.
func (p Programs) TakeProgram(ctx context.Context, r tuf.Release, id string) error {
	f, err := os.Open(p.Blobs.Path(r.Digest))
	if err != nil {
		return edgeward.Wrap("update.TakeProgram", err)
	}
	defer f.Close()
	_, err = p.Update.Take(ctx, fleet, r.Digest, r.Length, "rollout "+id, f)
	return err
}

// StartProgram implements agent.Programs.
func (p Programs) StartProgram(ctx context.Context, d edgeward.Digest, id string) error {
	s, err := p.Update.state()
	if err != nil {
		return err
	}
	for _, n := range []slot.Name{slot.A, slot.B} {
		if s.Program(n).Digest == d && n != s.Active {
			_, err := p.Update.Start(ctx, fleet, string(n), "rollout "+id, id)
			return err
		}
	}
	return edgeward.E("update.StartProgram", edgeward.NotFound, "update.empty", "the binary is in no slot any more")
}

// BackProgram implements agent.Programs.
func (p Programs) BackProgram(ctx context.Context, id string) error {
	_, err := p.Update.Back(ctx, fleet, "the fleet took rollout "+id, id)
	return err
}
