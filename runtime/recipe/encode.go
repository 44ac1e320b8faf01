package recipe

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"time"

	"edgeward"
)

// The wire form of a Table, between a node and its train worker (one build, so it may change with the product):
//
//	"EWT1" | uint32 n | n bytes JSON header | uint32 group code and int64 origin and target seconds per row (forecast)
//	| X float32 | Y float64 | level float64 | baselines float64 in the header's order      all little-endian
const (
	magic     = "EWT1"
	maxHeader = 16 << 20
)

type header struct {
	Recipe       string    `json:"recipe"`
	Rows         int       `json:"rows"`
	Features     []Feature `json:"features"`
	Classes      []string  `json:"classes,omitempty"`
	Groups       []string  `json:"groups,omitempty"`
	Baselines    []string  `json:"baselines,omitempty"`
	LevelFeature int       `json:"level_feature"`
	GroupFeature int       `json:"group_feature"`
	Counts       bool      `json:"counts,omitempty"`
	Forecast     bool      `json:"forecast,omitempty"`
}

// AppendTable appends the wire form of t to b. Times keep whole seconds.
func AppendTable(b []byte, t *Table) []byte {
	h := header{t.Recipe, t.Len(), t.Features, t.Classes, nil, nil, t.LevelFeature, t.GroupFeature, t.Counts, t.Forecast}
	code := map[string]uint32{}
	for _, r := range t.Rows {
		if _, ok := code[r.Group]; !ok && t.Forecast {
			code[r.Group] = uint32(len(h.Groups))
			h.Groups = append(h.Groups, r.Group)
		}
	}
	for name := range t.Baselines {
		h.Baselines = append(h.Baselines, name)
	}
	slices.Sort(h.Baselines)
	head, err := json.Marshal(h)
	if err != nil {
		panic(err) // strings and integers always marshal
	}
	le := binary.LittleEndian
	b = append(le.AppendUint32(append(b, magic...), uint32(len(head))), head...)
	if t.Forecast {
		for _, r := range t.Rows {
			b = le.AppendUint32(b, code[r.Group])
			b = le.AppendUint64(b, uint64(r.Origin.Unix()))
			b = le.AppendUint64(b, uint64(r.Target.Unix()))
		}
	}
	for _, v := range t.X {
		b = le.AppendUint32(b, math.Float32bits(float32(v)))
	}
	vectors := [][]float64{t.Y}
	if t.Forecast {
		vectors = append(vectors, t.Level)
	}
	for _, name := range h.Baselines {
		vectors = append(vectors, t.Baselines[name])
	}
	for _, v := range vectors {
		for _, x := range v {
			b = le.AppendUint64(b, math.Float64bits(x))
		}
	}
	return b
}

// ReadTable is the inverse of AppendTable; it returns what follows the table. It allocates no more than b's own size
// justifies.
func ReadTable(b []byte) (*Table, []byte, error) {
	le := binary.LittleEndian
	bad := func(why string) (*Table, []byte, error) {
		return nil, nil, edgeward.E("recipe.ReadTable", edgeward.Invalid, "recipe.bad_table", "not a table: %s", why)
	}
	if len(b) < 8 || string(b[:4]) != magic {
		return bad("wrong first bytes")
	}
	n := le.Uint32(b[4:])
	if b = b[8:]; n > maxHeader || int(n) > len(b) {
		return bad("header cut short")
	}
	var h header
	if err := json.Unmarshal(b[:n], &h); err != nil {
		return bad("header: " + err.Error())
	}
	b = b[n:]
	f := len(h.Features)
	per := 4*f + 8 + 8*len(h.Baselines)
	if h.Forecast {
		per += 28 // group, origin, target, level
	}
	if h.Rows < 0 || h.Rows > MaxRows || f == 0 || f > MaxFeatures || len(h.Baselines) > 8 || !h.Forecast && len(h.Baselines) > 0 || h.Rows*per > len(b) ||
		h.LevelFeature < -1 || h.LevelFeature >= f || h.GroupFeature < -1 || h.GroupFeature >= f {
		return bad("sizes do not fit")
	}
	t := &Table{Recipe: h.Recipe, Features: h.Features, Classes: h.Classes, LevelFeature: h.LevelFeature, GroupFeature: h.GroupFeature, Counts: h.Counts, Forecast: h.Forecast,
		Rows: make([]Row, h.Rows), X: make([]float64, h.Rows*f)}
	if h.Forecast {
		for i := range t.Rows {
			g := le.Uint32(b)
			if int64(g) >= int64(len(h.Groups)) {
				return bad("row without a group")
			}
			t.Rows[i] = Row{h.Groups[g], time.Unix(int64(le.Uint64(b[4:])), 0).UTC(), time.Unix(int64(le.Uint64(b[12:])), 0).UTC()}
			b = b[20:]
		}
	}
	for i := range t.X {
		t.X[i] = float64(math.Float32frombits(le.Uint32(b)))
		b = b[4:]
	}
	vector := func() []float64 {
		v := make([]float64, h.Rows)
		for i := range v {
			v[i] = math.Float64frombits(le.Uint64(b))
			b = b[8:]
		}
		return v
	}
	t.Y = vector()
	if h.Forecast {
		t.Level, t.Baselines = vector(), map[string][]float64{}
		for _, name := range h.Baselines {
			t.Baselines[name] = vector()
		}
	}
	return t, b, nil
}
