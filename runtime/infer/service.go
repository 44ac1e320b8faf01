package infer

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/onnx"
	"edgeward/runtime/engine/openvino"
	"edgeward/runtime/native"
	"edgeward/runtime/packs"
	"edgeward/runtime/tensor"
	"edgeward/runtime/worker"
)

// NewService builds the infer worker's service with the product's engines; it is the entry of Kind in worker.Kinds. It
// opens no library yet. In a worker that Place made for a candidate that is away, it has that candidate's engine only.
func NewService(env worker.Env) (worker.Service, error) {
	pack := native.Open(env.NativeDir)
	find := func(set, prefix string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			at, err := pack.Locate(ctx, set)
			if err != nil {
				return "", err
			}
			for name, path := range at.Files {
				if strings.HasPrefix(name, prefix) {
					return path, nil
				}
			}
			return "", errors.New("the native set " + set + " has no " + prefix)
		}
	}
	const libopenvino = "libopenvino_c.so"
	switch set, runtime := env.Values[valueSet], env.Values[valueRuntime]; {
	case runtime != "":
		return ServiceOf(onnx.Of(located(env, runtime))), nil
	case set != "":
		return ServiceOf(openvino.New(find(set, libopenvino))), nil
	}
	return ServiceOf(
		onnx.New(find(native.ONNXRuntime, "libonnxruntime.so")),
		openvino.New(find(native.OpenVINO, libopenvino)),
	), nil
}

// located finds and verifies the library of a runtime pack.
func located(env worker.Env, runtime string) func(context.Context) (onnx.Library, error) {
	return func(ctx context.Context) (onnx.Library, error) {
		ref, err := packs.ParseRef(runtime)
		if err != nil {
			return onnx.Library{}, err
		}
		at, err := packs.At(env.Values[valueRuntimes]).Locate(ctx, ref)
		if err != nil {
			return onnx.Library{}, err
		}
		most, _ := strconv.ParseUint(env.Values[valueDeviceMemory], 10, 64) // "" is 0: all of it
		return onnx.Library{Path: at.Library, Preload: at.Preload, CUDA: slices.Contains(at.Devices, packs.CUDA), Memory: most}, nil
	}
}

// The values of worker.Env that a worker for a candidate that is away is told.
const (
	valueRuntimes     = "runtimes"      // folder of the runtime packs
	valueRuntime      = "runtime"       // the pack's "name@version"
	valueSet          = "set"           // of embedded libraries, where it is not the ordinary one
	valueDeviceMemory = "device_memory" // bytes
)

// Place tells an Env what its worker needs to run a candidate: which library, from the packs in the folder runtimes, and how
// many bytes of a GPU's memory it may take, 0 for all.
func Place(env worker.Env, c Candidate, runtimes string, deviceMemory int64) worker.Env {
	if !c.Away() {
		return env
	}
	env.Values = map[string]string{}
	env.Reserves = c.Device != engine.CPU
	switch {
	case c.Runtime != "":
		env.Values[valueRuntimes], env.Values[valueRuntime] = runtimes, c.Runtime
		env.Values[valueDeviceMemory] = strconv.FormatInt(deviceMemory, 10)
	case c.Device == "GPU":
		env.Values[valueSet] = native.OpenVINOGPU
	case c.Device == "NPU":
		env.Values[valueSet] = native.OpenVINONPU
	}
	return env
}

// ServiceOf builds the service with other engines, for tests.
func ServiceOf(engines ...engine.Engine) worker.Service {
	s := &service{engines: engines, models: map[string]*model{}, warmed: map[string]bool{}}
	return worker.Service{
		Methods: map[string]worker.Handler{methodLoad: s.load, methodRun: s.run, methodUnload: s.unload, methodStats: s.stats},
		Borrows: map[string]bool{methodRun: true}, // an engine has read its inputs when it answers
	}
}

type service struct {
	engines []engine.Engine

	mu     sync.RWMutex
	models map[string]*model
	warmed map[string]bool // engines, by name and device
	last   time.Time       // of settle
}

type model struct {
	engine.Session
	Candidate
	memory       int64
	runs, failed atomic.Uint64
}

// load loads a model with one engine, answers the examples and times them, and keeps the session under its key.
func (s *service) load(ctx context.Context, body []byte, _ func([]byte)) ([]byte, error) {
	const op = "infer.load"
	var h loadHead
	parts, err := unpack(body, &h)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(s.engines, func(e engine.Engine) bool { return e.Name() == h.Engine })
	if i < 0 || len(parts) < 2 || h.Warm < 0 || h.Warm > len(parts)-2 {
		return nil, edgeward.E(op, edgeward.Invalid, "infer.engine", "there is no engine %q", h.Engine)
	}
	e := s.engines[i]
	if o, ok := e.(engine.Opener); ok { // its own memory is not the model's
		if err := o.Open(ctx); err != nil {
			return nil, err
		}
	}
	if h.Runs > 0 { // it is being proved: what it takes is to be known well
		s.warm(ctx, e, h.Device)
		settle()
	}
	forgetPeak()
	whole := resident()
	before, began := private(), time.Now() // room:clock elapsed time of the load
	session, err := e.Load(ctx, engine.Model{Format: h.Format, Bytes: parts[0], Weights: parts[1], Path: h.Path, Threads: h.Threads, Device: h.Device, Place: h.Runs > 0})
	if err != nil {
		return nil, err
	}
	took := time.Since(began) // room:clock elapsed time of the load
	answer := loaded{Version: e.Version(), Signature: session.Signature(), LoadMillis: float64(took.Microseconds()) / 1000}
	warm := parts[len(parts)-h.Warm:]
	if p, ok := session.(engine.Placed); ok {
		answer.Nodes = p.Placed()
	}
	outputs, times, err := try(ctx, session, parts[2:len(parts)-h.Warm], h.Runs)
	if err == nil {
		err = heat(ctx, session, warm)
	}
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	answer.P50Micros, answer.P95Micros = micros(times, 0.5), micros(times, 0.95)
	answer.PeakBytes = max(0, peak()-whole)
	if h.Runs > 0 {
		settle()
	}
	answer.MemoryBytes = max(0, private()-before)
	out, err := pack(answer, outputs...)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	m := &model{Session: session, Candidate: h.Candidate, memory: answer.MemoryBytes}
	s.mu.Lock()
	old := s.models[h.Key]
	s.models[h.Key] = m
	s.mu.Unlock()
	if old != nil {
		err = old.Close()
	}
	return out, err
}

// tiny is a model of 134 bytes: y = x·w + b.
//
//go:embed warm.onnx
var tiny []byte

// warm makes an engine take, once, what it takes with its first model, whichever that is: about ten MiB of ONNX Runtime,
// which would be measured as the model's.
func (s *service) warm(ctx context.Context, e engine.Engine, device string) {
	s.mu.Lock()
	done := s.warmed[e.Name()+device]
	s.warmed[e.Name()+device] = true
	s.mu.Unlock()
	if done {
		return
	}
	session, err := e.Load(ctx, engine.Model{Format: engine.ONNX, Bytes: tiny, Device: device})
	if err != nil {
		return // it reads no ONNX: what it measures is too much, not too little
	}
	_, _ = session.Run(ctx, zeros(session.Signature()))
	_ = session.Close()
}

// try answers every example once and times n runs over them, the quickest first. Without examples it makes one of zeros.
func try(ctx context.Context, s engine.Session, examples [][]byte, n int) (outputs [][]byte, took []time.Duration, err error) {
	requests := make([][]tensor.Tensor, len(examples))
	for i, b := range examples {
		if requests[i], err = tensor.Decode(b); err != nil {
			return nil, nil, err
		}
	}
	if len(requests) == 0 {
		requests = [][]tensor.Tensor{zeros(s.Signature())}
	}
	for _, in := range requests {
		out, err := s.Run(ctx, in)
		if err != nil {
			return nil, nil, err
		}
		outputs = append(outputs, tensor.Append(make([]byte, 0, tensor.EncodedSize(out)), out))
	}
	for all := time.Duration(0); len(took) < n && (all < timing || len(took) < fewest); {
		began := time.Now() // room:clock elapsed time of a run
		if _, err := s.Run(ctx, requests[len(took)%len(requests)]); err != nil {
			return nil, nil, err
		}
		took = append(took, time.Since(began)) // room:clock elapsed time of a run
		all += took[len(took)-1]
	}
	slices.Sort(took)
	return outputs, took, nil
}

// micros is what a share of sorted times kept to, in microseconds; 0 of none.
func micros(sorted []time.Duration, share float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(int(share*float64(len(sorted))), len(sorted)-1)].Nanoseconds()) / 1000
}

// heat runs requests that were asked before, and passes over those that the model refuses.
func heat(ctx context.Context, s engine.Session, requests [][]byte) error {
	for _, b := range requests {
		in, err := tensor.Decode(b)
		if err != nil {
			return err
		}
		if _, err := s.Run(ctx, in); err != nil && edgeward.KindOf(err) != edgeward.Invalid {
			return err
		}
	}
	return nil
}

// A slow model is timed for no longer than timing, but fewest times at least.
const (
	timing = 700 * time.Millisecond
	fewest = 3
)

// zeros makes an input of zeros, with 1 for every open dimension.
func zeros(sig tensor.Signature) []tensor.Tensor {
	in := make([]tensor.Tensor, len(sig.Inputs))
	for i, spec := range sig.Inputs {
		shape := make([]int64, len(spec.Shape))
		for j, d := range spec.Shape {
			if d == tensor.Any {
				d = 1
				if spec.Datatype == tensor.Bytes && spec.Holds != "" && !strings.HasPrefix(spec.Holds, "map(") {
					d = 0 // an empty sequence, nothing in an optional: an empty text is no tensor in it
				}
			}
			shape[j] = d
		}
		in[i] = tensor.Tensor{Name: spec.Name, Datatype: spec.Datatype, Shape: shape}
		size := spec.Datatype.Size()
		if size == 0 {
			size = 4 // an empty string is its length
		}
		if n, err := tensor.Elements(shape); err == nil && n <= tensor.MaxData/int64(size) {
			in[i].Data = make([]byte, n*int64(size)) // else Run refuses the tensor
		}
	}
	return in
}

func (s *service) run(ctx context.Context, body []byte, _ func([]byte)) ([]byte, error) {
	key, rest, err := splitRun(body)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	m := s.models[key]
	s.mu.RUnlock()
	if m == nil {
		return nil, notLoaded(key)
	}
	in, err := tensor.Decode(rest)
	if err != nil {
		return nil, err
	}
	m.runs.Add(1)
	out, err := m.Run(ctx, in)
	if err != nil {
		m.failed.Add(1)
		return nil, err
	}
	return tensor.Append(make([]byte, 0, tensor.EncodedSize(out)), out), nil
}

const notLoadedCode = "infer.not_loaded"

func notLoaded(key string) error {
	return edgeward.E("infer.run", edgeward.NotFound, notLoadedCode, "no model is loaded as %q", key)
}

func (s *service) unload(_ context.Context, body []byte, _ func([]byte)) ([]byte, error) {
	s.mu.Lock()
	m := s.models[string(body)]
	delete(s.models, string(body))
	s.mu.Unlock()
	if m == nil {
		return nil, nil
	}
	defer s.settled()
	return nil, m.Close()
}

// settled settles after an unload, once a second at most: many may follow each other.
func (s *service) settled() {
	now := time.Now() // room:clock elapsed since the last time
	s.mu.Lock()
	due := now.Sub(s.last) > time.Second
	if due {
		s.last = now
	}
	s.mu.Unlock()
	if due {
		settle()
	}
}

func (s *service) stats(context.Context, []byte, func([]byte)) ([]byte, error) {
	st := Stats{Sessions: []SessionStats{}, RSS: resident()}
	s.mu.RLock()
	for key, m := range s.models {
		st.Sessions = append(st.Sessions, SessionStats{Key: key, Candidate: m.Candidate, Runs: m.runs.Load(), Errors: m.failed.Load(), MemoryBytes: m.memory})
	}
	s.mu.RUnlock()
	slices.SortFunc(st.Sessions, func(a, b SessionStats) int { return strings.Compare(a.Key, b.Key) })
	return json.Marshal(st)
}

// settle gives freed memory back to the system, so that what is resident is in use.
func settle() {
	debug.FreeOSMemory()
	onnx.Trim()
}

// forgetPeak makes the largest resident size of this process what it is now, where the system can.
func forgetPeak() { _ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) }

// peak returns this process's largest resident size since forgetPeak, or 0 where the system does not tell.
func peak() int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(v), " kB"), 10, 64) // 0 where it is no number
			return n << 10
		}
	}
	return 0
}

// resident returns this process's resident bytes, or 0 where the system does not tell.
func resident() int64 { all, _ := statm(); return all }

// private returns those that are no file's: what a library's code takes when it is first used is not the model's.
func private() int64 { all, files := statm(); return all - files }

func statm() (resident, files int64) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, 0
	}
	if f := strings.Fields(string(b)); len(f) > 2 {
		resident, _ = strconv.ParseInt(f[1], 10, 64) // 0 where it is no number
		files, _ = strconv.ParseInt(f[2], 10, 64)
	}
	page := int64(os.Getpagesize())
	return resident * page, files * page
}
