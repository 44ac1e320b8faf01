// Package fake is an engine without a native library, for tests of everything above engine: queues, routing, reports.
// It passes the same contract as the real ones. It reads models in a format of its own, made by Affine: every output is
// a linear function of the one FP32 input, and a model can be told to be slow or to fail.
package fake

import (
	"context"
	"encoding/json"
	"sync"
	"syscall"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// Format is the format of the fake's models.
const Format engine.Format = "fake"

// Affine is a model y = x·Weights + Bias with x FP32 [-1 len(Weights)] and y FP32 [-1 1].
type Affine struct {
	Weights []float32     `json:"weights"`
	Bias    float32       `json:"bias"`
	Delay   time.Duration `json:"delay,omitempty"` // each Run takes at least this long, unless its ctx ends
	Fail    string        `json:"fail,omitempty"`  // each Run fails with this text
	Refuse  string        `json:"refuse,omitempty"`
	Scales  bool          `json:"scales,omitempty"` // Delay is divided among the threads
	Bytes   int           `json:"bytes,omitempty"`  // of memory that the loaded model holds
	Poison  *Poison       `json:"poison,omitempty"`
}

// Poison is an input that a model does not survive.
type Poison struct {
	At  float32 `json:"at"`  // the first value of the first row
	How string  `json:"how"` // "panic", "loop" (for ever, deaf to its ctx), "memory" (allocates until the process may not)
}

// ballast keeps what memory poison allocates.
var ballast [][]byte

func (p *Poison) take() {
	switch p.How {
	case "panic":
		panic("the model met its poison")
	case "loop":
		for len(ballast) == 0 {
			time.Sleep(time.Millisecond)
		}
	case "memory":
		for {
			b := make([]byte, 64<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			ballast = append(ballast, b)
		}
	}
}

// Model writes a down as something an engine can load.
func (a Affine) Model() engine.Model {
	b, err := json.Marshal(a)
	if err != nil { // numbers that are not finite
		return engine.Model{Format: Format}
	}
	return engine.Model{Format: Format, Bytes: b}
}

// Engine is the fake. The zero Engine is called "fake".
type Engine struct {
	Called string // its name, where several are needed
}

var _ engine.Engine = Engine{}

// Name returns Called, or "fake".
func (e Engine) Name() string {
	if e.Called == "" {
		return "fake"
	}
	return e.Called
}

// Version returns "1".
func (Engine) Version() string { return "1" }

// Load reads an Affine. A model with Refuse is refused in these words.
func (e Engine) Load(_ context.Context, m engine.Model) (engine.Session, error) {
	const op = "fake.Load"
	if m.Format != Format {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.format", "the fake engine does not read the format %q", m.Format)
	}
	b, err := m.Read()
	if err != nil {
		return nil, err
	}
	var a Affine
	if err := json.Unmarshal(b, &a); err != nil || len(a.Weights) == 0 {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.model", "this is no model of the fake engine: %v", err)
	}
	if a.Refuse != "" {
		return nil, engine.Fail(op, "engine.model", a.Refuse)
	}
	x := &session{Affine: a}
	if a.Bytes > 0 { // beside the collector's heap: it is resident to the byte, and gone when it is given back
		if x.held, err = syscall.Mmap(-1, 0, a.Bytes, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_POPULATE); err != nil {
			return nil, engine.Fail(op, "engine.model", err.Error())
		}
	}
	if a.Scales {
		x.Delay /= time.Duration(max(1, m.Threads))
	}
	return x, nil
}

type session struct {
	Affine
	held   []byte
	mu     sync.RWMutex
	closed bool
}

func (s *session) Signature() tensor.Signature {
	return tensor.Signature{
		Inputs:  []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{tensor.Any, int64(len(s.Weights))}}},
		Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{tensor.Any, 1}}},
	}
}

func (s *session) Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	const op = "fake.Run"
	if err := s.Signature().Check(inputs); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, engine.Closed(op)
	}
	if s.Delay > 0 {
		select {
		case <-time.After(s.Delay):
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, edgeward.E(op, edgeward.Unavailable, "engine.stopped", "the run was stopped: %w", err)
	}
	if s.Fail != "" {
		return nil, engine.Fail(op, "engine.run", s.Fail)
	}
	x, err := inputs[0].Float32s()
	if err != nil {
		return nil, err
	}
	if p := s.Poison; p != nil && len(x) > 0 && x[0] == p.At {
		p.take()
	}
	y := make([]float32, inputs[0].Shape[0])
	for i := range y {
		y[i] = s.Bias
		for j, w := range s.Weights {
			y[i] += w * x[i*len(s.Weights)+j]
		}
	}
	out, err := tensor.FromFloat32s("y", []int64{int64(len(y)), 1}, y)
	return []tensor.Tensor{out}, err
}

func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	held := s.held
	if s.held = nil; held == nil {
		return nil
	}
	return syscall.Munmap(held)
}
