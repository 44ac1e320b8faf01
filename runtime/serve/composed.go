package serve

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/runtime/graph"
	"edgeward/runtime/models"
	"edgeward/runtime/tensor"
)

// Composed is a Session made of other versions, its parts: an inference graph. The Server loads each part once for all that
// are made of it, proves it as it proves a version, and answers for it through a queue of its own, so that questions of several
// requests and of several graphs are joined. The whole takes no slot of the machine while its parts wait for theirs. Of the
// Session itself only Close is called.
type Composed interface {
	Session
	Parts() []models.Version
	RunParts(ctx context.Context, inputs []tensor.Tensor, ask graph.Ask) ([]tensor.Tensor, []graph.Span, error)
}

// PartChoice is what a version runs on that a graph is made of.
type PartChoice struct {
	Model  string          `json:"model"` // "name/number" when the graph was applied
	Digest edgeward.Digest `json:"digest"`
	Engine string          `json:"engine"` // such as "onnxruntime 1.31.1"
	Device string          `json:"device"`
	Choice *Choice         `json:"choice,omitempty"`
}

// composition is a Composed with its parts loaded. It is the Session of its instance.
type composition struct {
	Composed
	server *Server
	parts  []*part
}

// part is a version loaded for the graphs that are made of it.
type part struct {
	digest edgeward.Digest
	ready  chan struct{} // closed when in or err is there
	in     *instance
	err    error
	users  int // under Server.partsMu
	broken atomic.Bool
}

// compose loads the parts of a session that has some.
func (s *Server) compose(ctx context.Context, session Session) (Session, error) {
	whole, ok := session.(Composed)
	if !ok {
		return session, nil
	}
	c := &composition{Composed: whole, server: s}
	for _, v := range whole.Parts() {
		p, err := s.acquirePart(ctx, v)
		if err != nil {
			_ = c.Close() // nothing was answered yet
			return nil, edgeward.Wrap("serve.compose", fmt.Errorf("part %s: %w", v.Ref(), err))
		}
		c.parts = append(c.parts, p)
	}
	return c, nil
}

// acquirePart returns a loaded part, which is loaded by the first who asks.
func (s *Server) acquirePart(ctx context.Context, v models.Version) (*part, error) {
	s.partsMu.Lock()
	p := s.parts[v.Digest]
	mine := p == nil || p.broken.Load()
	if mine {
		p = &part{digest: v.Digest, ready: make(chan struct{})}
		s.parts[v.Digest] = p
	}
	p.users++
	s.partsMu.Unlock()
	if mine {
		p.in, p.err = s.loadPart(ctx, v)
		p.broken.Store(p.err != nil) // the next who asks tries again
		close(p.ready)
	}
	select {
	case <-p.ready:
	case <-ctx.Done():
		go func() { // it is still loading for another
			<-p.ready
			s.releasePart(p)
		}()
		return nil, edgeward.E("serve.part", edgeward.Unavailable, "endpoint.late", "the part was still loading when its time was over: %w", ctx.Err())
	}
	if p.err != nil {
		s.releasePart(p)
		return nil, p.err
	}
	return p, nil
}

func (s *Server) loadPart(ctx context.Context, v models.Version) (*instance, error) {
	var assets Assets
	var err error
	if s.Assets != nil {
		if assets, err = s.Assets(ctx, v); err != nil {
			return nil, err
		}
	}
	session, err := s.Runner.Load(ctx, v, Terms{})
	if err != nil {
		return nil, err
	}
	if _, ok := session.(Composed); ok {
		_ = session.Close() // it holds nothing
		return nil, edgeward.E("serve.part", edgeward.Invalid, "graph.nested", "a graph is no part of another").WithHint("write the nodes of the inner graph into the outer one")
	}
	in := newInstance(v, session, assets)
	in.queue = &queue{scheduler: s.scheduler, session: session, sig: v.Manifest.Signature, threads: min(max(1, session.About().Threads), s.Slots), runs: &runs{version: v.Number}}
	var st VersionStatus
	if err := prove(ctx, in, &st); err != nil {
		_ = session.Close() // the refusal is the error that counts
		return nil, err
	}
	in.queue.batch.Store(int32(max(1, st.Batch)))
	return in, nil
}

// releasePart gives a part back; the last one unloads it.
func (s *Server) releasePart(p *part) {
	s.partsMu.Lock()
	p.users--
	last := p.users == 0
	if last && s.parts[p.digest] == p {
		delete(s.parts, p.digest)
	}
	s.partsMu.Unlock()
	if !last || p.in == nil {
		return
	}
	if err := p.in.session.Close(); err != nil {
		s.Log.Warn("part of a graph not unloaded", "digest", p.digest.Short(), "error", err)
	}
}

// do answers inputs. Errors are those of the parts' queues and of the steps; they say which node it was.
func (c *composition) do(ctx context.Context, inputs []tensor.Tensor, priority int, timeout time.Duration) ([]tensor.Tensor, []graph.Span, error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	return c.RunParts(ctx, inputs, func(ctx context.Context, i int, in []tensor.Tensor) ([]tensor.Tensor, error) {
		out, _, err := c.parts[i].in.queue.do(ctx, in, priority, false, timeout)
		if edgeward.KindOf(err) == edgeward.Unavailable && ctx.Err() == nil {
			c.parts[i].broken.Store(true)
		}
		return out, err
	})
}

// Run implements Session, for warming and proving.
func (c *composition) Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	out, _, err := c.do(ctx, inputs, Normal, c.server.Timeout)
	return out, err
}

// About says what the parts run on, and what they take together.
func (c *composition) About() About {
	a := About{Engine: "graph", Device: "CPU", Choice: &Choice{Why: "each part by itself"}}
	var engines, devices []string
	for _, p := range c.parts {
		part := p.in.session.About()
		if !slices.Contains(engines, part.Engine) {
			engines = append(engines, part.Engine)
		}
		if !slices.Contains(devices, part.Device) {
			devices = append(devices, part.Device)
		}
		a.Bytes += part.Bytes
		a.Cold = a.Cold || part.Cold
		a.Choice.Parts = append(a.Choice.Parts, PartChoice{p.in.version.Ref().String(), p.digest, part.Engine, part.Device, part.Choice})
	}
	if len(engines) > 0 {
		a.Engine, a.Device = "graph: "+strings.Join(engines, ", "), strings.Join(devices, ", ")
	}
	return a
}

// Close gives the parts back.
func (c *composition) Close() error {
	for _, p := range c.parts {
		c.server.releasePart(p)
	}
	return c.Composed.Close()
}

// ask answers inputs by the version's queue, or by its parts'.
func (in *instance) ask(ctx context.Context, inputs []tensor.Tensor, priority int, alone bool, timeout time.Duration) (r result, err error) {
	c, ok := in.session.(*composition)
	if !ok {
		r.out, r.waited, err = in.queue.do(ctx, inputs, priority, alone, timeout)
		return r, err
	}
	began := time.Now() // room:clock elapsed time of a run
	r.out, r.spans, err = c.do(ctx, inputs, priority, timeout)
	in.queue.observed(1, time.Since(began)) // room:clock elapsed time of a run
	return r, err
}
