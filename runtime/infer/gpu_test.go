package infer_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"edgeward/packaging/needtest"
	"edgeward/runtime/device"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/infer"
	"edgeward/runtime/onnxgraph/onnxpb"
	"edgeward/runtime/packs"
	"edgeward/runtime/tensor"
)

// gpuPack is the file of a runtime pack with CUDA: make gpu sets it.
const gpuPack = "EDGEWARD_GPU_PACK"

// TestGPU runs models by a real runtime pack for CUDA: on a GPU it compares them with the CPU and measures; on a machine
// without one everything must fall back, and say why.
func TestGPU(t *testing.T) {
	file := os.Getenv(gpuPack)
	devices := slices.DeleteFunc(device.Find(os.DirFS("/")), func(d device.Device) bool { return d.Target != device.CUDA || !d.Usable })
	switch {
	case file == "" && len(devices) == 0:
		needtest.Hardware(t, "an NVIDIA GPU", "this machine has none that can be used (and no runtime pack is named by "+gpuPack+")")
	case file == "":
		needtest.Hardware(t, "a runtime pack for CUDA", fmt.Sprintf("this machine has %s; make one by docs/runtimes.md and run make gpu PACK=FILE", devices[0].Name))
	}
	ref, runtimes := addPack(t, file)
	c, _ := away(t, infer.Kind, runtimes, nil)
	cuda := infer.Candidate{Engine: "onnxruntime", Device: "CUDA", Runtime: ref.String()}
	for _, m := range []struct {
		name string
		r    infer.LoadRequest
		some bool // the GPU has no code for all of it, or for none
	}{
		{"dense 8x1024, 256 rows", dense(t, 1024, 8, 256), false},
		{"digits", digits(t, "digits"), false},
		{"trees", request("trees", enginetest.ONNX(t, "trees"), rows(t, 1, 2, 3, 4)), true},
	} {
		t.Run(m.name, func(t *testing.T) {
			m.r.Candidates, m.r.Prefer, m.r.Wish = []infer.Candidate{onnxCPU, cuda}, []infer.Candidate{cuda}, "cuda"
			m.r.Limit = 3 * time.Minute
			rep, err := c.Load(t.Context(), m.r)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(rep.Why)
			for _, x := range rep.Candidates {
				t.Logf("%-60s loads %v agrees %v median %.0f µs p95 %.0f µs memory %d MiB load %.0f ms operations %v error %q (%s)",
					x.Candidate, x.Loads, x.Agrees, x.P50Micros, x.P95Micros, x.MemoryBytes>>20, x.LoadMillis, x.Nodes, x.Error, x.Code)
			}
			switch {
			case len(devices) == 0:
				if rep.Instead == nil || rep.Instead.Code != "engine.device" || *rep.Chosen != onnxCPU {
					t.Errorf("without a GPU it runs on %s and says %+v", rep.Chosen, rep.Instead)
				}
			case m.some && rep.Instead != nil:
				if rep.Instead.Code != "engine.device" {
					t.Errorf("it says %+v", rep.Instead)
				}
			case *rep.Chosen != cuda || rep.Candidates[1].Nodes["CUDA"] == 0:
				t.Errorf("it runs on %s, operations %v: %+v", rep.Chosen, rep.Candidates[1].Nodes, rep.Instead)
			}
			for range 20 {
				if _, err := c.Run(t.Context(), m.r.Key, m.r.Examples[0].Inputs); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.Unload(t.Context(), m.r.Key); err != nil {
				t.Error(err)
			}
		})
	}
}

// addPack adds the pack of a file and returns what it is.
func addPack(t *testing.T, file string) (packs.Ref, string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ix, digest, err := packs.Look(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, 0); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "runtimes")
	s, err := packs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p, _, err := s.Add(t.Context(), f, packs.Admission{Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, %s: %d files, %d MB, added in %v", ix.Ref, digest, len(p.Files), p.Size()/1e6, time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if _, err := s.Locate(t.Context(), p.Ref); err != nil {
		t.Fatal(err)
	}
	t.Logf("hashed again in %v", time.Since(began).Round(time.Millisecond))
	return p.Ref, dir
}

// dense is a network of layers of width² weights, asked for so many rows.
func dense(t *testing.T, width, layers, ask int) infer.LoadRequest {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	floats := func(n int, scale float64) []byte {
		b := make([]byte, 0, 4*n)
		for range n {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(random.NormFloat64()*scale)))
		}
		return b
	}
	value := func(name string) *onnxpb.ValueInfoProto {
		dims := []*onnxpb.TensorShapeProto_Dimension{{Value: &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "rows"}}, {Value: &onnxpb.TensorShapeProto_Dimension_DimValue{DimValue: int64(width)}}}
		return &onnxpb.ValueInfoProto{Name: &name, Type: &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: new(int32(1)), Shape: &onnxpb.TensorShapeProto{Dim: dims}}}}}
	}
	g := &onnxpb.GraphProto{Name: new("dense"), Input: []*onnxpb.ValueInfoProto{value("h0")}, Output: []*onnxpb.ValueInfoProto{value(fmt.Sprintf("h%d", layers))}}
	for i := range layers {
		w, in, mid, out := fmt.Sprintf("w%d", i), fmt.Sprintf("h%d", i), fmt.Sprintf("m%d", i), fmt.Sprintf("h%d", i+1)
		g.Initializer = append(g.Initializer, &onnxpb.TensorProto{Name: &w, DataType: new(int32(1)), Dims: []int64{int64(width), int64(width)}, RawData: floats(width*width, math.Sqrt(2/float64(width)))})
		g.Node = append(g.Node, &onnxpb.NodeProto{OpType: new("MatMul"), Input: []string{in, w}, Output: []string{mid}}, &onnxpb.NodeProto{OpType: new("Relu"), Input: []string{mid}, Output: []string{out}})
	}
	b, err := proto.Marshal(&onnxpb.ModelProto{IrVersion: new(int64(8)), OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: new(int64(15))}}, Graph: g})
	if err != nil {
		t.Fatal(err)
	}
	x := tensor.Tensor{Name: "h0", Datatype: tensor.FP32, Shape: []int64{int64(ask), int64(width)}, Data: floats(ask*width, 1)}
	return request("dense", engine.Model{Format: engine.ONNX, Bytes: b}, []tensor.Tensor{x})
}
