package pages_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"edgeward/runtime/pages"
)

// resident returns how many KiB of files, and of anything else, this process has in memory.
func resident(t *testing.T) (files, other int) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		n, _ := strconv.Atoi(f[1])
		switch f[0] {
		case "RssFile:":
			files = n
		case "RssAnon:":
			other = n
		}
	}
	return files, other
}

var table = func() (t [1 << 16]uint32) {
	for i := range t {
		t[i] = uint32(i) * 2654435761
	}
	return t
}()

// TestRelease lets go while others work: whoever was written stays as it was, and the program goes on.
func TestRelease(t *testing.T) {
	garbage := make([][]byte, 64)
	for i := range garbage {
		garbage[i] = make([]byte, 1<<20)
		for k := 0; k < len(garbage[i]); k += 4096 {
			garbage[i][k] = 1
		}
	}
	_, full := resident(t)
	clear(garbage)
	files, _ := resident(t)
	pages.Release()
	after, rest := resident(t)
	if after >= files {
		t.Errorf("%d KiB of files are resident, and %d were", after, files)
	}
	if rest > full-48<<10 {
		t.Errorf("%d KiB of other memory are resident, and %d were before 64 MiB were dropped", rest, full)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				pages.Release()
				for i, v := range table {
					if v != uint32(i)*2654435761 {
						t.Errorf("entry %d of a table that was written is %d", i, v)
						return
					}
				}
			}
		})
	}
	all.Wait()
}
