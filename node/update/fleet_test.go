package update_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/node/supervise"
	"edgeward/node/update"
	"edgeward/packaging/needtest"
	"edgeward/sync/blobs"
	"edgeward/sync/slot"
	"edgeward/sync/tuf"
)

var now = time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC)

func TestNeeds(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	arch, libc, err := update.Needs(f)
	if err != nil || arch != runtime.GOARCH {
		t.Fatalf("%q %v", arch, err)
	}
	if here := update.Libc(); libc != "" && (here == "" || slot.Newer(libc, here)) {
		t.Errorf("this program needs C library %s and runs with %q", libc, here)
	}
	head := make([]byte, 4096)
	if _, err := f.ReadAt(head, 0); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"nothing": nil, "a text": []byte("hello"), "a cut one": head[:40], "a head alone": head[:64]} {
		if _, _, err := update.Needs(bytes.NewReader(b)); name != "a head alone" && edgeward.CodeOf(err) != "update.foreign" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for mark, want := range map[string]string{"GLIBC_2.34": "2.34", "GLIBC_2.2.5": "2.4", "GLIBC_PRIVATE": "2.4", "GLIBC_": "2.4", "GLIBC_ABI_DT_RELR": "2.4", "GLIBCXX_3.4": "2.4", "": "2.4"} {
		if got := update.Newest("2.4", mark); got != want {
			t.Errorf("%q: %s, want %s", mark, got, want)
		}
	}
}

func programs(t *testing.T, installed string, link *supervise.Link) (update.Programs, *slot.Dir) {
	t.Helper()
	return programsAt(t, t.TempDir(), installed, link)
}

func programsAt(t *testing.T, root, installed string, link *supervise.Link) (update.Programs, *slot.Dir) {
	t.Helper()
	d := slot.At(root, "store.db", 0)
	if _, err := d.Boot(slot.Program{Version: installed, Writes: 3, Reads: 2}, now); err != nil {
		t.Fatal(err)
	}
	b, err := blobs.Open(root+"/blobs", func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	u := update.New(update.Parts{Dir: d, Supervisor: link, Version: installed, Record: func(context.Context, events.Event) error { return nil },
		Signed: func(_ context.Context, _, _ string, d edgeward.Digest) (bool, error) {
			return true, edgeward.E("test", edgeward.Forbidden, "fleet.release_unsigned", "nobody signed %s", d)
		},
		Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler)})
	return update.Programs{Update: u, Blobs: b, Store: 2, Free: func() int64 { return 10 << 30 }}, d
}

func TestWhichBinariesFit(t *testing.T) {
	fit := tuf.Release{OS: runtime.GOOS, Arch: runtime.GOARCH, Digest: edgeward.DigestOf(nil), Length: 1 << 20, Version: "2.1.0", Store: 3, Reads: 3, Libc: "2.0"}
	for name, c := range map[string]struct {
		spoil func(*tuf.Release, *update.Programs)
		code  string
	}{
		"it fits":                       {func(*tuf.Release, *update.Programs) {}, ""},
		"an older one, by choice":       {func(r *tuf.Release, _ *update.Programs) { r.Version = "2.0.0" }, ""},
		"one that reads this database":  {func(r *tuf.Release, _ *update.Programs) { r.Store = 2 }, ""},
		"one that cannot read it":       {func(r *tuf.Release, _ *update.Programs) { r.Store = 1 }, "update.database"},
		"another system":                {func(r *tuf.Release, _ *update.Programs) { r.OS = "plan9" }, "update.platform"},
		"another processor":             {func(r *tuf.Release, _ *update.Programs) { r.Arch = "s390x" }, "update.platform"},
		"a newer C library":             {func(r *tuf.Release, _ *update.Programs) { r.Libc = "2.999" }, "update.libc"},
		"one that needs no C library":   {func(r *tuf.Release, _ *update.Programs) { r.Libc = "" }, ""},
		"older than the package":        {func(r *tuf.Release, _ *update.Programs) { r.Version = "1.9.0" }, "update.older"},
		"no room":                       {func(_ *tuf.Release, p *update.Programs) { p.Free = func() int64 { return 257 << 20 } }, "fleet.disk"},
		"a server without a supervisor": {func(_ *tuf.Release, p *update.Programs) { *p, _ = programs(t, "2.0.0", nil) }, "update.unsupervised"},
	} {
		r := fit
		p, _ := programs(t, "2.0.0", &supervise.Link{})
		c.spoil(&r, &p)
		if err := p.FitsProgram(t.Context(), r); edgeward.CodeOf(err) != c.code || (err == nil) != (c.code == "") {
			t.Errorf("%s: %v, want %q", name, err, c.code)
		}
	}
}

func TestAnUnsignedBinaryIsNotTaken(t *testing.T) {
	p, d := programs(t, "2.0.0", &supervise.Link{})
	digest, n, err := p.Blobs.Put(t.Context(), bytes.NewReader([]byte("a program")), 100)
	if err != nil {
		t.Fatal(err)
	}
	r := tuf.Release{OS: runtime.GOOS, Arch: runtime.GOARCH, Digest: digest, Length: n, Version: "2.1.0"}
	if err := p.TakeProgram(t.Context(), r, "R1#0"); edgeward.CodeOf(err) != "fleet.release_unsigned" {
		t.Errorf("%v", err)
	}
	if err := p.StartProgram(t.Context(), digest, "R1#0"); edgeward.CodeOf(err) != "update.empty" {
		t.Errorf("%v", err)
	}
	if err := p.BackProgram(t.Context(), "R1#0 back"); edgeward.CodeOf(err) != "update.no_previous" {
		t.Errorf("%v", err)
	}
	s, err := d.State()
	if err != nil || s.A.Digest+s.B.Digest != "" || s.Trial != nil {
		t.Errorf("%+v %v", s, err)
	}
	at, err := p.Program(t.Context())
	if err != nil || at.Runs == "" || at.Busy || at.Failed != "" || len(at.Slots) > 0 {
		t.Errorf("%+v %v", at, err)
	}
}

// TestAFullDiskEndsATrial has the disk full when the supervisor begins a trial: it starts what ran before and can write nothing of that. Once there is room,
// that server takes the next update without a restart.
func TestAFullDiskEndsATrial(t *testing.T) {
	root := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "size=1m"); err != nil {
		needtest.Missing(t, "right-to-mount-tmpfs")
	}
	t.Cleanup(func() { _ = syscall.Unmount(root, syscall.MNT_DETACH) })
	p, d := programsAt(t, root, "2.0.0", &supervise.Link{})
	b := []byte("a program")
	next := slot.Program{Digest: edgeward.DigestOf(b), Size: int64(len(b)), Version: "2.1.0", Writes: 3}
	n, err := d.Stage(bytes.NewReader(b), next, nil)
	if err == nil {
		_, err = d.Try(n, slot.Asked{ID: "R1#0"}, now)
	}
	if err != nil {
		t.Fatal(err)
	}
	fill, err := os.Create(filepath.Join(root, "fill"))
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = fill.Write(make([]byte, 4096))
	}
	fill.Close()
	c, err := d.Boot(slot.Program{Version: "2.0.0", Writes: 3, Reads: 2}, now)
	if err != nil || c.Trial || c.Problem == nil {
		t.Fatalf("it starts %+v %v", c, err)
	}
	if at, err := p.Program(t.Context()); err != nil || !at.Busy {
		t.Fatalf("while the disk is full: %+v %v", at, err)
	}
	if err := os.Remove(fill.Name()); err != nil {
		t.Fatal(err)
	}
	at, err := p.Program(t.Context())
	if err != nil || at.Busy || at.Failed != next.Digest || at.For != "R1#0" || at.Reason.Code != "update.disk" {
		t.Errorf("with room again: %+v %v", at, err)
	}
	if s, err := d.State(); err != nil || s.Trial != nil || s.Last.Result != slot.Reverted {
		t.Errorf("%+v %v", s, err)
	}
	if _, err := d.Stage(bytes.NewReader(b), next, nil); err != nil {
		t.Errorf("the next update: %v", err)
	}
}
