// Package device names what a model can run on, and finds what this machine has by reading files: no library is loaded and
// no device is opened, so that the server itself may ask.
//
// A Wish is what a person wants of an endpoint:
//
//	wish   = "" | "auto" | target [ "@" runtime [ "@" version ] ]
//	target = "cpu" | "onnxruntime-cpu" | "openvino-cpu" | "cuda" [ ":" number ] | "openvino-gpu" | "openvino-npu"
//
// "" and auto leave the choice to what proves best, cpu to what proves best there; a runtime is the name of a runtime pack,
// which else may be any that has the device. GPUs have the numbers of their order on the bus, from 0.
package device

import (
	"strconv"
	"strings"

	"edgeward"
)

// Target is an engine's kind of device.
type Target string

// The targets. CPU is any engine's.
const (
	Auto        Target = "auto"
	CPU         Target = "cpu"
	ONNXCPU     Target = "onnxruntime-cpu"
	OpenVINOCPU Target = "openvino-cpu"
	CUDA        Target = "cuda"
	OpenVINOGPU Target = "openvino-gpu"
	OpenVINONPU Target = "openvino-npu"
)

// MaxNumber bounds the number of a GPU.
const MaxNumber = 63

// Wish is where a model is to run, as a person writes it.
type Wish string

// Want is a Wish taken apart.
type Want struct {
	Target
	Number  int    // of a GPU; 0 where none is said
	Runtime string // of a runtime pack: "", "name" or "name@version"
}

// Parse takes a wish apart. Error: Invalid "device.wish".
func (w Wish) Parse() (Want, error) {
	text, pack, _ := strings.Cut(string(w), "@")
	kind, number, numbered := strings.Cut(text, ":")
	want := Want{Target: Target(kind), Runtime: pack}
	if w == "" {
		want.Target = Auto
	}
	ok := pack == "" || want.Target == CUDA || want.Target == CPU || want.Target == ONNXCPU
	switch want.Target {
	case Auto, CPU, ONNXCPU, OpenVINOCPU, CUDA, OpenVINOGPU, OpenVINONPU:
	default:
		ok = false
	}
	if numbered {
		n, err := strconv.Atoi(number)
		ok = ok && want.Target == CUDA && err == nil && n >= 0 && n <= MaxNumber && strconv.Itoa(n) == number
		want.Number = n
	}
	if strings.HasSuffix(string(w), "@") || len(w) > 160 {
		ok = false
	}
	if pack != "" {
		name, version, _ := strings.Cut(pack, "@")
		ok = ok && edgeward.CheckName("runtime", name) == nil && strings.Trim(version, "0123456789.") == "" && !strings.HasSuffix(pack, "@")
	}
	if !ok {
		return Want{}, edgeward.E("device.Wish", edgeward.Invalid, "device.wish", "%.80q is no device", string(w)).
			WithHint("write auto, cpu, onnxruntime-cpu, openvino-cpu, cuda, cuda:1, openvino-gpu or openvino-npu; cuda@NAME for one runtime pack")
	}
	return want, nil
}

// String writes a want as a wish.
func (w Want) String() string {
	s := string(w.Target)
	if w.Number > 0 {
		s += ":" + strconv.Itoa(w.Number)
	}
	if w.Runtime != "" {
		s += "@" + w.Runtime
	}
	return s
}

// Elsewhere reports whether the wish names another device than the CPU.
func (w Want) Elsewhere() bool {
	return w.Target == CUDA || w.Target == OpenVINOGPU || w.Target == OpenVINONPU
}
