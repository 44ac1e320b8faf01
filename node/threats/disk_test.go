package threats

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"edgeward/packaging/needtest"
)

// attack 22: the disk of a node has room for less than a version takes. It is filled so that each time a little more fits: the write that fails is another
// one each time, from the first of the document to the last of the registration. What answered goes on answering, the reason is told, and when there is
// room again the version comes by itself.
func fulls(t *testing.T) {
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		needtest.Missing(t, "right-to-mount-tmpfs")
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	f := newFort(t)
	g := f.node(func(g *guard) { g.dir = filepath.Join(disk, "data"); f.ok(os.Mkdir(g.dir, 0o700)) })
	f.everywhere(1, g)
	said := map[string]int{}
	for i, free := range []int64{0, 4, 8, 16, 24, 32, 40, 52, 60, 68, 80, 96, 108, 120, 140, 170} {
		n := i + 2
		fill(t, filepath.Join(disk, "fill"), free<<10)
		f.roll(n)
		full := false
		f.eventually(fmt.Sprintf("with %d KiB free version %d is here, or it is said that the disk is full", free, n), func() bool {
			s := g.stands()
			full = strings.Contains(s, "disk.full") || strings.Contains(s, "store.full")
			if now := g.local.answers(); now != n-1 && now != n {
				t.Fatalf("%d KiB free: %d answers", free, now)
			}
			if strings.Contains(s, "store.unknown") { // the write may be on the disk or not: only a start tells
				full = true
			}
			return full || s == fmt.Sprint(n)
		})
		g.hint()
		said[g.stands()]++
		if full && i%4 == 3 { // and the power is cut as well
			g.quiet()
			g.db.Close()
			f.ok(os.Remove(filepath.Join(disk, "fill")))
			g.open()
			g.local.blobs = g.blobs
			g.run()
		} else {
			f.ok(os.Remove(filepath.Join(disk, "fill")))
		}
		g.becomes(n)
		f.settled()
	}
	t.Logf("what was said: %v", said)
}

// fill leaves free bytes of a small disk.
func fill(t *testing.T, path string, free int64) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := io.Copy(f, zeros{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size - free); err != nil {
		t.Fatal(err)
	}
}
