package device_test

import (
	"os"
	"testing"
	"testing/fstest"

	"edgeward"
	"edgeward/runtime/device"
)

func TestAWishIsTakenApart(t *testing.T) {
	for wish, want := range map[device.Wish]device.Want{
		"":                             {Target: device.Auto},
		"auto":                         {Target: device.Auto},
		"cpu":                          {Target: device.CPU},
		"openvino-cpu":                 {Target: device.OpenVINOCPU},
		"cuda":                         {Target: device.CUDA},
		"cuda:3":                       {Target: device.CUDA, Number: 3},
		"cuda:1@onnxruntime-cuda13":    {Target: device.CUDA, Number: 1, Runtime: "onnxruntime-cuda13"},
		"cpu@onnxruntime-cpu@1.32.0":   {Target: device.CPU, Runtime: "onnxruntime-cpu@1.32.0"},
		"onnxruntime-cpu@alternatives": {Target: device.ONNXCPU, Runtime: "alternatives"},
	} {
		got, err := wish.Parse()
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v; want %+v", wish, got, err, want)
		}
		if back, err := device.Wish(got.String()).Parse(); err != nil || back != want {
			t.Errorf("%q written as %q reads as %+v, %v", wish, got, back, err)
		}
	}
	for _, wish := range []device.Wish{"gpu", "CUDA", "cuda:", "cuda:-1", "cuda:01", "cuda:64", "cpu:1", "auto@x", "cuda@", "cuda@../etc", "cuda@x@y", "openvino-gpu@x", "cuda@x@", " cpu", "cpu\n"} {
		if _, err := wish.Parse(); edgeward.CodeOf(err) != "device.wish" || edgeward.HintOf(err) == "" {
			t.Errorf("%q: got %v", wish, err)
		}
	}
}

func file(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

// gpu is what NVIDIA's driver says of one.
func gpu(name, minor string) *fstest.MapFile {
	return file("Model: \t\t " + name + "\nIRQ:   \t\t 203\nGPU UUID: \t GPU-4f7c\nVideo BIOS: \t 96.00.74.00.01\nBus Type: \t PCIe\nDevice Minor: \t " + minor + "\n")
}

const driver = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (dvs-builder@U22)\nGCC version:  gcc version 12.3.0\n"

func TestFindReadsWhatTheDriversTell(t *testing.T) {
	for _, c := range []struct {
		name string
		root fstest.MapFS
		want []device.Device
	}{
		{"a machine without any", fstest.MapFS{"proc/cpuinfo": file("x")}, nil},
		{"two GPUs, by their place on the bus", fstest.MapFS{
			"proc/driver/nvidia/version":                       file(driver),
			"proc/driver/nvidia/gpus/0000:AF:00.0/information": gpu("NVIDIA L4", "0"),
			"proc/driver/nvidia/gpus/0000:3b:00.0/information": gpu("NVIDIA H100 80GB HBM3", "1"),
			"dev/nvidia0": {}, "dev/nvidia1": {},
		}, []device.Device{
			{Target: device.CUDA, Number: 0, Name: "NVIDIA H100 80GB HBM3", Bus: "0000:3b:00.0", UUID: "GPU-4f7c", Driver: "580.95.05", Usable: true},
			{Target: device.CUDA, Number: 1, Name: "NVIDIA L4", Bus: "0000:af:00.0", UUID: "GPU-4f7c", Driver: "580.95.05", Usable: true},
		}},
		{"one that the container may not use", fstest.MapFS{
			"proc/driver/nvidia/version":                       file(driver),
			"proc/driver/nvidia/gpus/0000:3b:00.0/information": gpu("NVIDIA L4", "4"),
		}, []device.Device{{Target: device.CUDA, Name: "NVIDIA L4", Bus: "0000:3b:00.0", UUID: "GPU-4f7c", Driver: "580.95.05", Why: "/dev/nvidia4 is not here: this container or service may not use it"}}},
		{"one without a driver", fstest.MapFS{
			"sys/bus/pci/devices/0000:01:00.0/vendor": file("0x10de\n"), "sys/bus/pci/devices/0000:01:00.0/class": file("0x030000\n"),
			"sys/bus/pci/devices/0000:01:00.1/vendor": file("0x10de\n"), "sys/bus/pci/devices/0000:01:00.1/class": file("0x040300\n"), // its sound
		}, []device.Device{{Target: device.CUDA, Name: "NVIDIA GPU", Bus: "0000:01:00.0", Why: "its driver is not loaded"}}},
		{"a container that shows the device only", fstest.MapFS{"dev/nvidia3": {}, "dev/nvidiactl": {}}, []device.Device{{Target: device.CUDA, Name: "NVIDIA GPU", Usable: true}}},
		{"Intel's", fstest.MapFS{
			"sys/bus/pci/devices/0000:00:02.0/vendor": file("0x8086\n"), "sys/bus/pci/devices/0000:00:02.0/class": file("0x030000\n"),
			"sys/bus/pci/devices/0000:00:0b.0/vendor": file("0x8086\n"), "sys/bus/pci/devices/0000:00:0b.0/class": file("0x120000\n"),
			"dev/dri/renderD128": {},
		}, []device.Device{
			{Target: device.OpenVINOGPU, Name: "Intel GPU", Bus: "0000:00:02.0", Usable: true},
			{Target: device.OpenVINONPU, Name: "Intel NPU", Bus: "0000:00:0b.0", Why: "there is no /dev/accel/accel*: its driver is not loaded, or this service may not use it"},
		}},
	} {
		got := device.Find(c.root)
		if len(got) != len(c.want) {
			t.Errorf("%s: got %+v", c.name, got)
			continue
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: got %+v\nwant %+v", c.name, got[i], c.want[i])
			}
		}
	}
	device.Find(os.DirFS("/")) // this machine, whatever it has
}

func TestOlder(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"580.65.06", "580.65", false}, {"575.57.08", "580.65", true}, {"580.64", "580.65", true}, {"", "580.65", false}, {"580", "", false}} {
		if got := device.Older(c.a, c.b); got != c.want {
			t.Errorf("%q older than %q: %v", c.a, c.b, got)
		}
	}
}

func FuzzWish(f *testing.F) {
	for _, s := range []string{"", "cuda:1@a@1.2", "auto", "cpu@x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := device.Wish(s).Parse()
		if err != nil {
			return
		}
		if back, err := device.Wish(w.String()).Parse(); err != nil || back != w {
			t.Errorf("%q is %+v, which reads back as %+v, %v", s, w, back, err)
		}
	})
}
