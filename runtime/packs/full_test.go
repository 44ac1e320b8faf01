package packs_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/runtime/native"
	"edgeward/runtime/packs"
)

// small is a file system that can be made full and wide again.
type small struct {
	testing.TB
	dir string
}

func newSmall(t *testing.T) small {
	t.Helper()
	d := small{t, t.TempDir()}
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", 0, "size=300m"); err != nil {
		t.Logf("mount: %v", err)
		needtest.Missing(t, "right:mount")
	}
	t.Cleanup(func() { _ = syscall.Unmount(d.dir, syscall.MNT_DETACH) })
	return d
}

func (d small) set(options string) {
	d.Helper()
	if err := syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, options); err != nil {
		d.Fatalf("%s: %v", options, err)
	}
}

// full leaves room for no byte more.
func (d small) full() {
	d.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &st); err != nil {
		d.Fatal(err)
	}
	used := int64(st.Blocks-st.Bfree) * st.Bsize
	if used == 0 {
		d.Fatal("nothing is written, and a size of 0 is no bound")
	}
	d.set(fmt.Sprintf("size=%d", used))
}

func (d small) wide() { d.Helper(); d.set("size=300m,nr_inodes=1000") }

// large is a pack whose first library is longer than what is read of a pack at once.
func large() []byte {
	noise := make([]byte, 5<<20)
	for i, r := 0, rand.New(rand.NewPCG(1, 2)); i < len(noise); i++ {
		noise[i] = byte(r.Uint32())
	}
	z := squeeze(noise)
	ix := index(func(ix *packs.Index) {
		ix.Files[0] = native.File{Name: "libengine.so.1", Digest: edgeward.DigestOf(noise), Size: int64(len(noise)), Packed: int64(len(z))}
	})
	raw, err := json.Marshal(ix)
	if err != nil {
		panic(err)
	}
	return archive(entry{name: "pack.json", body: raw}, entry{name: "libengine.so.1.zst", body: z}, entry{name: "libhelp.so.zst", body: squeeze(libraries["libhelp.so"])})
}

// at calls do once when more than n bytes were read.
type at struct {
	r  io.Reader
	n  int
	do func()
}

func (a *at) Read(b []byte) (int, error) {
	n, err := a.r.Read(b)
	if a.n -= n; a.n < 0 && a.do != nil {
		a.do()
		a.do = nil
	}
	return n, err
}

// TestBadInputAFullDiskLeavesNothing fills the disk at every step of adding a pack: before the first byte, within a file, between
// two, at the record of the whole, and for want of names (inodes) at each of them. Each time the error says so, nothing is
// there or left behind, nobody was told that it came, and the same pack is taken once there is room.
func TestBadInputAFullDiskLeavesNothing(t *testing.T) {
	b := large()
	d := newSmall(t)
	refused := func(t *testing.T, s *packs.Store, dir string, err error) {
		t.Helper()
		t.Log(err)
		if edgeward.KindOf(err) != edgeward.Exhausted || edgeward.CodeOf(err) != "runtime.disk_full" || edgeward.HintOf(err) == "" || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%v (kind %v, code %q, hint %q)", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err))
		}
		nothing(t, dir)
		if all := s.List(); len(all) != 0 {
			t.Errorf("%d packs are there", len(all))
		}
	}
	for i, c := range []struct {
		name  string
		read  int  // bytes of the pack after which the disk is full; negative: never
		files int  // files after which it is
		at    bool // before it begins
	}{
		{"before it begins", -1, 0, true},
		{"within a file", 3 << 20, 0, false},
		{"between two files", -1, 1, false},
		{"at the record", -1, 2, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := small{t, d.dir}
			d.wide()
			dir := filepath.Join(d.dir, fmt.Sprint(i))
			s, err := packs.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			a := admission(b)
			files := 0
			a.Progress = func(int64) {
				if files++; files == c.files {
					d.full()
				}
			}
			a.Admit = func(packs.Pack) error { t.Error("somebody was told that it is there"); return nil }
			var r io.Reader = bytes.NewReader(b)
			if c.read >= 0 {
				r = &at{r: r, n: c.read, do: d.full}
			}
			if c.at {
				d.set("size=200m")
			}
			_, _, err = s.Add(t.Context(), r, a)
			refused(t, s, dir, err)
			if c.at && !strings.Contains(edgeward.HintOf(err), "MiB") {
				t.Errorf("the hint does not say how much is needed: %q", edgeward.HintOf(err))
			}
			d.wide()
			p, fresh, err := add(s, b)
			if err != nil || !fresh {
				t.Fatalf("with room again: %v %v", fresh, err)
			}
			if _, err := s.Locate(t.Context(), p.Ref); err != nil {
				t.Error(err)
			}
			if err := os.RemoveAll(dir); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("no name left at each step", func(t *testing.T) {
		steps := 0
		for {
			d := newSmall(t)
			d.set(fmt.Sprintf("nr_inodes=%d", steps+1)) // one is the file system's own
			dir := filepath.Join(d.dir, "runtimes")
			s, err := packs.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			p, fresh, err := add(s, b)
			if err == nil && fresh {
				if err := s.Remove(p.Ref); err != nil { // makes room, and needs none
					t.Errorf("removed without room: %v", err)
				}
				nothing(t, dir)
				break
			}
			refused(t, s, dir, err)
			d.wide()
			if _, fresh, err := add(s, b); err != nil || !fresh {
				t.Fatalf("with room again: %v %v", fresh, err)
			}
			if steps++; steps > 20 {
				t.Fatal("it never has enough")
			}
		}
		if steps < 5 { // the store's folder, the pack's, two files, the record
			t.Errorf("only %d steps make a file or folder", steps)
		}
	})
}
