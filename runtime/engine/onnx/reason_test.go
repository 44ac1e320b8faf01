package onnx

import (
	"errors"
	"testing"
)

func TestADevicesFailureIsSaidInWordsForPeople(t *testing.T) {
	const from = "onnx.Load: /onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library /data/runtimes/x/libonnxruntime_providers_cuda.so with error: "
	for text, want := range map[string]string{
		from + "libcuda.so.1: cannot open shared object file: No such file or directory\n": "NVIDIA's driver is not installed here, or this service cannot see it (libcuda.so.1: cannot open shared object file: No such file or directory)",
		from + "libcudnn.so.9: wrong ELF class\n":                                          "libcudnn.so.9: wrong ELF class",
		"x.cc:12 f() [ONNXRuntimeError] : 11 : EP_FAIL : CUDA failure 2: out of memory":    "11 : EP_FAIL : CUDA failure 2: out of memory",
		"onnx.Load: Exception during initialization: /src/bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool, onnxruntime::Stream*) Available memory of 5026304 is smaller than requested bytes of 9437184\n": "the model needs more of the GPU's memory than it may have (available memory of 5026304 is smaller than requested bytes of 9437184)",
		"something else": "something else",
	} {
		if got := deviceReason(text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAModelThatFindsNoRoomOnAGPUIsTheGPUsFault(t *testing.T) {
	full := errors.New("Exception during initialization: bfc_arena.cc:360 Available memory of 5026304 is smaller than requested bytes of 9437184")
	if !deviceWords(0, full) || deviceWords(-1, full) || deviceWords(0, errors.New("no such operator")) {
		t.Error("a full GPU is not told from a bad model")
	}
}
