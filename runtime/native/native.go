// Package native holds the native libraries that the product carries inside its own file, and unpacks them for the
// workers that open them.
//
// The libraries are cut out of PyPI wheels that are pinned by version and sha256 (packaging/fetch/native.json), packed
// with zstd by "make build" into the folder pack, and embedded. A program built without them compiles and runs; it
// answers Locate with code "native.missing".
//
// # What a caller gets
//
// Locate unpacks only the set it was asked for, and only the files that are not there yet. Every file is read and its
// sha256 compared with the embedded index on every call, so a flipped bit, a torn write after a power cut or an
// exchanged file is found and replaced before the library is opened. Several goroutines and several processes may
// locate the same set at once: a file becomes visible under its name only by rename, whole, and always with the same
// bytes. Nothing protects a file from somebody who may write to the data directory between Locate and dlopen.
//
// # What a caller may not assume
//
// That a library stays where it was after an upgrade of the product: the folder's name holds the digest of its files.
// Keep no path; ask again. This package opens no library; only workers do.
package native

import (
	"embed"
	"encoding/json"
	"io/fs"
	"runtime"
	"slices"
	"sync"

	"edgeward"
)

// The names of the sets.
const (
	ONNXRuntime = "onnxruntime"  // libonnxruntime.so.1.31.1 and its providers bridge
	OpenVINO    = "openvino"     // C library, CPU plugin, frontends, TBB, hwloc
	OpenVINOGPU = "openvino-gpu" // the same folder with the Intel GPU plugin; for hosts with /dev/dri/renderD*
	OpenVINONPU = "openvino-npu" // the same folder with the Intel NPU plugin; for hosts with /dev/accel/accel*
	LightGBM    = "lightgbm"     // lib_lightgbm.so and libgomp.so.1, which is to be opened first with RTLD_GLOBAL
)

// A Set is one library with all files it needs beside it.
type Set struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Licence string `json:"licence"`           // SPDX expression
	Extends string `json:"extends,omitempty"` // a set whose folder this one shares and which it needs
	Files   []File `json:"files"`
}

// A File is one shared library as it lies unpacked.
type File struct {
	Name   string          `json:"name"`   // "libonnxruntime.so.1.31.1"
	Digest edgeward.Digest `json:"digest"` // of the unpacked bytes
	Size   int64           `json:"size"`   // unpacked, in bytes
	Packed int64           `json:"packed"` // inside the program, in bytes
}

// index is pack/index.json, written by packaging/fetch.
type index struct {
	Recipe   string `json:"recipe"`   // sha256 of what the pack was made from
	Platform string `json:"platform"` // "linux/amd64"
	Sets     []Set  `json:"sets"`
}

//go:embed pack
var embedded embed.FS

// load reads the index once. A program without a pack, or with one of another platform, has no sets.
var load = sync.OnceValues(func() (index, error) { return readIndex(embedded) })

func readIndex(fsys fs.FS) (index, error) {
	var ix index
	b, err := fs.ReadFile(fsys, "pack/index.json")
	if err != nil {
		return ix, missing("this program was built without the native libraries")
	}
	if err := json.Unmarshal(b, &ix); err != nil {
		return ix, missing("the embedded index of native libraries cannot be read: %v", err)
	}
	if here := runtime.GOOS + "/" + runtime.GOARCH; ix.Platform != here {
		return index{}, missing("the embedded native libraries are for %s, this is %s", ix.Platform, here)
	}
	return ix, nil
}

func missing(format string, args ...any) error {
	return edgeward.E("native.Locate", edgeward.Unavailable, "native.missing", format, args...).
		WithHint("build it with `make build`, which fetches and embeds them, or install a released package")
}

// Sets lists what is embedded, in the order of the pinned list; it is empty in a program built without a pack.
func Sets() []Set {
	ix, err := load()
	if err != nil {
		return nil
	}
	return slices.Clone(ix.Sets)
}

// find returns the set called name and the sets whose folder it shares, the extended one first.
func (ix index) find(name string) (chain []Set, err error) {
	for _, s := range ix.Sets {
		if s.Name != name {
			continue
		}
		if s.Extends == "" {
			return []Set{s}, nil
		}
		base, err := ix.find(s.Extends)
		return append(base, s), err
	}
	return nil, edgeward.E("native.Locate", edgeward.NotFound, "native.unknown", "no set of native libraries is called %q", name)
}
