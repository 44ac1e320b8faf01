package openvino

import (
	"context"
	"runtime"
	"sync"
	"unsafe"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

type session struct {
	*api
	model, compiled uintptr
	sig             tensor.Signature
	weights         []byte // the model points into them

	mu     sync.RWMutex // held for reading by runs, for writing by Close
	closed bool

	idle     sync.Mutex
	requests []uintptr // infer requests that nobody uses now
}

var _ engine.Session = (*session)(nil)

// Signature returns what the model wants and gives.
func (s *session) Signature() tensor.Signature { return s.sig }

// signature reads names, datatypes and shapes from the model as it was read: compiling may merge names.
func (s *session) signature() (tensor.Signature, error) {
	const op = "openvino.Load"
	var sig tensor.Signature
	var nin, nout uintptr
	if s.inputsSize(s.model, &nin) != 0 || s.outputsSize(s.model, &nout) != 0 {
		return sig, engine.Fail(op, "engine.model", s.why())
	}
	var err error
	if sig.Inputs, err = s.specs("input", nin, s.input); err != nil {
		return sig, err
	}
	if sig.Outputs, err = s.specs("output", nout, s.output); err != nil {
		return sig, err
	}
	if err := sig.Validate(); err != nil {
		return sig, edgeward.E(op, edgeward.Invalid, "engine.model", "the model has a signature that cannot be served: %w", err)
	}
	return sig, nil
}

func (s *session) specs(what string, n uintptr, port func(model, index uintptr, port *uintptr) int32) ([]tensor.Spec, error) {
	const op = "openvino.Load"
	if n > tensor.MaxTensors {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.model", "%d %ss; at most %d can be served", n, what, tensor.MaxTensors)
	}
	specs := make([]tensor.Spec, n)
	for i := range specs {
		var p uintptr
		if port(s.model, uintptr(i), &p) != 0 {
			return nil, engine.Fail(op, "engine.model", s.why())
		}
		spec, err := s.spec(p)
		s.portFree(p)
		if err != nil {
			return nil, err
		}
		if !spec.Datatype.Valid() {
			return nil, edgeward.E(op, edgeward.Invalid, "engine.model", "%s %q has an element type that cannot be served yet", what, spec.Name)
		}
		specs[i] = spec
	}
	return specs, nil
}

func (s *session) spec(port uintptr) (tensor.Spec, error) {
	var spec tensor.Spec
	var name unsafe.Pointer
	var element int32
	var shape cPartialShape
	if s.portName(port, &name) != 0 || s.portType(port, &element) != 0 || s.portShape(port, &shape) != 0 {
		return spec, engine.Fail("openvino.Load", "engine.model", s.why())
	}
	defer s.shapeFree(&shape)
	spec.Name, spec.Datatype, spec.Shape = s.owned(name), elements[element], []int64{}
	if spec.AnyRank = shape.rank.min != shape.rank.max; spec.AnyRank || shape.dims == nil {
		return spec, nil
	}
	for _, d := range unsafe.Slice((*cDimension)(shape.dims), shape.rank.max) {
		if d.min != d.max {
			d.max = tensor.Any
		}
		spec.Shape = append(spec.Shape, d.max)
	}
	return spec, nil
}

// Close waits for running calls and gives the model's memory back.
func (s *session) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	for _, r := range s.requests {
		s.reqFree(r)
	}
	if s.compiled != 0 {
		s.compFree(s.compiled)
	}
	if s.model != 0 {
		s.modelFree(s.model)
	}
	s.weights = nil
	if s.mallocTrim != nil {
		s.mallocTrim(0)
	}
	return nil
}

// take returns an infer request for one run.
func (s *session) take() (uintptr, error) {
	s.idle.Lock()
	defer s.idle.Unlock()
	if n := len(s.requests); n > 0 {
		r := s.requests[n-1]
		s.requests = s.requests[:n-1]
		return r, nil
	}
	var r uintptr
	if s.newRequest(s.compiled, &r) != 0 {
		return 0, engine.Fail("openvino.Run", "engine.run", s.why())
	}
	return r, nil
}

func (s *session) put(r uintptr) {
	s.idle.Lock()
	s.requests = append(s.requests, r)
	s.idle.Unlock()
}

// Run answers inputs. See package engine.
func (s *session) Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	const op = "openvino.Run"
	if err := s.sig.Check(inputs); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, edgeward.E(op, edgeward.Unavailable, "engine.stopped", "the run was not started: %w", err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return nil, engine.Closed(op)
	}
	r, err := s.take()
	if err != nil {
		return nil, err
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	for i, spec := range s.sig.Inputs {
		for _, t := range inputs {
			if t.Name != spec.Name {
				continue
			}
			if err := s.set(r, i, t, &pin); err != nil {
				s.reqFree(r)
				return nil, err
			}
		}
	}
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(told); s.cancel(r) })
	status := s.infer(r)
	if !stop() {
		<-told
	}
	if status != 0 {
		text := s.why()
		s.reqFree(r) // its state after a failure is the library's secret
		if ctx.Err() != nil {
			return nil, edgeward.E(op, edgeward.Unavailable, "engine.stopped", "the run was stopped: %w", ctx.Err())
		}
		return nil, engine.Fail(op, "engine.run", text)
	}
	out := make([]tensor.Tensor, len(s.sig.Outputs))
	for i, spec := range s.sig.Outputs {
		if out[i], err = s.get(r, i, spec); err != nil {
			s.reqFree(r)
			return nil, err
		}
	}
	s.put(r)
	return out, nil
}

// set gives an input to a request. The library reads t.Data in place until the run is over.
func (s *session) set(r uintptr, i int, t tensor.Tensor, pin *runtime.Pinner) error {
	const op = "openvino.Run"
	if err := narrow(t); err != nil {
		return err
	}
	if len(t.Shape) == 0 {
		return s.setScalar(r, i, t)
	}
	data := aligned(t.Data, t.Datatype.Size())
	if len(data) == 0 {
		data = make([]byte, 8)
	}
	pin.Pin(unsafe.SliceData(data))
	var handle uintptr
	if s.tensorFrom(elementType(t.Datatype), int64(len(t.Shape)), unsafe.SliceData(t.Shape), unsafe.Pointer(unsafe.SliceData(data)), &handle) != 0 {
		return engine.Fail(op, "engine.run", s.why())
	}
	defer s.tensorFree(handle)
	if s.setInput(r, uintptr(i), handle) != 0 {
		return engine.Fail(op, "engine.run", s.why())
	}
	return nil
}

// setScalar writes a rank-0 input into the request's own tensor: the C API makes none of rank 0.
func (s *session) setScalar(r uintptr, i int, t tensor.Tensor) error {
	const op = "openvino.Run"
	var handle, n uintptr
	var data unsafe.Pointer
	if s.getInput(r, uintptr(i), &handle) != 0 {
		return engine.Fail(op, "engine.run", s.why())
	}
	defer s.tensorFree(handle)
	if s.tensorBytes(handle, &n) != 0 || int(n) != len(t.Data) || s.tensorData(handle, &data) != 0 {
		return edgeward.E(op, edgeward.Invalid, "engine.unsupported", "input %q cannot be set as a single value", t.Name)
	}
	copy(unsafe.Slice((*byte)(data), n), t.Data)
	return nil
}

// narrow refuses integers that the library would silently cut: its CPU plugin computes 64-bit integers in 32 bits.
func narrow(t tensor.Tensor) error {
	if t.Datatype != tensor.Int64 && t.Datatype != tensor.Uint64 {
		return nil
	}
	values, err := t.Int64s()
	if err != nil {
		return err
	}
	for i, v := range values {
		if int64(int32(v)) != v {
			return edgeward.E("openvino.Run", edgeward.Invalid, "engine.range", "tensor %q: element %d is %d, and OpenVINO computes integers in 32 bits", t.Name, i, v).
				With("tensor", t.Name).WithHint("serve this model with ONNX Runtime")
		}
	}
	return nil
}

// get copies an output out of a request.
func (s *session) get(r uintptr, i int, spec tensor.Spec) (tensor.Tensor, error) {
	const op = "openvino.Run"
	t := tensor.Tensor{Name: spec.Name, Datatype: spec.Datatype, Shape: []int64{}}
	var handle, n uintptr
	var data unsafe.Pointer
	var shape cShape
	if s.getOutput(r, uintptr(i), &handle) != 0 {
		return t, engine.Fail(op, "engine.run", s.why())
	}
	defer s.tensorFree(handle)
	if s.tensorBytes(handle, &n) != 0 {
		return t, engine.Fail(op, "engine.run", s.why())
	}
	switch {
	case s.tensorShape(handle, &shape) == 0:
		t.Shape = append(t.Shape, unsafe.Slice((*int64)(shape.dims), shape.rank)...)
		s.cShapeFree(&shape)
	case len(spec.Shape) != 0: // the C API tells no shape of rank 0
		return t, engine.Fail(op, "engine.run", s.why())
	}
	if n == 0 {
		return t, nil
	}
	if s.tensorData(handle, &data) != 0 {
		return t, engine.Fail(op, "engine.run", s.why())
	}
	t.Data = append(make([]byte, 0, n), unsafe.Slice((*byte)(data), n)...)
	if err := t.Check(); err != nil {
		return t, edgeward.E(op, edgeward.Invalid, "engine.run", "the library answered something odd: %w", err)
	}
	return t, nil
}

// aligned returns data, copied if its address does not suit elements of size bytes.
func aligned(data []byte, size int) []byte {
	if len(data) == 0 || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%uintptr(size) == 0 {
		return data
	}
	words := make([]uint64, (len(data)+7)/8)
	out := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(data))
	copy(out, data)
	return out
}
