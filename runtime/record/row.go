package record

import (
	"time"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Schema is the number of the layout of sealed files: the columns of row. It grows when a column changes its meaning.
const Schema = 1

// What a row is.
const (
	rowPrediction = "prediction"
	rowFeedback   = "feedback"
	rowForget     = "forget"
)

// mark are the columns that say whose a row is.
type mark struct {
	Seq      uint64 `parquet:"seq,delta"`
	What     string `parquet:"what,dict"` // prediction, feedback, forget
	Group    string `parquet:"group,dict"`
	Endpoint string `parquet:"endpoint,dict"` // of feedback written by format 1 perhaps unknown, ""
}

// indexed are the columns of what the index holds. A column that does not belong to what the row is holds zero or null.
type indexed struct {
	mark
	ID        string    `parquet:"id"`
	EventTime time.Time `parquet:"event_time,optional,timestamp(nanosecond:local)"`

	// of predictions
	Version    int32     `parquet:"version"`
	Digest     string    `parquet:"digest,dict"`
	Role       string    `parquet:"role,dict"`
	ReceivedAt time.Time `parquet:"received_at,optional,timestamp(nanosecond:local)"`
	Target     time.Time `parquet:"target,optional,timestamp(nanosecond:local)"`
	Key        string    `parquet:"key,dict"`
	LatencyUS  int64     `parquet:"latency_us"`
	Error      string    `parquet:"error,dict"`
	Cut        bool      `parquet:"cut"`
	Demo       bool      `parquet:"demo"`
	Width      int32     `parquet:"width"`       // answer values a row
	Values     []float64 `parquet:"values,list"` // of the rows that can be compared: rowsOf(outputs)

	// of feedback
	Row      int32     `parquet:"row"`
	Source   string    `parquet:"source,dict"` // who says it; of a prediction how it came
	Kind     string    `parquet:"kind,dict"`
	HasValue bool      `parquet:"has_value"` // a pointer in an embedded struct is not read back right by parquet-go 0.32
	Value    float64   `parquet:"value"`
	Label    string    `parquet:"label,dict"`
	Note     string    `parquet:"note"`
	At       time.Time `parquet:"at,optional,timestamp(nanosecond:local)"`
}

// row is one entry of the log in a sealed file.
type row struct {
	indexed
	Inputs    []byte `parquet:"inputs"` // message of package tensor; empty for none
	Outputs   []byte `parquet:"outputs"`
	Principal string `parquet:"principal,dict"` // of feedback
}

func message(ts []tensor.Tensor) []byte {
	if len(ts) == 0 {
		return nil
	}
	return tensor.Append(make([]byte, 0, tensor.EncodedSize(ts)), ts)
}

// rowOf is the row of an entry.
func rowOf(seq uint64, e entryOf) row {
	switch {
	case e.prediction != nil:
		p := e.prediction
		r := row{Inputs: message(p.Inputs), Outputs: message(p.Outputs)}
		values, width := rowsOf(p.Outputs)
		r.indexed = indexed{mark: mark{seq, rowPrediction, p.Group, p.Endpoint}, ID: p.ID, EventTime: p.EventTime, Version: int32(p.Version), Digest: string(p.Digest),
			Role: string(p.Role), ReceivedAt: p.ReceivedAt, Target: p.Target, Key: p.Key, LatencyUS: p.LatencyUS, Error: p.Error, Cut: p.Cut, Demo: p.Demo, Source: p.Source,
			Width: int32(width), Values: values}
		return r
	case e.feedback != nil:
		f := e.feedback
		r := row{Principal: f.Principal}
		r.indexed = indexed{mark: mark{seq, rowFeedback, f.Group, f.Endpoint}, ID: f.PredictionID, EventTime: f.EventTime, Row: int32(f.Row), Source: f.Source,
			Kind: string(f.Kind), Label: f.Label, Note: f.Note, At: f.At}
		if f.Value != nil {
			r.HasValue, r.Value = true, *f.Value
		}
		return r
	}
	return row{indexed: indexed{mark: mark{Seq: seq, What: rowForget, Group: e.forget[0], Endpoint: e.forget[1]}}}
}

// prediction is the prediction of a row, without inputs and outputs.
func (r *indexed) prediction() Prediction {
	return Prediction{ID: r.ID, Group: r.Group, Endpoint: r.Endpoint, Version: int(r.Version), Digest: edgeward.Digest(r.Digest), Role: Role(r.Role),
		ReceivedAt: utc(r.ReceivedAt), EventTime: utc(r.EventTime), Target: utc(r.Target), Key: r.Key, LatencyUS: r.LatencyUS, Error: r.Error, Cut: r.Cut, Demo: r.Demo, Source: r.Source, Seq: r.Seq}
}

// feedback is the feedback of a row, without its principal.
func (r *indexed) feedback() Feedback {
	f := Feedback{Group: r.Group, Endpoint: r.Endpoint, PredictionID: r.ID, Row: int(r.Row), Source: r.Source, Kind: Kind(r.Kind), Label: r.Label,
		EventTime: utc(r.EventTime), At: utc(r.At), Note: r.Note, Seq: r.Seq}
	if v := r.Value; r.HasValue {
		f.Value = &v
	}
	return f
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// entry is the entry of a row.
func (r *row) entry() (entryOf, error) {
	switch r.What {
	case rowPrediction:
		p := r.indexed.prediction()
		var err error
		if p.Inputs, err = tensors(r.Inputs); err != nil {
			return entryOf{}, err
		}
		p.Outputs, err = tensors(r.Outputs)
		return entryOf{prediction: &p}, err
	case rowFeedback:
		f := r.indexed.feedback()
		f.Principal = r.Principal
		return entryOf{feedback: &f}, nil
	}
	return entryOf{forget: &[2]string{r.Group, r.Endpoint}}, nil
}

func tensors(b []byte) ([]tensor.Tensor, error) {
	if len(b) == 0 {
		return nil, nil
	}
	return tensor.Decode(b)
}
