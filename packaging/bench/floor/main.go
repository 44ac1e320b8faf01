// Command floor is the smallest Go program that answers the Open Inference Protocol with the ONNX Runtime that the
// product uses: net/http, encoding/json, one session, nothing else. It says what a request costs at least in Go. It is a
// measuring stick, not a server: no queue, no worker process, no accounts, no validation, no records, no metrics.
//
//	floor LIBONNXRUNTIME MODEL ADDRESS
//	floor LIBONNXRUNTIME MODEL engine    what the engine does by itself
package main

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

type named struct {
	Name       string         `json:"name"`
	Shape      []int64        `json:"shape"`
	Datatype   string         `json:"datatype"`
	Parameters map[string]int `json:"parameters,omitempty"`
	Data       any            `json:"data,omitempty"`
}

type request struct {
	Inputs []struct {
		Shape []int64
		Data  []float32
	}
}

type answer struct {
	Model   string  `json:"model_name"`
	Outputs []named `json:"outputs"`
}

const headerLength = "Inference-Header-Content-Length"

func main() {
	ort.SetSharedLibraryPath(os.Args[1])
	must(ort.InitializeEnvironment())
	ins, outs, err := ort.GetInputOutputInfo(os.Args[2])
	must(err)
	o, err := ort.NewSessionOptions()
	must(err)
	must(o.SetIntraOpNumThreads(1))
	must(o.SetInterOpNumThreads(1))
	must(o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"))
	var names []string
	for _, out := range outs {
		names = append(names, out.Name)
	}
	s, err := ort.NewDynamicAdvancedSession(os.Args[2], []string{ins[0].Name}, names, o)
	must(err)
	if os.Args[3] == "engine" {
		must(engine(s, ins[0], outs[0], 200*time.Millisecond))
		return
	}
	http.HandleFunc("GET /v2/health/ready", func(http.ResponseWriter, *http.Request) {})
	http.HandleFunc("POST /v2/models/{model}/infer", func(w http.ResponseWriter, r *http.Request) {
		if err := serve(w, r, s, outs); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	must(http.ListenAndServe(os.Args[3], nil))
}

func serve(w http.ResponseWriter, r *http.Request, s *ort.DynamicAdvancedSession, outs []ort.InputOutputInfo) error {
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return err
	}
	n, _ := strconv.Atoi(r.Header.Get(headerLength))
	head := len(body)
	if n > 0 {
		head = n
	}
	var q request
	if err := json.Unmarshal(body[:head], &q); err != nil {
		return err
	}
	data := q.Inputs[0].Data
	if n > 0 {
		data = make([]float32, (len(body)-n)/4)
		for i := range data {
			data[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[n+4*i:]))
		}
	}
	in, err := ort.NewTensor(ort.Shape(q.Inputs[0].Shape), data)
	if err != nil {
		return err
	}
	defer in.Destroy()
	a, values := answer{Model: r.PathValue("model")}, make([]ort.Value, len(outs))
	for i, o := range outs {
		shape := append(ort.Shape{q.Inputs[0].Shape[0]}, o.Dimensions[1:]...)
		if a.Outputs = append(a.Outputs, named{Name: o.Name, Shape: shape, Datatype: "FP32"}); o.DataType == ort.TensorElementDataTypeDouble {
			a.Outputs[i].Datatype = "FP64"
			values[i], err = ort.NewEmptyTensor[float64](shape)
		} else {
			values[i], err = ort.NewEmptyTensor[float32](shape)
		}
		if err != nil {
			return err
		}
		defer values[i].Destroy()
	}
	if err := s.Run([]ort.Value{in}, values); err != nil {
		return err
	}
	var raw []byte
	for i, v := range values {
		var data any
		if t, ok := v.(*ort.Tensor[float64]); ok {
			data = t.GetData()
		} else {
			data = v.(*ort.Tensor[float32]).GetData()
		}
		if n == 0 {
			a.Outputs[i].Data = data
			continue
		}
		before := len(raw)
		if raw, err = binary.Append(raw, binary.LittleEndian, data); err != nil {
			return err
		}
		a.Outputs[i].Parameters = map[string]int{"binary_data_size": len(raw) - before}
	}
	header, err := json.Marshal(a)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if n > 0 {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set(headerLength, strconv.Itoa(len(header)))
	}
	_, err = w.Write(append(header, raw...))
	return err
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
