package bundle_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"edgeward"
	"edgeward/fleet/bundle"
)

var made = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func write(t testing.TB, files ...string) []byte {
	t.Helper()
	i := bundle.Index{Kind: bundle.Updates, Fleet: "F", Made: made, Nodes: []string{"n1"}}
	for k := 0; k < len(files); k += 2 {
		i.Entries = append(i.Entries, bundle.Entry{Name: files[k], Size: int64(len(files[k+1]))})
	}
	var b bytes.Buffer
	w, err := bundle.NewWriter(&b, i)
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; k < len(files); k += 2 {
		if err := w.Add(files[k], strings.NewReader(files[k+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read returns what a reader sees, and the first error but the end.
func read(b []byte, whole bool) (out map[string]string, err error) {
	out = map[string]string{}
	r, err := bundle.NewReader(bytes.NewReader(b))
	if err != nil {
		return out, err
	}
	defer r.Close()
	for {
		e, body, err := r.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		if whole {
			raw, err := io.ReadAll(body)
			if err != nil {
				return out, err
			}
			out[e.Name] = string(raw)
		}
	}
}

var hex = strings.Repeat("ab", 32)

func noise(n int) string {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(b)
	return string(b)
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	b := write(t, "trust/root/1", "{}", "desired/n1", "envelope", "blobs/"+hex, noise(100_000))
	for _, whole := range []bool{true, false} {
		out, err := read(b, whole)
		if err != nil || whole && (len(out) != 3 || out["blobs/"+hex] != noise(100_000) || out["trust/root/1"] != "{}") {
			t.Fatal(len(out), err)
		}
	}
	if again := write(t, "trust/root/1", "{}", "desired/n1", "envelope", "blobs/"+hex, noise(100_000)); !bytes.Equal(b, again) {
		t.Error("the same twice is not the same file")
	}
}

// TestEachFlippedBitIsSeen flips bits over the whole file: what a reader gives is the same, or there is an error.
func TestEachFlippedBitIsSeen(t *testing.T) {
	b := write(t, "trust/root/1", "{}", "desired/n1", "envelope", "blobs/"+hex, noise(3000))
	want, err := read(b, true)
	if err != nil {
		t.Fatal(err)
	}
	harmless := 0
	for at := range b {
		for _, bit := range []byte{1, 16, 128} {
			spoilt := bytes.Clone(b)
			spoilt[at] ^= bit
			got, err := read(spoilt, true)
			if err != nil {
				continue
			}
			harmless++
			for name, body := range want {
				if got[name] != body {
					t.Fatalf("byte %d: %s is another and nobody says so", at, name)
				}
			}
		}
	}
	t.Logf("%d of %d flips changed nothing that is read", harmless, 3*len(b))
	for n := range b {
		if _, err := read(b[:n], true); err == nil {
			t.Fatalf("%d of %d bytes are taken for the whole", n, len(b))
		}
	}
}

// archive is a zstd of a tar whose index says what it likes.
func archive(t testing.TB, i bundle.Index, write func(*tar.Writer), after func(io.Writer)) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	raw, _ := json.Marshal(i)
	_ = w.WriteHeader(&tar.Header{Name: "index.json", Size: int64(len(raw)), Mode: 0o444})
	_, _ = w.Write(raw)
	write(w)
	_ = w.Close()
	if after != nil {
		after(z)
	}
	_ = z.Close()
	return b.Bytes()
}

func file(w *tar.Writer, name, body string) {
	_ = w.WriteHeader(&tar.Header{Name: name, Size: int64(len(body)), Mode: 0o444})
	_, _ = io.WriteString(w, body)
}

func zeros(w io.Writer, n int64) {
	buf := make([]byte, 1<<20)
	for ; n > 0; n -= int64(len(buf)) {
		if _, err := w.Write(buf); err != nil {
			return
		}
	}
}

func TestWhatIsNoBundle(t *testing.T) {
	index := func(list ...bundle.Entry) bundle.Index {
		return bundle.Index{Format: 1, Kind: bundle.Updates, Fleet: "F", Made: made, Entries: list}
	}
	none := func(*tar.Writer) {}
	for name, b := range map[string][]byte{
		"nothing":                nil,
		"a text":                 []byte("dear hub"),
		"a zstd of nothing":      archiveOf(t, nil),
		"no index":               archiveOf(t, func(w *tar.Writer) { file(w, "desired/n1", "x") }),
		"a later format":         archive(t, bundle.Index{Format: 2, Kind: bundle.Updates, Fleet: "F"}, none, nil),
		"another entry":          archive(t, index(bundle.Entry{Name: "desired/n1", Size: 1}), func(w *tar.Writer) { file(w, "desired/n2", "x") }, nil),
		"another size":           archive(t, index(bundle.Entry{Name: "desired/n1", Size: 1}), func(w *tar.Writer) { file(w, "desired/n1", "xy") }, nil),
		"an entry too few":       archive(t, index(bundle.Entry{Name: "desired/n1", Size: 1}), none, nil),
		"an entry too many":      archive(t, index(), func(w *tar.Writer) { file(w, "desired/n1", "x") }, nil),
		"a path for a digest":    archive(t, index(bundle.Entry{Name: "blobs/../../etc/passwd", Size: 1}), none, nil),
		"an unknown kind":        archive(t, index(bundle.Entry{Name: "bin/sh", Size: 1}), none, nil),
		"a negative size":        archive(t, index(bundle.Entry{Name: "desired/n1", Size: -1}), none, nil),
		"more than there may be": archive(t, index(bundle.Entry{Name: "blobs/" + hex, Size: bundle.MaxBytes}, bundle.Entry{Name: "blobs/" + hex, Size: 1}), none, nil),
		"a link": archive(t, index(bundle.Entry{Name: "desired/n1", Size: 0}), func(w *tar.Writer) {
			_ = w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "desired/n1", Linkname: "/etc/passwd"})
		}, nil),
		"endless zeros at the end": archive(t, index(), none, func(w io.Writer) { zeros(w, 8<<20) }),
		"a bomb nobody reads": archive(t, index(bundle.Entry{Name: "blobs/" + hex, Size: 2 << 30}), func(w *tar.Writer) {
			_ = w.WriteHeader(&tar.Header{Name: "blobs/" + hex, Size: 2 << 30, Mode: 0o444})
			zeros(w, 600<<20)
		}, nil),
	} {
		_, err := read(b, false)
		if k := edgeward.KindOf(err); k != edgeward.Invalid && k != edgeward.Conflict || edgeward.CodeOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func archiveOf(t testing.TB, write func(*tar.Writer)) []byte {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	if write != nil {
		w := tar.NewWriter(z)
		write(w)
		_ = w.Close()
	}
	_ = z.Close()
	return b.Bytes()
}

func FuzzReader(f *testing.F) {
	f.Add(write(f, "trust/root/1", "{}", "desired/n1", "envelope"))
	f.Add(archive(f, bundle.Index{Format: 1, Kind: bundle.Receipts, Fleet: "F"}, func(*tar.Writer) {}, nil))
	f.Add([]byte{0x28, 0xb5, 0x2f, 0xfd})
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := read(b, true)
		if err != nil && edgeward.CodeOf(err) == "" && !errors.Is(err, io.EOF) {
			t.Errorf("an error without a code: %v", err)
		}
		for name := range out {
			if strings.Contains(name, "..") && strings.HasPrefix(name, "blobs/") {
				t.Error(name)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"format":1,"fleet":"F","node":"n1","state":{"format":1,"node":"n1","boot":"b","seq":1}}`))
	f.Add([]byte(`{"join":"eyJmb3JtYXQiOjEsInJlcXVlc3QiOnsiY29kZSI6ImMiLCJub2RlIjoibjEifX0=","proof":"AA=="}`))
	f.Add([]byte(`{"format":1,"audit_seq":1,"events":["a"],"chain":["AA=="]}`))
	f.Fuzz(func(_ *testing.T, b []byte) {
		_, _ = bundle.ParseReceipt(b)
		_, _ = bundle.ParseWord(b)
		_, _, _ = bundle.ParseJoin(b)
	})
}
