package onnx

import (
	"strings"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// input makes the library's value of t. Numbers are not copied: t.Data must live until the run is over.
func input(t tensor.Tensor) (ort.Value, error) {
	if t.Datatype == tensor.Bytes {
		return inputStrings(t)
	}
	return value(t.Datatype, t.Shape, aligned(t.Data, t.Datatype.Size()))
}

// value makes a value backed by data, which has been checked to fit.
func value(d tensor.Datatype, shape []int64, data []byte) (ort.Value, error) {
	if len(shape) == 0 {
		return scalar(d, data)
	}
	if len(data) == 0 {
		data = make([]byte, 1) // the wrapper insists on a byte, the library reads none
	}
	v, err := ort.NewCustomDataTensor(shape, data, elementType(d))
	if err != nil {
		return nil, engine.Fail("onnx.Run", "engine.run", err.Error())
	}
	return v, nil
}

// scalar makes a rank-0 value with data's element.
func scalar(d tensor.Datatype, data []byte) (ort.Value, error) {
	var v ort.Value
	var err error
	switch p := unsafe.Pointer(unsafe.SliceData(data)); d {
	case tensor.Bool:
		v, err = ort.NewScalar(*(*bool)(p))
	case tensor.Uint8:
		v, err = ort.NewScalar(*(*uint8)(p))
	case tensor.Uint16:
		v, err = ort.NewScalar(*(*uint16)(p))
	case tensor.Uint32:
		v, err = ort.NewScalar(*(*uint32)(p))
	case tensor.Uint64:
		v, err = ort.NewScalar(*(*uint64)(p))
	case tensor.Int8:
		v, err = ort.NewScalar(*(*int8)(p))
	case tensor.Int16:
		v, err = ort.NewScalar(*(*int16)(p))
	case tensor.Int32:
		v, err = ort.NewScalar(*(*int32)(p))
	case tensor.Int64:
		v, err = ort.NewScalar(*(*int64)(p))
	case tensor.FP32:
		v, err = ort.NewScalar(*(*float32)(p))
	case tensor.FP64:
		v, err = ort.NewScalar(*(*float64)(p))
	default:
		return nil, edgeward.E("onnx.Run", edgeward.Invalid, "engine.unsupported", "a single %s (rank 0) cannot be passed to ONNX Runtime", d).
			WithHint("export the model with shape [1] instead of a scalar")
	}
	if err != nil {
		return nil, engine.Fail("onnx.Run", "engine.run", err.Error())
	}
	return v, nil
}

func inputStrings(t tensor.Tensor) (ort.Value, error) {
	const op = "onnx.Run"
	values, err := t.Strings()
	if err != nil {
		return nil, err
	}
	if len(t.Shape) == 0 {
		return nil, edgeward.E(op, edgeward.Invalid, "engine.unsupported", "a single BYTES (rank 0) cannot be passed to ONNX Runtime")
	}
	for i, s := range values {
		if strings.IndexByte(s, 0) >= 0 {
			return nil, edgeward.E(op, edgeward.Invalid, "tensor.value", "tensor %q: element %d has a NUL byte, which ONNX Runtime's strings cannot hold", t.Name, i).With("tensor", t.Name)
		}
	}
	v, err := ort.NewStringTensor(t.Shape)
	if err != nil {
		return nil, engine.Fail(op, "engine.run", err.Error())
	}
	if err := v.SetContents(values); err != nil {
		v.Destroy()
		return nil, engine.Fail(op, "engine.run", err.Error())
	}
	return v, nil
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

// output reads what the library or the wrapper has allocated.
func fromValue(spec tensor.Spec, v ort.Value) (tensor.Tensor, error) {
	t := tensor.Tensor{Name: spec.Name, Datatype: spec.Datatype, Shape: v.GetShape()}
	if t.Shape == nil {
		t.Shape = []int64{}
	}
	switch v := v.(type) {
	case *ort.StringTensor:
		values, err := v.GetContents()
		if err != nil {
			return t, engine.Fail("onnx.Run", "engine.run", err.Error())
		}
		return tensor.FromStrings(spec.Name, t.Shape, values)
	case *ort.CustomDataTensor:
		t.Data = v.GetData()
	case *ort.Tensor[bool]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[uint8]:
		t.Data = v.GetData()
	case *ort.Tensor[uint16]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[uint32]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[uint64]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[int8]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[int16]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[int32]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[int64]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[float32]:
		t.Data = raw(v.GetData())
	case *ort.Tensor[float64]:
		t.Data = raw(v.GetData())
	case *ort.Scalar[bool]:
		t.Data = one(v.GetData())
	case *ort.Scalar[uint8]:
		t.Data = one(v.GetData())
	case *ort.Scalar[uint16]:
		t.Data = one(v.GetData())
	case *ort.Scalar[uint32]:
		t.Data = one(v.GetData())
	case *ort.Scalar[uint64]:
		t.Data = one(v.GetData())
	case *ort.Scalar[int8]:
		t.Data = one(v.GetData())
	case *ort.Scalar[int16]:
		t.Data = one(v.GetData())
	case *ort.Scalar[int32]:
		t.Data = one(v.GetData())
	case *ort.Scalar[int64]:
		t.Data = one(v.GetData())
	case *ort.Scalar[float32]:
		t.Data = one(v.GetData())
	case *ort.Scalar[float64]:
		t.Data = one(v.GetData())
	default:
		return t, edgeward.E("onnx.Run", edgeward.Invalid, "engine.unsupported", "output %q is a %T, which cannot be served yet", spec.Name, v)
	}
	return t, nil
}

// raw is the memory of values, which the Go side owns.
func raw[T any](values []T) []byte {
	var z T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*int(unsafe.Sizeof(z)))
}

func one[T any](v T) []byte { return raw([]T{v}) }
