package agent_test

import (
	"context"
	"io"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// programs is a node's program in the model. What is started is on trial for ten seconds, then it runs or was given up.
type programs struct {
	m *machine

	mu    sync.Mutex
	at    agent.Program
	prev  edgeward.Digest
	bad   bool
	said  []string
	unfit error
}

func (p *programs) look(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

func (p *programs) Program(context.Context) (agent.Program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.at
	out.Slots = slices.Clone(out.Slots)
	return out, nil
}

func (p *programs) FitsProgram(context.Context, tuf.Release) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.unfit
}

func (p *programs) TakeProgram(ctx context.Context, r tuf.Release, _ string) error {
	if _, err := p.m.blobs.ReadAll(ctx, r.Digest, r.Length); err != nil {
		return err
	}
	p.look(func() { p.said, p.at.Slots = append(p.said, "take"), []edgeward.Digest{r.Digest} })
	return nil
}

func (p *programs) StartProgram(_ context.Context, d edgeward.Digest, id string) error {
	p.look(func() { p.said, p.at.Busy = append(p.said, "start "+id), true })
	time.AfterFunc(10*time.Second, func() {
		p.look(func() {
			p.at.Busy = false
			if p.bad {
				p.at.Failed, p.at.For, p.at.Reason = d, id, problem(edgeward.Conflict, "update.exits")
				return
			}
			p.at.Runs, p.prev = d, p.at.Runs
			p.at.Slots = nil
		})
	})
	return nil
}

func (p *programs) BackProgram(_ context.Context, id string) error {
	p.look(func() { p.said, p.at.Runs = append(p.said, "back "+id), p.prev })
	return nil
}

// fleetBinary is version n of the model's files as a program.
func fleetBinary(n int) tuf.Release {
	_, _, _, file := version(n)
	return tuf.Release{OS: "linux", Arch: "amd64", Digest: edgeward.DigestOf(file), Length: int64(len(file)), Version: "2.0.0", Store: 1, Reads: 1}
}

func (d *desk) release(r tuf.Release) {
	d.t.Helper()
	if c, err := d.set.Charter(); err == nil && len(c.Release.Holders) == 0 {
		c.Release = c.Models
		p, err := tuf.Amend(d.set, c, time.Now())
		d.ok(err)
		d.publish(p, d.root)
	}
	p, err := tuf.ProposeRelease(d.set, r, time.Now())
	d.ok(err)
	d.publish(p, d.ann, d.abe)
}

// program is a document that wants a binary, none if r is zero.
func (d *desk) program(rev uint64, r tuf.Release) spec.Desired {
	doc := d.document(rev, 1)
	doc.Endpoints = nil
	if r.Digest != "" {
		doc.Binary = &spec.Binary{Version: r.Version, OS: r.OS, Arch: r.Arch, Digest: r.Digest, Rollout: "r1"}
	}
	return doc
}

func TestASignedBinaryComesAndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		p := &programs{m: s.m, at: agent.Program{Runs: oldBinary}}
		s.programs = p
		stop := s.run()
		r := fleetBinary(1)
		stands := func(what, want string) {
			t.Helper()
			time.Sleep(3 * time.Minute)
			synctest.Wait()
			k, _ := s.a.Kept()
			got := "nothing"
			if b := k.Binary; b != nil {
				got = string(b.State.Phase) + " " + b.State.Code
			}
			if got != want {
				t.Errorf("%s: %s, want %s", what, got, want)
			}
		}
		said := func(want ...string) {
			t.Helper()
			p.look(func() {
				if !slices.Equal(p.said, want) {
					t.Errorf("%q, want %q", p.said, want)
				}
			})
		}
		s.say(s.program(1, r), s.key)
		stands("unsigned", "offered fleet.release_unsigned")
		said()
		s.release(r)
		stands("signed", "committed ")
		said("take", "start r1#0")
		s.look(func() {
			last := s.reports[len(s.reports)-1]
			if b := last.Binary; b == nil || b.Live != r.Digest || b.Key() != spec.BinaryKey("linux", "amd64") || len(last.Endpoints) != 0 {
				t.Errorf("%+v", last.Binary)
			}
		})
		stop()
		stop = s.run()
		stands("after a restart", "committed ")

		s.p.Apply = func(w io.Writer, _ io.ReaderAt, _ int64, delta io.Reader, _ int64) error {
			_, err := io.Copy(w, delta)
			return err
		}
		s.release(fleetBinary(5))
		s.say(s.program(2, fleetBinary(5)), s.key)
		stands("the next one", "committed ")
		said("take", "start r1#0", "take", "start r1#0")
		s.look(func() {
			if !slices.Equal(s.deltas, []edgeward.Digest{r.Digest}) {
				t.Errorf("it came as a difference to %v", s.deltas)
			}
		})
		p.look(func() { p.said = p.said[:2] })
		s.p.Apply = nil
		s.say(s.program(3, tuf.Release{}), s.key)
		stands("the fleet went back", "nothing")
		said("take", "start r1#0", "back r1#0 back")

		p.look(func() { p.bad, p.at.Slots = true, nil })
		bad := fleetBinary(2)
		s.release(bad)
		s.say(s.program(4, bad), s.key)
		stands("a bad one", "reverted update.exits")
		p.look(func() {
			if p.at.Runs != r.Digest {
				t.Error("what ran before does not run")
			}
		})
		stands("it is not tried again", "reverted update.exits")
		said("take", "start r1#0", "back r1#0 back", "take", "start r1#0")

		far := fleetBinary(3)
		far.Arch = "arm64"
		s.release(far)
		s.say(s.program(5, fleetBinary(3)), s.key)
		stands("signed for another processor", "offered fleet.release_unsigned")
		p.look(func() {
			p.unfit = edgeward.E("test", edgeward.Conflict, "update.libc", "an old system")
		})
		s.release(fleetBinary(3))
		stands("it does not fit", "refused update.libc")
		s.programs = nil
		stop()
		stop = s.run()
		s.say(s.program(6, fleetBinary(4)), s.key)
		s.release(fleetBinary(4))
		stands("no supervisor", "refused update.unsupervised")
		stop()
	})
}
