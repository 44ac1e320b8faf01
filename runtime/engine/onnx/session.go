package onnx

import (
	"context"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// output is how one output is allocated.
type output struct {
	spec     tensor.Spec
	definite bool // its shape is known: we allocate
	learn    bool // its shape is open and the wrapper would allocate it wrongly: a run with a guess tells
}

func newOutput(spec tensor.Spec) output {
	o := output{spec: spec, definite: spec.Datatype != tensor.Bytes}
	for _, d := range spec.Shape {
		o.definite = o.definite && d != tensor.Any
	}
	o.learn = !o.definite && (spec.Datatype == tensor.FP16 || spec.Datatype == tensor.BF16)
	return o
}

type session struct {
	sig     tensor.Signature
	outputs []output

	mu  sync.RWMutex // held for reading by runs, for writing by Close
	ort *ort.DynamicAdvancedSession
}

var _ engine.Session = (*session)(nil)

// Signature returns what the model wants and gives. A declared output without any shape is told as rank 0.
func (s *session) Signature() tensor.Signature { return s.sig }

// Close waits for running calls and gives the model's memory back.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ort == nil {
		return nil
	}
	err := s.ort.Destroy()
	s.ort = nil
	trim()
	return err
}

// Run answers inputs. See package engine.
func (s *session) Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	const op = "onnx.Run"
	if err := s.sig.Check(inputs); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, edgeward.E(op, edgeward.Unavailable, "engine.stopped", "the run was not started: %w", err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.ort == nil {
		return nil, engine.Closed(op)
	}
	ins := make([]ort.Value, 0, len(inputs))
	defer func() { destroy(ins) }()
	for _, spec := range s.sig.Inputs {
		for _, t := range inputs {
			if t.Name != spec.Name {
				continue
			}
			v, err := input(t)
			if err != nil {
				return nil, err
			}
			ins = append(ins, v)
		}
	}
	shapes := s.guess(inputs)
	for range len(s.outputs) + 1 {
		outs, err := s.run(ctx, ins, shapes)
		if err == nil {
			runtime.KeepAlive(inputs)
			return outs, nil
		}
		if ctx.Err() != nil {
			return nil, edgeward.E(op, edgeward.Unavailable, "engine.stopped", "the run was stopped: %w", ctx.Err())
		}
		if !s.correct(shapes, err.Error()) {
			return nil, err
		}
	}
	return nil, edgeward.E(op, edgeward.Invalid, "engine.run", "the model answers another shape each time it runs")
}

// guess returns for each output the shape to allocate, or nil where the wrapper may allocate.
func (s *session) guess(inputs []tensor.Tensor) [][]int64 {
	batch := int64(1)
	if len(inputs) > 0 && len(inputs[0].Shape) > 0 {
		batch = inputs[0].Shape[0]
	}
	shapes := make([][]int64, len(s.outputs))
	for i, o := range s.outputs {
		if !o.definite && !o.learn {
			continue
		}
		shapes[i] = make([]int64, len(o.spec.Shape))
		for j, d := range o.spec.Shape {
			if d == tensor.Any {
				d = batch
			}
			shapes[i][j] = d
		}
	}
	return shapes
}

// verification is how the library refuses an output of the wrong shape; it names the right one.
var verification = regexp.MustCompile(`provided for output '([^']*)' .* has shape \{[0-9,]*\} but the computed output shape for this run is \{([0-9,]*)\}`)

// correct replaces the guess that the library refused by what it asked for, and reports whether there was one.
func (s *session) correct(shapes [][]int64, text string) bool {
	m := verification.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	for i, o := range s.outputs {
		if o.learn && o.spec.Name == m[1] {
			shapes[i] = parseShape(m[2])
			return true
		}
	}
	return false
}

func parseShape(s string) []int64 {
	shape := []int64{}
	for f := range strings.SplitSeq(s, ",") {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil {
			shape = append(shape, n)
		}
	}
	return shape
}

// run runs once with outputs of the given shapes.
func (s *session) run(ctx context.Context, ins []ort.Value, shapes [][]int64) ([]tensor.Tensor, error) {
	const op = "onnx.Run"
	outs := make([]ort.Value, len(s.outputs))
	defer func() { destroy(outs) }()
	for i, shape := range shapes {
		if shape == nil {
			continue
		}
		d := s.outputs[i].spec.Datatype
		n, err := tensor.Elements(shape)
		if err != nil || n > tensor.MaxData/int64(d.Size()) {
			return nil, edgeward.E(op, edgeward.Exhausted, "engine.memory", "output %q of shape %s is too large", s.outputs[i].spec.Name, tensor.ShapeString(shape))
		}
		if outs[i], err = value(d, shape, make([]byte, n*int64(d.Size()))); err != nil {
			return nil, err
		}
	}
	stop, opts, err := stoppable(ctx)
	if err != nil {
		return nil, err
	}
	err = s.ort.RunWithOptions(ins, outs, opts)
	stop()
	if err != nil {
		return nil, engine.Fail(op, "engine.run", err.Error())
	}
	answer := make([]tensor.Tensor, len(outs))
	for i, v := range outs {
		if answer[i], err = fromValue(s.outputs[i].spec, v); err != nil {
			return nil, err
		}
		if n, _ := tensor.Elements(answer[i].Shape); n == 0 && answer[i].Datatype.Size() > 0 {
			answer[i].Data = nil
		}
	}
	return answer, nil
}

// stoppable returns run options that end the run with ctx, and the function to call after it.
func stoppable(ctx context.Context) (func(), *ort.RunOptions, error) {
	opts, err := ort.NewRunOptions()
	if err != nil {
		return nil, nil, engine.Fail("onnx.Run", "engine.run", err.Error())
	}
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(told); opts.Terminate() })
	return func() {
		if !stop() {
			<-told
		}
		opts.Destroy()
	}, opts, nil
}

func destroy(values []ort.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}
