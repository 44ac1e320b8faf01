package record

import (
	"cmp"
	"math"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"edgeward"
	"edgeward/runtime/tensor"
)

// firstTime and lastTime bound every recorded time: what the binary form can hold, and more than a person means.
var (
	firstTime = time.Date(1700, 1, 1, 0, 0, 0, 0, time.UTC)
	lastTime  = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// CheckTime refuses a time outside the years 1700 to 2199; the zero time is allowed and means none.
func CheckTime(what string, t time.Time) error {
	if !t.IsZero() && (t.Before(firstTime) || !t.Before(lastTime)) {
		return edgeward.E("record.CheckTime", edgeward.Invalid, "time.out_of_range", "%s %s lies outside the years 1700 to 2199", what, t.Format(time.RFC3339)).
			With("field", what).WithHint("check the unit: seconds, milliseconds and RFC 3339 are easily confused")
	}
	return nil
}

func (p Prediction) check() (ulid.ULID, error) {
	const op = "record.Add"
	id, err := ulid.ParseStrict(p.ID)
	if err != nil {
		return id, edgeward.E(op, edgeward.Invalid, "prediction.id", "prediction id %.40q: %w", p.ID, err)
	}
	if p.Group == "" || p.Endpoint == "" || p.Version < 1 || p.Version > math.MaxInt32 || p.Role == "" {
		return id, edgeward.E(op, edgeward.Invalid, "prediction.incomplete", "a prediction names group, endpoint, version and role")
	}
	for _, s := range []string{p.Group, p.Endpoint, string(p.Digest), string(p.Role), p.Key, p.Error} {
		if len(s) > MaxText {
			return id, edgeward.E(op, edgeward.TooLarge, "prediction.text", "a text has %d bytes; at most %d", len(s), MaxText)
		}
	}
	return id, cmp.Or(CheckTime("received_at", p.ReceivedAt), CheckTime("event_time", p.EventTime), CheckTime("target", p.Target))
}

// Check reports why f cannot be stored, whatever it speaks of.
func (f Feedback) Check() error {
	bad := func(code, format string, args ...any) *edgeward.Error {
		return edgeward.E("record.Feedback", edgeward.Invalid, code, format, args...)
	}
	if _, err := ulid.ParseStrict(f.PredictionID); err != nil {
		return bad("feedback.prediction_id", "prediction id %.40q: %w", f.PredictionID, err).
			WithHint("send the id from the answer or its Edgeward-Prediction-Id header")
	}
	if strings.TrimSpace(f.Source) == "" {
		return bad("feedback.source", "feedback names its source").WithHint("name the system or person that knows, such as his or manual")
	}
	for _, s := range []string{f.Group, f.Source, f.Label, f.Principal, f.Note} {
		if len(s) > MaxText {
			return bad("feedback.text", "a text has %d bytes; at most %d", len(s), MaxText)
		}
	}
	if f.Row < 0 || f.Row > math.MaxInt32 {
		return bad("feedback.row", "row %d", f.Row)
	}
	switch f.Kind {
	case Truth, Correction:
		if (f.Value == nil) == (f.Label == "") {
			return bad("feedback.value", "a %s has a value or a label, not both", f.Kind)
		}
		if f.Value != nil && (math.IsNaN(*f.Value) || math.IsInf(*f.Value, 0)) {
			return bad("feedback.value", "value %v is not finite", *f.Value)
		}
	case Wrong:
	default:
		return bad("feedback.kind", "kind %.40q is not truth, correction or wrong", f.Kind)
	}
	return CheckTime("event_time", f.EventTime)
}

// maxIndexed bounds the answer values of one prediction that the index keeps.
const maxIndexed = 64

// rowsOf returns the numbers of outputs by row: row i is values[i*width:(i+1)*width]. Outputs that do not share the
// first one's number of rows, and texts, are left out; so are values beyond MaxValues a row and maxIndexed in all.
func rowsOf(outputs []tensor.Tensor) (values []float64, width int) {
	type column struct {
		values []float64
		wide   int // values a row
	}
	var columns []column
	var rows int64
	for i, t := range outputs {
		n := int64(1)
		if len(t.Shape) > 0 {
			n = t.Shape[0]
		}
		if i == 0 {
			rows = n
		}
		v, err := t.Float64s()
		if err != nil || len(v) == 0 || n != rows {
			continue
		}
		columns = append(columns, column{v, len(v) / int(n)})
		width += len(v) / int(n)
	}
	width = min(width, MaxValues)
	if width == 0 {
		return nil, 0
	}
	keep := int(min(rows, maxIndexed/int64(width)))
	values = make([]float64, 0, keep*width)
	for row := range keep {
		left := width
		for _, c := range columns {
			n := min(c.wide, left)
			values = append(values, c.values[row*c.wide:row*c.wide+n]...)
			left -= n
		}
	}
	return values, width
}
