package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgeward/runtime/onnxgraph"
	"edgeward/sync/chunk"
	"edgeward/sync/delta"
)

// warm is a pair of the corpus: a model and what it was trained on to.
type warm struct {
	Name   string
	Family string // "cnn", "openvino cnn", "trees", …
	Kind   string // "fp32", "fp16", "int8", "trees"
	How    string
	Files  []string // extensions

	old, now map[string][]byte
	size     int
}

// goal is what the median of a kind may be, of the full size.
var goal = map[string]float64{"fp32": 50, "fp16": 35, "int8": 10}

// delta measures what an update takes by our differences and by others' ways, over pairs that peers/corpus.py trains.
func (b *bench) delta(ctx context.Context) error {
	pairs, err := b.corpus(ctx)
	if err != nil {
		return err
	}
	ways := []*way{zstdFull, zstdPatch, bsdiff, xdelta, casync}
	for _, w := range ways {
		if _, err := exec.LookPath(w.program); err != nil {
			w.missing = true
			if err := leftOut(w.program, err); err != nil {
				return err
			}
		}
	}
	sizes := newTable("bytes", "ours, fast %", "ours, small %", zstdPatch.name, bsdiff.name, xdelta.name, casync.name, zstdFull.name, "ours ÷ smallest other")
	speeds := newTable("fast: encode MB/s", "fast: decode MB/s", "small: encode MB/s", "small: decode MB/s", "zstd patch MB/s", "bsdiff MB/s")
	medians, larger := map[string]sample{}, []string{}
	for _, p := range pairs {
		if b.only != "" && !strings.Contains(p.Name, b.only) {
			continue
		}
		percent := func(n int) float64 { return 100 * float64(n) / float64(p.size) }
		speed := func(d time.Duration) float64 { return float64(p.size) / 1e6 / d.Seconds() }
		sizes.add(p.Name, "bytes", float64(p.size))
		ours := 0
		for _, l := range []struct {
			name  string
			level delta.Level
		}{{"fast", delta.Fast}, {"small", delta.Small}} {
			n, enc, dec, err := p.ours(l.level)
			if err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			ours = n
			sizes.add(p.Name, "ours, "+l.name+" %", percent(n))
			speeds.add(p.Name, l.name+": encode MB/s", speed(enc))
			speeds.add(p.Name, l.name+": decode MB/s", speed(dec))
		}
		least, by := 0, ""
		for _, w := range ways {
			if w.missing {
				continue
			}
			n, took, err := w.all(ctx, p, filepath.Join(b.dir, p.Name))
			if err != nil {
				return fmt.Errorf("%s, %s: %w", p.Name, w.name, err)
			}
			sizes.add(p.Name, w.name, percent(n))
			if w.patch && (by == "" || n < least) {
				least, by = n, w.name
			}
			switch w {
			case zstdPatch:
				speeds.add(p.Name, "zstd patch MB/s", speed(took))
			case bsdiff:
				speeds.add(p.Name, "bsdiff MB/s", speed(took))
			}
		}
		if by != "" {
			sizes.add(p.Name, "ours ÷ smallest other", float64(ours)/float64(least))
			if ours > least {
				larger = append(larger, fmt.Sprintf("%s: %d bytes, %s %d", p.Name, ours, by, least))
			}
		}
		medians[p.Kind] = append(medians[p.Kind], percent(ours))
		if p.Kind == "fp32" || p.Kind == "trees" {
			medians["fp32 and trees"] = append(medians["fp32 and trees"], percent(ours))
		}
	}
	fmt.Printf("\n### Medians, level small\n\n| | pairs | %% of the full size | goal %% |\n|---|---|---|---|\n")
	for _, kind := range []string{"fp32", "fp32 and trees", "fp16", "int8", "trees"} {
		if s := medians[kind]; len(s) > 0 {
			g := "-"
			if v := goal[strings.TrimSuffix(kind, " and trees")]; v > 0 {
				g = short(v)
			}
			fmt.Printf("| %s | %d | %s | %s |\n", kind, len(s), s, g)
		}
	}
	fmt.Printf("\n### Sizes\n\nPer cent of the full size.\n")
	sizes.print()
	fmt.Printf("\nLarger than the smallest of %s, %s and %s: %d of %d pairs. %s\n", zstdPatch.name, bsdiff.name, casync.name, len(larger), len(sizes.rows), strings.Join(larger, "; "))
	fmt.Printf("\n### Speed\n\nMB of the new file a second of processor time.\n")
	speeds.print()
	return nil
}

// corpus makes the pairs once, in .cache/peers/pairs, and reads them. Trees are converted to what the product stores.
func (b *bench) corpus(ctx context.Context) ([]*warm, error) {
	dir := filepath.Join(b.peers, "pairs")
	list, err := os.ReadFile(filepath.Join(dir, "pairs.json"))
	if errors.Is(err, fs.ErrNotExist) {
		if err := b.setUp(ctx, "corpus"); err != nil {
			return nil, err
		}
		fmt.Fprintf(os.Stderr, "bench: trains the pairs in %s, once: some minutes\n", dir)
		cmd := exec.CommandContext(ctx, b.peerPython("corpus"), b.script("corpus.py"), dir)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("corpus.py: %w\n%.2000s", err, out[max(0, len(out)-2000):])
		}
		list, err = os.ReadFile(filepath.Join(dir, "pairs.json"))
	}
	if err != nil {
		return nil, err
	}
	var pairs []*warm
	if err := json.Unmarshal(list, &pairs); err != nil {
		return nil, err
	}
	for _, p := range pairs {
		if err := p.read(filepath.Join(dir, p.Name)); err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
	}
	return pairs, nil
}

func (p *warm) read(dir string) error {
	p.old, p.now = map[string][]byte{}, map[string][]byte{}
	for _, ext := range p.Files {
		for which, files := range map[string]map[string][]byte{"old": p.old, "new": p.now} {
			raw, err := os.ReadFile(filepath.Join(dir, which+"."+ext))
			if err != nil {
				return err
			}
			if ext == "txt" || ext == "ubj" {
				parse := onnxgraph.Parse
				if ext == "ubj" {
					parse = func(b []byte) (*onnxgraph.Ensemble, error) { return onnxgraph.ParseXGBoost(b, true) }
				}
				trees, err := parse(raw)
				if err != nil {
					return err
				}
				if raw, err = trees.Forecast(onnxgraph.Interval{Low: []float64{-1}, High: []float64{1}, Group: -1, Level: -1}, nil); err != nil {
					return err
				}
				files["onnx"] = raw
				continue
			}
			files[ext] = raw
		}
	}
	for _, f := range p.now {
		p.size += len(f)
	}
	return nil
}

// extensions of the files, in order.
func (p *warm) extensions() []string {
	return slices.Sorted(maps.Keys(p.now))
}

// ours encodes and applies all files of a pair, several times. The times are the processor's, medians: unlike the time that passes, they say what a core can do on a
// machine that has other work.
func (p *warm) ours(l delta.Level) (n int, enc, dec time.Duration, err error) {
	encodes := 5
	if l == delta.Small {
		encodes = 1 // it is slow
	}
	files := make([]*crossing, 0, len(p.now))
	for _, ext := range p.extensions() {
		f := &crossing{base: delta.Of(p.old[ext]), now: delta.Of(p.now[ext])}
		if ext == "bin" {
			f.base.Tensors = chunk.Beside(p.old["xml"], "", int64(len(f.base.Bytes)))
			f.now.Tensors = chunk.Beside(p.now["xml"], "", int64(len(f.now.Bytes)))
		}
		f.back.Grow(len(f.now.Bytes))
		files = append(files, f)
	}
	enc, err = repeated(encodes, func() error {
		for _, f := range files {
			f.delta.Reset()
			if err := delta.Encode(context.Background(), &f.delta, f.base, f.now, l); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, 0, 0, err
	}
	dec, err = repeated(9, func() error {
		for _, f := range files {
			f.back.Reset()
			if err := delta.Apply(&f.back, bytes.NewReader(f.base.Bytes), int64(len(f.base.Bytes)), bytes.NewReader(f.delta.Bytes()), int64(len(f.now.Bytes))); err != nil {
				return err
			}
		}
		return nil
	})
	for _, f := range files {
		n += f.delta.Len()
		if err == nil && !bytes.Equal(f.back.Bytes(), f.now.Bytes) {
			err = errors.New("what came back is another file")
		}
	}
	return n, enc, dec, err
}

// crossing is a file of a pair, its delta, and what that makes.
type crossing struct {
	base, now   delta.File
	delta, back bytes.Buffer
}

// repeated is the median of the processor's time that f takes.
func repeated(times int, f func() error) (time.Duration, error) {
	var all []time.Duration
	for range times {
		began := ownCPU()
		if err := f(); err != nil {
			return 0, err
		}
		all = append(all, ownCPU()-began)
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// way is another program that makes a file out of an older one, or compresses it.
type way struct {
	name, program string
	patch         bool // counts where ours must not be larger
	args          func(old, now, out string) []string
	size          func(out string) (int, error) // of what would be transferred; nil: out's
	missing       bool
}

var (
	zstdFull  = &way{name: "zstd -19, whole %", program: "zstd", args: func(_, now, out string) []string { return []string{"-q", "-19", "-f", now, "-o", out} }}
	zstdPatch = &way{name: "zstd --patch-from %", program: "zstd", patch: true, args: func(old, now, out string) []string {
		return []string{"-q", "-19", "--long=27", "-f", "--patch-from", old, now, "-o", out}
	}}
	bsdiff = &way{name: "bsdiff %", program: "bsdiff", patch: true, args: func(old, now, out string) []string { return []string{old, now, out} }}
	xdelta = &way{name: "xdelta3 %", program: "xdelta3", args: func(old, now, out string) []string { return []string{"-9", "-f", "-e", "-s", old, now, out} }}
	casync = &way{name: "casync %", program: "casync", patch: true, size: newChunks, args: func(_, now, out string) []string {
		return []string{"make", "--digest=sha256", "--store=" + out + ".new", out + ".caibx", now}
	}}
)

// all makes each file's patch and adds their sizes.
func (w *way) all(ctx context.Context, p *warm, dir string) (n int, took time.Duration, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return 0, 0, err
	}
	defer os.RemoveAll(dir)
	for _, ext := range p.extensions() {
		old, now, out := filepath.Join(dir, "old"), filepath.Join(dir, "new"), filepath.Join(dir, "out-"+ext)
		if err := errors.Join(os.WriteFile(old, p.old[ext], 0o600), os.WriteFile(now, p.now[ext], 0o600)); err != nil {
			return 0, 0, err
		}
		if w.size != nil { // a store that has the old file's chunks
			if msg, err := exec.CommandContext(ctx, w.program, "make", "--digest=sha256", "--store="+out+".old", out+".old.caibx", old).CombinedOutput(); err != nil {
				return 0, 0, fmt.Errorf("%w: %.300s", err, msg)
			}
		}
		cmd := exec.CommandContext(ctx, w.program, w.args(old, now, out)...)
		if msg, err := cmd.CombinedOutput(); err != nil {
			return 0, 0, fmt.Errorf("%w: %.300s", err, msg)
		}
		took += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		size := w.size
		if size == nil {
			size = func(out string) (int, error) {
				st, err := os.Stat(out)
				if err != nil {
					return 0, err
				}
				return int(st.Size()), nil
			}
		}
		k, err := size(out)
		if err != nil {
			return 0, 0, err
		}
		n += k
	}
	return n, took, nil
}

// newChunks are the compressed chunks of the new file that the old one does not have, and the index.
func newChunks(out string) (n int, err error) {
	st, err := os.Stat(out + ".caibx")
	if err != nil {
		return 0, err
	}
	n = int(st.Size())
	err = filepath.WalkDir(out+".new", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(out+".new", path)
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(out+".old", rel)); err == nil {
			return nil
		}
		info, err := d.Info()
		n += int(info.Size())
		return err
	})
	return n, err
}
