package openvino

import (
	"fmt"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The C API of OpenVINO 2026.4 as far as it is used. Handles are opaque pointers; a status of 0 is success. A shape
// passed by value is two machine words in the calling conventions of amd64 and arm64, so it is two arguments here.
type api struct {
	getVersion func(v *cVersion) int32
	lastError  func() unsafe.Pointer
	free       func(p unsafe.Pointer)
	coreCreate func(core *uintptr) int32
	devices    func(core uintptr, d *cDevices) int32
	devFree    func(d *cDevices)
	readFile   func(core uintptr, path string, bin *byte, model *uintptr) int32
	readBytes  func(core uintptr, b *byte, n, weights uintptr, model *uintptr) int32
	compile    func(core, model uintptr, dev string, n uintptr, p *cProperty, c *uintptr) int32
	modelFree  func(model uintptr)

	inputsSize  func(model uintptr, n *uintptr) int32
	outputsSize func(model uintptr, n *uintptr) int32
	input       func(model, index uintptr, port *uintptr) int32
	output      func(model, index uintptr, port *uintptr) int32
	portName    func(port uintptr, name *unsafe.Pointer) int32
	portType    func(port uintptr, t *int32) int32
	portShape   func(port uintptr, s *cPartialShape) int32
	shapeFree   func(s *cPartialShape)
	portFree    func(port uintptr)
	compFree    func(compiled uintptr)
	newRequest  func(compiled uintptr, request *uintptr) int32
	reqFree     func(request uintptr)
	setInput    func(request, index, tensor uintptr) int32
	getInput    func(request, index uintptr, tensor *uintptr) int32
	getOutput   func(request, index uintptr, tensor *uintptr) int32
	infer       func(request uintptr) int32
	cancel      func(request uintptr) int32

	tensorFrom  func(t int32, rank int64, dims *int64, data unsafe.Pointer, tensor *uintptr) int32
	tensorShape func(tensor uintptr, s *cShape) int32
	tensorBytes func(tensor uintptr, n *uintptr) int32
	tensorData  func(tensor uintptr, data *unsafe.Pointer) int32
	tensorFree  func(tensor uintptr)
	cShapeFree  func(s *cShape) int32

	mallocTrim func(pad uintptr) int32 // nil where the C library has none
}

type cVersion struct{ build, description unsafe.Pointer }

type cDevices struct {
	names unsafe.Pointer // char**
	n     uintptr
}

type cProperty struct{ key, value *byte }

type cDimension struct{ min, max int64 }

type cPartialShape struct {
	rank cDimension
	dims unsafe.Pointer // *cDimension
}

type cShape struct {
	rank int64
	dims unsafe.Pointer // *int64
}

// functions maps the library's names to where the functions go.
func (a *api) functions() map[string]any {
	return map[string]any{
		"ov_get_openvino_version":                     &a.getVersion,
		"ov_get_last_err_msg":                         &a.lastError,
		"ov_free":                                     &a.free,
		"ov_core_create":                              &a.coreCreate,
		"ov_core_get_available_devices":               &a.devices,
		"ov_available_devices_free":                   &a.devFree,
		"ov_core_read_model":                          &a.readFile,
		"ov_core_read_model_from_memory_buffer":       &a.readBytes,
		"ov_core_compile_model_props":                 &a.compile,
		"ov_model_free":                               &a.modelFree,
		"ov_model_inputs_size":                        &a.inputsSize,
		"ov_model_outputs_size":                       &a.outputsSize,
		"ov_model_const_input_by_index":               &a.input,
		"ov_model_const_output_by_index":              &a.output,
		"ov_port_get_any_name":                        &a.portName,
		"ov_port_get_element_type":                    &a.portType,
		"ov_port_get_partial_shape":                   &a.portShape,
		"ov_partial_shape_free":                       &a.shapeFree,
		"ov_output_const_port_free":                   &a.portFree,
		"ov_compiled_model_free":                      &a.compFree,
		"ov_compiled_model_create_infer_request":      &a.newRequest,
		"ov_infer_request_free":                       &a.reqFree,
		"ov_infer_request_set_input_tensor_by_index":  &a.setInput,
		"ov_infer_request_get_input_tensor_by_index":  &a.getInput,
		"ov_infer_request_get_output_tensor_by_index": &a.getOutput,
		"ov_infer_request_infer":                      &a.infer,
		"ov_infer_request_cancel":                     &a.cancel,
		"ov_tensor_create_from_host_ptr":              &a.tensorFrom,
		"ov_tensor_get_shape":                         &a.tensorShape,
		"ov_tensor_get_byte_size":                     &a.tensorBytes,
		"ov_tensor_data":                              &a.tensorData,
		"ov_tensor_free":                              &a.tensorFree,
		"ov_shape_free":                               &a.cShapeFree,
	}
}

// openLibrary opens the C library and finds every function.
func openLibrary(path string) (*api, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	a := &api{}
	for name, fn := range a.functions() {
		sym, err := purego.Dlsym(lib, name)
		if err != nil {
			return nil, fmt.Errorf("the library has no %s: %w", name, err)
		}
		purego.RegisterFunc(fn, sym)
	}
	if sym, err := purego.Dlsym(purego.RTLD_DEFAULT, "malloc_trim"); err == nil {
		purego.RegisterFunc(&a.mallocTrim, sym)
	}
	return a, nil
}

// text copies a C string of at most 64 KiB.
func text(p unsafe.Pointer) string {
	if p == nil {
		return ""
	}
	n := 0
	for n < 64<<10 && *(*byte)(unsafe.Add(p, n)) != 0 {
		n++
	}
	return string(unsafe.Slice((*byte)(p), n))
}

// owned copies a C string that the library gave away, and frees it.
func (a *api) owned(p unsafe.Pointer) string {
	s := text(p)
	if p != nil {
		a.free(p)
	}
	return s
}

func cstring(s string) *byte { return unsafe.SliceData(append([]byte(s), 0)) }
