package packs

import (
	"encoding/json"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/runtime/native"
)

// Format is the number of the file's format. A reader takes this one only.
const Format = 1

// Bounds of a pack: the CUDA one has 17 files of 1.9 GB, the largest 0.6 GB, and is 1.4 GB packed.
const (
	MaxIndex  = 8 << 20  // bytes of pack.json, which holds the licence texts
	MaxFiles  = 128      //
	MaxFile   = 4 << 30  // bytes of a file, unpacked
	MaxTotal  = 16 << 30 // bytes of all files, unpacked
	MaxPacked = 8 << 30  // bytes of the pack
	maxName   = 127      // bytes of a file's name
)

// indexName is the archive's first entry.
const indexName = "pack.json"

// Ref names a pack: "onnxruntime-cuda13@1.31.1".
type Ref struct {
	Name    string `json:"name"`    // a name as models have
	Version string `json:"version"` // numbers and dots
}

// String returns "name@version".
func (r Ref) String() string { return r.Name + "@" + r.Version }

// ParseRef is the inverse of String.
func ParseRef(s string) (Ref, error) {
	name, version, _ := strings.Cut(s, "@")
	r := Ref{name, version}
	return r, r.Check()
}

// Check reports why r names no pack.
func (r Ref) Check() error {
	if err := edgeward.CheckName("runtime", r.Name); err != nil {
		return err
	}
	if numbers(r.Version) == nil {
		return edgeward.E("packs.Ref", edgeward.Invalid, "runtime.version", "a runtime's version is numbers and dots, not %.40q", r.Version).
			WithHint("name it as `edgeward runtime list` does: onnxruntime-cuda13@1.31.1")
	}
	return nil
}

// numbers are the parts of a version such as "1.31.1", nil where it is none.
func numbers(v string) (out []int) {
	if len(v) > 32 {
		return nil
	}
	for s := range strings.SplitSeq(v, ".") {
		n, err := strconv.Atoi(s)
		if err != nil || s[0] < '0' || s[0] > '9' || len(s) > 9 {
			return nil
		}
		out = append(out, n)
	}
	return out
}

// CompareVersions orders versions of numbers and dots.
func CompareVersions(a, b string) int { return slices.Compare(numbers(a), numbers(b)) }

// Index says what a pack holds.
type Index struct {
	Format int `json:"format"`
	Ref
	Platform string           `json:"platform"`          // "linux/amd64"
	Engine   string           `json:"engine"`            // whose library it is: "onnxruntime"
	Devices  []string         `json:"devices"`           // what it runs on: CPU, CUDA
	Library  string           `json:"library"`           // the file to open
	Preload  []string         `json:"preload,omitempty"` // files to open before it, in this order
	Driver   string           `json:"driver,omitempty"`  // the oldest driver of the devices, "580.65"
	Files    []native.File    `json:"files"`
	Licences []native.Licence `json:"licences"` // of everything in it
}

// The devices a pack may be for.
const (
	CPU  = "CPU"
	CUDA = "CUDA"
)

// engines are those that take a library from a pack, with the oldest version whose functions they call.
var engines = map[string]string{"onnxruntime": "1.29"}

// parseIndex reads and checks an index from outside.
func parseIndex(raw []byte) (ix Index, err error) {
	if err := json.Unmarshal(raw, &ix); err != nil {
		return ix, bad("its %s cannot be read: %v", indexName, err)
	}
	if ix.Format != Format {
		return ix, edgeward.E("packs.Add", edgeward.Invalid, "runtime.format", "the pack has format %d, this program reads format %d", ix.Format, Format).
			WithHint("make the pack with the edgeward of this version")
	}
	return ix, ix.check()
}

func (ix Index) check() error {
	if err := ix.Ref.Check(); err != nil {
		return err
	}
	if here := runtime.GOOS + "/" + runtime.GOARCH; ix.Platform != here {
		return edgeward.E("packs.Add", edgeward.Invalid, "runtime.platform", "the pack is for %.40q, this server is %s", ix.Platform, here).
			With("platform", ix.Platform).WithHint("make it from a recipe for %s", here)
	}
	oldest, known := engines[ix.Engine]
	if !known {
		return bad("it is for the engine %.40q, which takes no pack", ix.Engine)
	}
	if CompareVersions(ix.Version, oldest) < 0 {
		return edgeward.E("packs.Add", edgeward.Invalid, "runtime.too_old", "the pack has %s %s, and this program needs %s or newer", ix.Engine, ix.Version, oldest).
			With("oldest", oldest).WithHint("make it anew from this program's recipe: edgeward runtime recipes")
	}
	if len(ix.Devices) == 0 || slices.ContainsFunc(ix.Devices, func(d string) bool { return d != CPU && d != CUDA }) {
		return bad("it is for devices %.80q; known are CPU and CUDA", strings.Join(ix.Devices, " "))
	}
	if ix.Driver != "" && numbers(ix.Driver) == nil {
		return bad("%.40q is no driver's version", ix.Driver)
	}
	if len(ix.Files) == 0 || len(ix.Files) > MaxFiles {
		return tooLarge("it has %d files; there are 1 to %d", len(ix.Files), MaxFiles)
	}
	seen := map[string]bool{}
	for _, f := range ix.Files {
		if !fileName(f.Name) || seen[f.Name] {
			return bad("%.60q is no file name, or stands in it twice", f.Name)
		}
		seen[f.Name] = true
		if _, err := edgeward.ParseDigest(string(f.Digest)); err != nil {
			return bad("%s has no digest", f.Name)
		}
		if f.Size < 1 || f.Size > MaxFile || f.Packed < 1 || f.Packed > MaxPacked {
			return tooLarge("%s has %d bytes, packed %d", f.Name, f.Size, f.Packed)
		}
	}
	if ix.Size() > MaxTotal {
		return tooLarge("its files have %d bytes together; at most %d", ix.Size(), int64(MaxTotal))
	}
	for _, name := range append([]string{ix.Library}, ix.Preload...) {
		if !seen[name] {
			return bad("it is to open %.60q, which it does not hold", name)
		}
	}
	return nil
}

// Size is the bytes of all files, unpacked.
func (ix Index) Size() (n int64) {
	for _, f := range ix.Files {
		n += min(f.Size, MaxFile) // no overflow by what was not checked yet
	}
	return n
}

// fileName reports whether s is the plain name of a library: no separator, no leading dot, nothing a shell would see.
func fileName(s string) bool {
	if s == "" || len(s) > maxName || s[0] == '.' || s == indexName || s == recordName {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("._+-", c) >= 0) {
			return false
		}
	}
	return true
}

func bad(format string, args ...any) error {
	return edgeward.E("packs.Add", edgeward.Invalid, "runtime.pack", "this is no runtime pack, or a damaged one: "+format, args...).
		WithHint("copy the file again and compare its sha256 with the one it was made with, or make it anew")
}

func tooLarge(format string, args ...any) error {
	return edgeward.E("packs.Add", edgeward.TooLarge, "runtime.too_large", "the pack is refused for its size: "+format, args...)
}
