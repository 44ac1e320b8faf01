package oip

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"edgeward"
	"edgeward/runtime/tensor"
)

// FuzzScan holds the scanner against encoding/json: what it takes is JSON, and JSON it refuses has a reason that
// encoding/json does not look at.
func FuzzScan(f *testing.F) {
	for _, s := range []string{`{}`, `[1,-0.5e+3,"a\u00e9\n",true,null,{"k":[]}]`, `01`, `"\x"`, `{"a":1,"a":2}`, `[`, `-`, `1.`, `1e`, "\"\x01\"", `"\ud800"`, ` nul`, `[1,]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s := &scanner{b: b}
		err := s.skip()
		if err == nil {
			err = s.end()
		}
		if valid := json.Valid(b); err == nil && !valid {
			t.Fatalf("took %q, which is no JSON", b)
		} else if err != nil && valid && utf8.Valid(b) && edgeward.CodeOf(err) != "request.duplicate_key" && !deep(b) {
			t.Fatalf("refused %q: %v", b, err)
		}
	})
}

// deep reports whether b could be over the bounds of depth or keys.
func deep(b []byte) bool {
	n, commas := 0, 0
	for _, c := range b {
		switch c {
		case '[', '{':
			n++
		case ',':
			commas++
		}
	}
	return n > maxDepth || commas >= maxKeys
}

// FuzzParse: no body makes parse panic; what it takes is JSON, the inputs are as long as their shapes say, and floats are those that
// encoding/json reads.
func FuzzParse(f *testing.F) {
	head := `{"id":"a","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],"outputs":[{"name":"y"}]}`
	f.Add([]byte(head+"12345678"), len(head))
	for _, s := range []string{
		`{"inputs":[{"name":"x","shape":[2,1],"datatype":"FP64","data":[[1.5],[null]]}]}`,
		`{"inputs":[{"data":["a","b"],"name":"x","shape":[2],"datatype":"BYTES"}],"parameters":{"edgeward_event_time":"2022-07-01T00:00:00Z"}}`,
		`{"inputs":[{"name":"x","shape":[],"datatype":"INT8","data":[-128]},{"name":"y","shape":[0],"datatype":"BOOL","data":[]}]}`,
		`{"inputs":[{"data":[1.5,-0.25,null],"datatype":"FP64","name":"x","shape":[3]}]}`,
		`{"inputs":[{"data":[1,"]"],"datatype":"FP32","name":"x","shape":[1]}]}`,
		`{"inputs":[{"name":"x","shape":[9223372036854775807,3],"datatype":"FP32","data":[1]}]}`,
	} {
		f.Add([]byte(s), len(s))
	}
	f.Fuzz(func(t *testing.T, b []byte, header int) {
		if header < 0 || header > len(b) {
			return
		}
		r, err := parse(b, header)
		if err != nil {
			if edgeward.KindOf(err) != edgeward.Invalid {
				t.Fatalf("%q: kind %v: %v", b, edgeward.KindOf(err), err)
			}
			return
		}
		if !json.Valid(b[:header]) {
			t.Fatalf("took %q, which is no JSON", b[:header])
		}
		var oracle struct {
			Inputs []struct {
				Datatype string
				Data     json.RawMessage
			}
		}
		if err := json.Unmarshal(b[:header], &oracle); err != nil {
			return // keys that differ in case only, which encoding/json mixes up
		}
		for i, in := range r.Inputs {
			if in.Datatype == tensor.Bytes || in.Datatype.Size() == 0 {
				continue
			}
			n, err := tensor.Elements(in.Shape)
			if i < len(oracle.Inputs) && len(oracle.Inputs[i].Data) > 0 && (err != nil || n*int64(in.Datatype.Size()) != int64(len(in.Data))) {
				t.Fatalf("%q: input %d has %d bytes for shape %v", b, i, len(in.Data), in.Shape)
			}
			var flat []*float64
			if in.Datatype == tensor.FP64 && i < len(oracle.Inputs) && json.Unmarshal(oracle.Inputs[i].Data, &flat) == nil && len(flat) > 0 {
				got, _ := in.Float64s()
				for j, want := range flat {
					if want != nil && got[j] != *want {
						t.Fatalf("%q: element %d is %v, and encoding/json reads %v", b, j, got[j], *want)
					}
				}
			}
		}
	})
}

func BenchmarkParse3072Floats(b *testing.B) {
	for name, form := range map[string]string{"shape-first": `{"inputs":[{"name":"x","shape":[1,3072],"datatype":"FP32","data":[%s]}]}`,
		"data-first": `{"inputs":[{"data":[%s],"datatype":"FP32","name":"x","shape":[1,3072]}]}`} {
		body := fmt.Appendf(nil, form, strings.Repeat("0.123456,", 3071)+"0.123456")
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parse(body, len(body)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
