package onnx

// #include <stdlib.h>
// #include "ort.h"
import "C"

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"unsafe"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

type session struct {
	sig           tensor.Signature
	placed        map[string]int
	inputs        []port
	outputs       []port
	names, wanted []*C.char // of the ports, in C's memory

	mu     sync.RWMutex // held for reading by runs, for writing by Close
	handle handle       // nil once closed
}

var _ interface {
	engine.Session
	engine.Placed
} = (*session)(nil)

// errZipped is open's answer to a model whose outputs are maps by class, row by row.
var errZipped = errors.New("an output is a sequence of maps")

// open makes a session of a model and reads its signature.
func open(path string, b []byte, how manner) (*session, error) {
	h, err := newSession(path, b, how)
	if err != nil {
		return nil, err
	}
	s := &session{handle: h}
	if s.inputs, s.sig.Inputs, err = ports(h, "input", C.SESSION_INPUT_COUNT, C.SESSION_INPUT_TYPE, C.SESSION_INPUT_NAME); err == nil {
		s.outputs, s.sig.Outputs, err = ports(h, "output", C.SESSION_OUTPUT_COUNT, C.SESSION_OUTPUT_TYPE, C.SESSION_OUTPUT_NAME)
	}
	s.names, s.wanted = cnames(s.inputs), cnames(s.outputs)
	if err == nil {
		if err = s.sig.Validate(); err != nil {
			err = edgeward.E("onnx.Load", edgeward.Invalid, "engine.model", "the model has a signature that cannot be served: %w", err)
		}
	}
	if err == nil && how.place {
		s.placed, err = places(h)
	}
	if err == nil && how.gpu >= 0 && s.placed[cuda] == 0 {
		err = engine.DeviceFailed("onnx.Load", errors.New("no operation of the model runs on the GPU"))
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func cnames(ports []port) []*C.char {
	out := make([]*C.char, len(ports))
	for i, p := range ports {
		out[i] = C.CString(p.name)
	}
	return out
}

func freeNames(names []*C.char) {
	for _, n := range names {
		C.free(unsafe.Pointer(n))
	}
}

// Signature returns what the model wants and gives.
func (s *session) Signature() tensor.Signature { return s.sig }

// Placed tells what the operations of the graph run on, by device; nil where it was not asked for.
func (s *session) Placed() map[string]int { return s.placed }

// Close waits for running calls and gives the model's memory back.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.handle == nil {
		return nil
	}
	release(C.RELEASE_SESSION, s.handle)
	s.handle = nil
	freeNames(s.names)
	freeNames(s.wanted)
	Trim()
	return nil
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
	if s.handle == nil {
		return nil, engine.Closed(op)
	}
	var pin runtime.Pinner // the library reads the inputs in place
	defer pin.Unpin()
	ins, names := make([]handle, 0, len(s.inputs)), make([]*C.char, 0, len(s.inputs))
	defer func() { releaseValues(ins) }()
	for i, p := range s.inputs {
		v, err := p.input(s.given(p, inputs), &pin)
		if err != nil {
			return nil, err
		}
		if v != nil { // else nothing in an optional: the library is not told of the input
			ins, names = append(ins, v), append(names, s.names[i])
		}
	}
	outs, looks := make([]handle, len(s.outputs)), make([]C.look, len(s.outputs))
	defer releaseValues(outs)
	if err := s.run(ctx, names, ins, outs, looks); err != nil {
		return nil, err
	}
	answer := make([]tensor.Tensor, 0, len(s.sig.Outputs))
	for i, p := range s.outputs {
		ts, err := p.output(outs[i], &looks[i])
		if err != nil {
			return nil, err
		}
		answer = append(answer, ts...)
	}
	return answer, nil
}

// given returns the tensors of a port in the order of its specs. They are there: the signature was checked.
func (s *session) given(p port, inputs []tensor.Tensor) (found [2]tensor.Tensor) {
	for i := range p.n {
		for _, t := range inputs {
			if t.Name == s.sig.Inputs[p.first+i].Name {
				found[i] = t
			}
		}
	}
	return found
}

// run fills outs and looks; outs are values of the library, to be released also after an error.
func (s *session) run(ctx context.Context, names []*C.char, ins, outs []handle, looks []C.look) error {
	const op = "onnx.Run"
	var options handle
	done := func() {}
	if ctx.Done() != nil {
		if err := failed(op, "engine.run", C.ort_run_options(&options)); err != nil {
			return err
		}
		defer release(C.RELEASE_RUN_OPTIONS, options)
		told := make(chan struct{})
		stop := context.AfterFunc(ctx, func() { defer close(told); C.ort_stop(options) })
		done = func() {
			if !stop() {
				<-told
			}
		}
	}
	status := C.ort_run(s.handle, options, unsafe.SliceData(names), unsafe.SliceData(ins), C.size_t(len(ins)),
		unsafe.SliceData(s.wanted), unsafe.SliceData(outs), unsafe.SliceData(looks), C.size_t(len(outs)))
	done()
	err := failed(op, "engine.run", status)
	if err != nil && ctx.Err() != nil {
		return edgeward.E(op, edgeward.Unavailable, "engine.stopped", "the run was stopped: %w", ctx.Err())
	}
	return err
}
