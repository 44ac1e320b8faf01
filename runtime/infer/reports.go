package infer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/runtime/native"
	"edgeward/runtime/tensor"
	"edgeward/sync/disk"
)

// Reports keeps engine reports in a folder, one file for each model as it was proved on this machine, so that a restart
// proves nothing again. A file's name is the digest of everything the report rests on: the model, its examples, what was
// asked for, the engines, the processor. The folder may be removed at any time. A nil Reports keeps nothing.
type Reports struct {
	dir     string
	machine string
}

// proof is the number of the way models are proved; one more makes every kept report void.
const proof = 2

// maxReport bounds a kept report.
const maxReport = 1 << 20

// unused is how long a report stays that no load asks for.
const unused = 180 * 24 * time.Hour

// KeepReports opens the folder dir, which is made, and removes what was not used for half a year.
func KeepReports(dir string, at time.Time) (*Reports, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, edgeward.Wrap("infer.KeepReports", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, edgeward.Wrap("infer.KeepReports", err)
	}
	for _, f := range files {
		if in, err := f.Info(); err == nil && at.Sub(in.ModTime()) > unused {
			_ = os.Remove(filepath.Join(dir, f.Name())) // it is tried again at the next start
		}
	}
	return &Reports{dir: dir, machine: machine()}, nil
}

// machine says what answers and timings depend on besides the model: the engines and the processor.
func machine() string {
	var b strings.Builder
	for _, s := range native.Sets() {
		b.WriteString(s.Name + " " + s.Version + "\n")
	}
	b.WriteString(runtime.GOARCH + "\n")
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return b.String()
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	if err != nil {
		return b.String()
	}
	first, _, _ := strings.Cut(string(text), "\n\n") // all processors are alike
	for line := range strings.Lines(first) {
		if name, value, ok := strings.Cut(line, ":"); ok && slices.Contains([]string{"vendor_id", "model name", "flags", "Features"}, strings.TrimSpace(name)) {
			b.WriteString(strings.TrimSpace(value) + "\n")
		}
	}
	return b.String()
}

// path is where the report of a request is kept, "" where it cannot be.
func (k *Reports) path(r LoadRequest) string {
	if k == nil || r.Digest == "" {
		return ""
	}
	h := sha256.New()
	enc := json.NewEncoder(h)
	_ = enc.Encode(struct { // nothing in it that cannot be written
		Proof                    int
		Machine, Digest          string
		Format                   string
		Candidates, Prefer       []Candidate
		Wish, Lacking, Basis     string
		Strict                   bool
		Tolerance                float64
		Runs, Threads, Processor int
	}{proof, k.machine, r.Digest, string(r.Format), r.Candidates, r.Prefer, r.Wish, edgeward.CodeOf(r.Lacking), r.Basis, r.Strict, r.Tolerance, r.Runs, r.Threads, runtime.GOMAXPROCS(0)})
	for _, e := range r.Examples {
		h.Write(tensor.Append(nil, e.Inputs))
		h.Write(tensor.Append(nil, e.Golden))
	}
	return filepath.Join(k.dir, hex.EncodeToString(h.Sum(nil))+".json")
}

// find returns the kept report of a request, false where there is none that can be used.
func (k *Reports) find(r LoadRequest) (rep Report, ok bool) {
	path := k.path(r)
	if path == "" {
		return rep, false
	}
	f, err := os.Open(path)
	if err != nil {
		return rep, false
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxReport))
	if err != nil || json.Unmarshal(b, &rep) != nil || rep.Chosen == nil || !slices.Contains(r.Candidates, *rep.Chosen) ||
		rep.chosen() == nil || rep.Threads < 1 || rep.Threads > 1024 || rep.Signature.Validate() != nil {
		return Report{}, false
	}
	_ = os.Chtimes(path, time.Time{}, time.Now()) // room:clock of a file that was used; a wish
	return rep, true
}

// put keeps a report. A disk that is full costs another proof at the next start, nothing else.
func (k *Reports) put(r LoadRequest, rep Report) {
	path := k.path(r)
	if path == "" {
		return
	}
	if b, err := json.Marshal(rep); err == nil && len(b) <= maxReport {
		_ = disk.WriteFile(path, b, 0o600)
	}
}

// forget removes a report that turned out wrong.
func (k *Reports) forget(r LoadRequest) {
	if path := k.path(r); path != "" {
		_ = os.Remove(path)
	}
}
