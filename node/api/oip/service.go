package oip

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"edgeward"
	"edgeward/node/api/oip/shm"
	"edgeward/node/auth"
	"edgeward/runtime/picture"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// DefaultMaxBody bounds a request in bytes.
const DefaultMaxBody = 64 << 20

// Endpoints answers requests: *serve.Server.
type Endpoints interface {
	Infer(ctx context.Context, r serve.Request) (serve.Answer, error)
	Describe(key serve.Key, version int) (serve.Served, error)
	Status(key serve.Key) (serve.Status, bool)
	Metrics(key serve.Key) (serve.Metrics, bool)
	AllMetrics() []serve.Metrics
}

// Lookup makes the inputs of an endpoint from the server's own data: those known at eventTime for the series key. It also
// says which time the answer will speak of.
type Lookup func(ctx context.Context, endpoint serve.Key, key string, eventTime time.Time) (inputs []tensor.Tensor, target time.Time, err error)

// Config is what the protocol is made of. Lookup and Ready may be nil.
type Config struct {
	Serve      Endpoints
	Repository Repository
	Lookup     Lookup      // nil: edgeward_lookup is refused
	Ready      func() bool // nil: the server is ready
	Now        func() time.Time
	NewID      func() string // a ULID
	Version    string        // of the product
	LogLevel   func() string // debug, info, warn or error
	MaxBody    int64         // 0 means DefaultMaxBody

	BodyTimeout  time.Duration // for a body or message to arrive; 0 means DefaultBodyTimeout
	SequenceIdle time.Duration // a sequence ends when nothing comes for so long; 0 means DefaultSequenceIdle
	Shared       *shm.Regions  // nil: shared memory is not offered
	Log          *slog.Logger
}

// Service does what a request asks for, whichever wire format it came in. REST (Register) and gRPC (package oipgrpc) decode,
// call it once and encode. A principal given to a method has been let through for the verb its route declares.
type Service struct {
	Config
	sequences *sequences
}

// New returns a Service.
func New(c Config) *Service {
	if c.MaxBody <= 0 {
		c.MaxBody = DefaultMaxBody
	}
	if c.BodyTimeout <= 0 {
		c.BodyTimeout = DefaultBodyTimeout
	}
	if c.SequenceIdle <= 0 {
		c.SequenceIdle = DefaultSequenceIdle
	}
	return &Service{c, &sequences{idle: c.SequenceIdle, all: map[serve.Key]map[string]*sequence{}}}
}

// TooLarge is the error for a request over MaxBody.
func (s *Service) TooLarge() error {
	return edgeward.E("oip.body", edgeward.TooLarge, "request.too_large", "the request is larger than %d bytes", s.MaxBody).
		With("limit", strconv.FormatInt(s.MaxBody, 10)).WithHint("send fewer rows at once")
}

// Server says what this server is.
type Server struct {
	Extensions []string `json:"extensions"`
	Name       string   `json:"name"`
	Version    string   `json:"version"`
}

// Server describes the server.
func (s *Service) Server() Server {
	extensions := []string{"binary_tensor_data", "classification", "logging", "model_configuration", "model_repository", "parameters", "schedule_policy", "sequence",
		"sequence(string_id)", "statistics", "trace"}
	if s.Shared != nil {
		extensions = append(extensions, "system_shared_memory")
	}
	return Server{extensions, "edgeward", s.Version}
}

// IsReady reports whether the server can answer.
func (s *Service) IsReady() bool { return s.Ready == nil || s.Ready() }

// TensorMetadata describes one input or output.
type TensorMetadata struct {
	Name     string          `json:"name"`
	Datatype tensor.Datatype `json:"datatype"`
	Shape    []int64         `json:"shape"` // -1 where every size fits

	Parameters *TensorParameters `json:"parameters,omitempty"`
}

// TensorParameters say what the protocol has no field for.
type TensorParameters struct {
	Image string `json:"edgeward_image"` // the input takes pictures too, as BYTES: "BYTES [-1]", or "BYTES [1]" where it takes one at a time
}

// Metadata describes an endpoint.
type Metadata struct {
	Inputs   []TensorMetadata `json:"inputs"`
	Name     string           `json:"name"`
	Outputs  []TensorMetadata `json:"outputs"`
	Platform string           `json:"platform"`
	Versions []string         `json:"versions"`
}

// Metadata describes the version of an endpoint that t names.
func (s *Service) Metadata(t Target) (Metadata, error) {
	d, err := s.Serve.Describe(t.Key, t.Version)
	if err != nil {
		return Metadata{}, err
	}
	m := Metadata{Name: t.Name, Platform: d.Version.Manifest.Kind, Versions: make([]string, len(d.Versions)),
		Inputs: describe(d.Version.Manifest.Signature.Inputs), Outputs: describe(d.Version.Manifest.Signature.Outputs)}
	for i, v := range d.Versions {
		m.Versions[i] = strconv.Itoa(v)
	}
	for i, x := range m.Inputs {
		if _, ok := picture.Of(d.Version.Manifest.Preprocessing, x.Name); ok {
			n := int64(1)
			if len(x.Shape) == 4 {
				n = x.Shape[0]
			}
			m.Inputs[i].Parameters = &TensorParameters{Image: "BYTES [" + strconv.FormatInt(n, 10) + "]"}
		}
	}
	return m, nil
}

func describe(specs []tensor.Spec) []TensorMetadata {
	out := make([]TensorMetadata, len(specs))
	for i, s := range specs {
		out[i] = TensorMetadata{Name: s.Name, Datatype: s.Datatype, Shape: append([]int64{}, s.Shape...)}
	}
	return out
}

// ModelReady reports whether the version that t names can answer now.
func (s *Service) ModelReady(t Target) (bool, error) {
	d, err := s.Serve.Describe(t.Key, t.Version)
	return d.Ready, err
}

// Target is an endpoint, and a version behind it; 0 leaves the choice to the endpoint.
type Target struct {
	serve.Key
	Version   int
	Principal string // who asks, for the limit of each caller
	Local     bool   // who asks is on this machine
}

// TargetOf returns what the names in a request mean to p: endpoints are those of p's current group.
func TargetOf(p auth.Principal, name, version string) (Target, error) {
	t := Target{Key: serve.Key{Group: p.Group, Name: name}, Principal: p.Key()}
	if version == "" {
		return t, nil
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || strconv.Itoa(n) != version {
		return t, edgeward.E("oip.target", edgeward.NotFound, "endpoint.no_version", "%.40q is no version number", version)
	}
	t.Version = n
	return t, nil
}

// Answer is what one version said, as the request wants it.
type Answer struct {
	serve.Answer
	ClientID string          // the client's own id, or ours
	Wanted   []tensor.Tensor // in the order asked for; read only
	Spans    string          // what each node took, as JSON; "" where it was not asked for
	Shared   []Shared        // where their data are; shorter than Wanted, or nil, where the answer carries them
}

// Span returns where the data of Wanted[i] are.
func (a *Answer) Span(i int) Shared {
	if i < len(a.Shared) {
		return a.Shared[i]
	}
	return Shared{}
}

// Infer answers one request, which was received at the given time.
func (s *Service) Infer(ctx context.Context, t Target, r *Request, received time.Time) (Answer, error) {
	if len(r.Outputs) > 0 { // refused before the model runs
		d, err := s.Serve.Describe(t.Key, t.Version)
		if err != nil {
			return Answer{}, err
		}
		for _, w := range r.Outputs {
			if w.span.region != "" {
				if err := s.memory(t); err != nil {
					return Answer{}, err
				}
			}
			if !slices.ContainsFunc(d.Version.Manifest.Signature.Outputs, func(s tensor.Spec) bool { return s.Name == w.Name }) {
				return Answer{}, unknownOutput(w.Name)
			}
		}
	}
	if r.EventTime.IsZero() {
		r.EventTime = received
	}
	if err := s.lookup(ctx, t.Key, r); err != nil {
		return Answer{}, err
	}
	if err := s.fetch(t, r); err != nil {
		return Answer{}, err
	}
	version, err := s.sequences.enter(t.Key, r.Sequence, t.Version, received)
	if err != nil {
		return Answer{}, err
	}
	if r.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.Timeout)
		defer cancel()
	}
	a, err := s.Serve.Infer(ctx, serve.Request{
		ID: s.NewID(), Endpoint: t.Key, Version: version, Inputs: r.Inputs, ReceivedAt: received, EventTime: r.EventTime, Target: r.TargetTime, SeriesKey: r.SeriesKey,
		StickyKey: r.StickyKey, Variant: r.Variant, Principal: t.Principal, Priority: r.Priority,
	})
	if err = s.sequences.leave(t.Key, r.Sequence, a.Version, err); err != nil {
		return Answer{}, err
	}
	out := Answer{Answer: a, ClientID: r.ID, Wanted: a.Outputs}
	if out.ClientID == "" {
		out.ClientID = a.ID
	}
	if r.Trace {
		out.Spans = trace(a)
	}
	if len(r.Outputs) > 0 {
		out.Wanted = make([]tensor.Tensor, 0, len(r.Outputs))
		key := t.Key
		for n, w := range r.Outputs {
			i := slices.IndexFunc(a.Outputs, func(t tensor.Tensor) bool { return t.Name == w.Name })
			if i < 0 {
				return Answer{}, unknownOutput(w.Name)
			}
			t := a.Outputs[i]
			if w.classes > 0 {
				var labels []string
				if a.Of != nil {
					labels = a.Of.Manifest.Classes
				}
				if t, err = classify(t, w.classes, labels); err != nil {
					return Answer{}, err
				}
			}
			if p := w.span; p.region != "" {
				if err := s.Shared.Write(key.Group, p.region, p.offset, p.size, t.Data); err != nil {
					return Answer{}, err
				}
				if out.Shared == nil {
					out.Shared = make([]Shared, len(r.Outputs))
				}
				out.Shared[n] = Shared{p.region, p.offset, int64(len(t.Data))}
			}
			out.Wanted = append(out.Wanted, t)
		}
	}
	return out, nil
}

func (s *Service) lookup(ctx context.Context, key serve.Key, r *Request) error {
	if !r.Lookup {
		return nil
	}
	if s.Lookup == nil {
		return invalid("parameter.lookup", "this server has no data to look up").WithHint("send the inputs")
	}
	if len(r.Inputs) > 0 {
		return invalid("parameter.lookup", "edgeward_lookup takes the inputs from the server's data, and the request has %d inputs too", len(r.Inputs))
	}
	inputs, target, err := s.Lookup(ctx, key, r.SeriesKey, r.EventTime)
	if err != nil {
		return err
	}
	r.Inputs = inputs
	if r.TargetTime.IsZero() {
		r.TargetTime = target
	}
	return nil
}

func unknownOutput(name string) error {
	return invalid("output.unknown", "the model has no output %.80q", name).With("output", name).WithHint("the endpoint's metadata lists its outputs")
}
