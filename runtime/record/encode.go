package record

import (
	"encoding/binary"
	"math"
	"time"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Format is the number of the form of one log entry, its first byte; format 1, whose feedback does not name its endpoint,
// and format 2, whose predictions do not name their source, are read too. The second byte says what it is.
//
//	entry      = format:u8 what:u8 body
//	prediction = id group endpoint version:uvarint digest role received event target key latency:varint error flags:u8
//	             source inputs outputs                ; flags: 1 cut, 2 demo
//	feedback   = group endpoint id row:uvarint source kind hasvalue:u8 value:f64 label event at principal note
//	forget     = group endpoint
//	string     = len:uvarint bytes
//	time       = 0:u8 | 1:u8 unixnano:varint
//	tensors    = len:uvarint message of package tensor; empty for none
const Format = 3

const (
	isPrediction = 1
	isFeedback   = 2
	isForget     = 3
)

const (
	flagCut  = 1
	flagDemo = 2
)

type writer struct{ b []byte }

func (w *writer) str(s string) {
	w.b = binary.AppendUvarint(w.b, uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.b = append(w.b, 0)
		return
	}
	w.b = binary.AppendVarint(append(w.b, 1), t.UnixNano())
}

func (w *writer) tensors(ts []tensor.Tensor) {
	if len(ts) == 0 {
		w.b = append(w.b, 0)
		return
	}
	body := tensor.Append(make([]byte, 0, tensor.EncodedSize(ts)), ts)
	w.b = binary.AppendUvarint(w.b, uint64(len(body)))
	w.b = append(w.b, body...)
}

func encodePrediction(p Prediction) []byte {
	w := writer{make([]byte, 0, 256+tensor.EncodedSize(p.Inputs)+tensor.EncodedSize(p.Outputs))}
	w.b = append(w.b, Format, isPrediction)
	w.str(p.ID)
	w.str(p.Group)
	w.str(p.Endpoint)
	w.b = binary.AppendUvarint(w.b, uint64(p.Version))
	w.str(string(p.Digest))
	w.str(string(p.Role))
	w.time(p.ReceivedAt)
	w.time(p.EventTime)
	w.time(p.Target)
	w.str(p.Key)
	w.b = binary.AppendVarint(w.b, p.LatencyUS)
	w.str(p.Error)
	var flags byte
	if p.Cut {
		flags |= flagCut
	}
	if p.Demo {
		flags |= flagDemo
	}
	w.b = append(w.b, flags)
	w.str(p.Source)
	w.tensors(p.Inputs)
	w.tensors(p.Outputs)
	return w.b
}

func encodeFeedback(f Feedback) []byte {
	w := writer{make([]byte, 0, 128+len(f.Note))}
	w.b = append(w.b, Format, isFeedback)
	w.str(f.Group)
	w.str(f.Endpoint)
	w.str(f.PredictionID)
	w.b = binary.AppendUvarint(w.b, uint64(f.Row))
	w.str(f.Source)
	w.str(string(f.Kind))
	if f.Value == nil {
		w.b = append(w.b, 0)
	} else {
		w.b = binary.LittleEndian.AppendUint64(append(w.b, 1), math.Float64bits(*f.Value))
	}
	w.str(f.Label)
	w.time(f.EventTime)
	w.time(f.At)
	w.str(f.Principal)
	w.str(f.Note)
	return w.b
}

func encodeForget(group, endpoint string) []byte {
	w := writer{[]byte{Format, isForget}}
	w.str(group)
	w.str(endpoint)
	return w.b
}

// entryOf is one decoded log entry: exactly one field is set.
type entryOf struct {
	prediction *Prediction
	feedback   *Feedback
	forget     *[2]string // group, endpoint
}

// decode reads one log entry. Tensors are views into b. Anything but exactly one entry is Invalid.
func decode(b []byte) (entryOf, error) {
	r := reader{b: b}
	format, what := r.byte(), r.byte()
	if !r.bad && (format < 1 || format > Format) {
		return entryOf{}, edgeward.E("record.decode", edgeward.Conflict, "record.newer", "entry format %d; this program reads up to %d", format, Format)
	}
	var out entryOf
	switch what {
	case isPrediction:
		out.prediction = r.prediction(format)
	case isFeedback:
		out.feedback = r.feedback(format)
	case isForget:
		out.forget = &[2]string{r.str(), r.str()}
	default:
		r.bad = true
	}
	if r.bad || len(r.b) != 0 {
		return entryOf{}, edgeward.E("record.decode", edgeward.Invalid, "record.entry", "the bytes are no entry of a prediction log")
	}
	return out, nil
}

// reader reads a bounded buffer; after the first failure bad stays true.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) flag() bool {
	b := r.byte()
	r.bad = r.bad || b > 1
	return b == 1
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if r.bad || n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) str() string {
	n := r.uvarint()
	r.bad = r.bad || n > MaxText
	return string(r.take(n))
}

func (r *reader) time() time.Time {
	if !r.flag() {
		return time.Time{}
	}
	return time.Unix(0, r.varint()).UTC()
}

func (r *reader) small() int {
	v := r.uvarint()
	r.bad = r.bad || v > math.MaxInt32
	return int(v)
}

func (r *reader) tensors() []tensor.Tensor {
	n := r.uvarint()
	if r.bad || n == 0 {
		return nil
	}
	ts, err := tensor.Decode(r.take(n))
	r.bad = r.bad || err != nil
	return ts
}

func (r *reader) prediction(format byte) *Prediction {
	p := &Prediction{ID: r.str(), Group: r.str(), Endpoint: r.str(), Version: r.small(), Digest: edgeward.Digest(r.str()), Role: Role(r.str()),
		ReceivedAt: r.time(), EventTime: r.time(), Target: r.time(), Key: r.str(), LatencyUS: r.varint(), Error: r.str()}
	flags := r.byte()
	p.Cut, p.Demo = flags&flagCut != 0, flags&flagDemo != 0
	if format > 2 {
		p.Source = r.str()
	}
	p.Inputs, p.Outputs = r.tensors(), r.tensors()
	return p
}

func (r *reader) feedback(format byte) *Feedback {
	f := &Feedback{Group: r.str()}
	if format > 1 {
		f.Endpoint = r.str()
	}
	f.PredictionID, f.Row, f.Source, f.Kind = r.str(), r.small(), r.str(), Kind(r.str())
	if r.flag() {
		if b := r.take(8); b != nil {
			v := math.Float64frombits(binary.LittleEndian.Uint64(b))
			f.Value = &v
		}
	}
	f.Label, f.EventTime, f.At, f.Principal, f.Note = r.str(), r.time(), r.time(), r.str(), r.str()
	return f
}
