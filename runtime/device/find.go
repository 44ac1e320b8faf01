package device

import (
	"bufio"
	"bytes"
	"cmp"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Device is one that this machine has.
type Device struct {
	Target Target `json:"target"`           // cuda, openvino-gpu, openvino-npu
	Number int    `json:"number"`           // among those of its target, in the order of the bus
	Name   string `json:"name,omitempty"`   // "NVIDIA H100 80GB HBM3", where its driver tells
	Bus    string `json:"bus,omitempty"`    // "0000:3b:00.0"
	UUID   string `json:"uuid,omitempty"`   //
	Driver string `json:"driver,omitempty"` // its version: "580.95.05"
	Usable bool   `json:"usable"`
	Why    string `json:"why,omitempty"` // why it is not, for people
}

// Wish is how a person asks for the device.
func (d Device) Wish() string { return Want{Target: d.Target, Number: d.Number}.String() }

// Find reads from root, the file system of the machine ("/"), what it has besides processors: NVIDIA GPUs, Intel GPUs and
// NPUs, by target and number. What cannot be read is not there.
func Find(root fs.FS) []Device {
	out := append(nvidia(root), intel(root)...)
	slices.SortStableFunc(out, func(a, b Device) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), cmp.Compare(a.Number, b.Number))
	})
	return out
}

// Bounds of the devices of a kind and of the bytes of a file of theirs.
const (
	mostDevices = MaxNumber + 1
	mostBytes   = 64 << 10
)

// nvidia lists the GPUs that the driver knows; without a driver, those on the bus.
func nvidia(root fs.FS) (out []Device) {
	driver := driverVersion(read(root, "proc/driver/nvidia/version"))
	folders, _ := fs.ReadDir(root, "proc/driver/nvidia/gpus") // none without a driver
	for _, f := range folders[:min(len(folders), mostDevices)] {
		d := Device{Target: CUDA, Bus: strings.ToLower(f.Name()), Driver: driver, Usable: true}
		node := ""
		for _, line := range lines(read(root, path.Join("proc/driver/nvidia/gpus", f.Name(), "information"))) {
			key, value, _ := strings.Cut(line, ":")
			switch value = strings.TrimSpace(value); strings.TrimSpace(key) {
			case "Model":
				d.Name = value
			case "GPU UUID":
				d.UUID = value
			case "Device Minor":
				node = "dev/nvidia" + value
			}
		}
		if node != "" && !there(root, node) { // a container sees the driver of its host, not all of its GPUs
			d.Usable, d.Why = false, "/"+node+" is not here: this container or service may not use it"
		}
		out = append(out, d)
	}
	if len(out) == 0 { // some containers show the devices and not the driver
		for n := range mostDevices {
			if node := "dev/nvidia" + strconv.Itoa(n); there(root, node) {
				out = append(out, Device{Target: CUDA, Name: "NVIDIA GPU", Driver: driver, Usable: true})
			}
		}
	}
	if len(out) == 0 {
		for _, c := range onBus(root, "0x10de", "0x03") {
			d := Device{Target: CUDA, Name: "NVIDIA GPU", Bus: c, Driver: driver, Why: "its driver is not loaded"}
			if driver != "" {
				d.Why = "its driver does not list it"
			}
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b Device) int { return cmp.Compare(a.Bus, b.Bus) })
	for i := range out {
		out[i].Number = i
	}
	return out
}

// driverVersion finds the first word like "580.95.05" in the driver's first line.
func driverVersion(b []byte) string {
	first, _, _ := strings.Cut(string(b), "\n")
	for w := range strings.FieldsSeq(first) {
		if strings.Contains(w, ".") && strings.Trim(w, "0123456789.") == "" {
			return w
		}
	}
	return ""
}

func intel(root fs.FS) (out []Device) {
	add := func(target Target, name, bus, folder, prefix string) {
		d := Device{Target: target, Name: name, Bus: bus}
		for _, e := range list(root, folder) {
			if strings.HasPrefix(e.Name(), prefix) {
				d.Usable = true
			}
		}
		if !d.Usable {
			d.Why = "there is no /" + folder + "/" + prefix + "*: its driver is not loaded, or this service may not use it"
		}
		for _, o := range out {
			if o.Target == target {
				d.Number++
			}
		}
		out = append(out, d)
	}
	for _, c := range onBus(root, "0x8086", "0x03") {
		add(OpenVINOGPU, "Intel GPU", c, "dev/dri", "renderD")
	}
	for _, c := range onBus(root, "0x8086", "0x1200") {
		add(OpenVINONPU, "Intel NPU", c, "dev/accel", "accel")
	}
	return out
}

// onBus lists what of a vendor and a class is on the bus, by address.
func onBus(root fs.FS, vendor, class string) (out []string) {
	const bus = "sys/bus/pci/devices"
	for _, e := range list(root, bus) {
		if len(out) == mostDevices {
			break
		}
		at := path.Join(bus, e.Name())
		if word(read(root, at+"/vendor")) == vendor && strings.HasPrefix(word(read(root, at+"/class")), class) {
			out = append(out, e.Name())
		}
	}
	return out
}

func list(root fs.FS, dir string) []fs.DirEntry {
	all, _ := fs.ReadDir(root, dir) // what is not there has no entries
	return all[:min(len(all), 4096)]
}

func read(root fs.FS, name string) []byte {
	f, err := root.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, _ := io.ReadAll(io.LimitReader(f, mostBytes)) // what could be read
	return b
}

func there(root fs.FS, name string) bool {
	_, err := fs.Stat(root, name)
	return err == nil
}

func word(b []byte) string { return string(bytes.TrimSpace(b)) }

func lines(b []byte) (out []string) {
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		out = append(out, s.Text())
	}
	return out
}

// Older reports whether driver version a is older than b; an unknown one is not.
func Older(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	return slices.Compare(numbers(a), numbers(b)) < 0
}

func numbers(v string) (out []int) {
	for s := range strings.SplitSeq(v, ".") {
		n, _ := strconv.Atoi(s) // "" is 0
		out = append(out, n)
	}
	return out
}
