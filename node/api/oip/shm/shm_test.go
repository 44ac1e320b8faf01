package shm_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"edgeward"
	"edgeward/node/api/oip/shm"
)

func world(t *testing.T) (*shm.Regions, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mem"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	return shm.New(dir), dir
}

func TestReadAndWrite(t *testing.T) {
	r, dir := world(t)
	if err := r.Register("ward", shm.Region{Name: "a", Key: "/mem", Offset: 2, Size: 6}); err != nil {
		t.Fatal(err)
	}
	if b, err := r.Read("ward", "a", 1, 3, 100); err != nil || string(b) != "345" {
		t.Errorf("%q %v", b, err)
	}
	if err := r.Write("ward", "a", 4, 2, []byte("x")); err != nil {
		t.Error(err)
	}
	if b, _ := os.ReadFile(filepath.Join(dir, "mem")); string(b) != "012345x789" {
		t.Errorf("%q", b)
	}
	if l, err := r.List("ward", ""); err != nil || len(l) != 1 || l[0] != (shm.Region{Name: "a", Key: "/mem", Offset: 2, Size: 6}) {
		t.Error(l, err)
	}
	if _, err := r.Read("other", "a", 0, 1, 100); edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("another group reads it: %v", err)
	}
	r.UnregisterAll("other")
	r.Unregister("ward", "nosuch")
	r.Unregister("ward", "a")
	if _, err := r.Read("ward", "a", 0, 1, 100); edgeward.CodeOf(err) != "shared_memory.not_found" {
		t.Error(err)
	}
	if _, err := r.List("ward", "a"); edgeward.CodeOf(err) != "shared_memory.not_found" {
		t.Error(err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	r, dir := world(t)
	outside := filepath.Join(t.TempDir(), "secret")
	for _, err := range []error{os.WriteFile(outside, []byte("secret"), 0o600), os.Symlink(outside, filepath.Join(dir, "link")), os.Mkdir(filepath.Join(dir, "dir"), 0o700),
		syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		g    shm.Region
		code string
	}{
		"a path":                   {shm.Region{Name: "a", Key: "/../secret", Size: 1}, "shared_memory.key"},
		"the folder above":         {shm.Region{Name: "a", Key: "/..", Size: 1}, "shared_memory.key"},
		"the folder":               {shm.Region{Name: "a", Key: "/.", Size: 1}, "shared_memory.key"},
		"no slash":                 {shm.Region{Name: "a", Key: "mem", Size: 1}, "shared_memory.key"},
		"no name of a file":        {shm.Region{Name: "a", Key: "/", Size: 1}, "shared_memory.key"},
		"nothing":                  {shm.Region{Name: "a", Key: "", Size: 1}, "shared_memory.key"},
		"a zero byte":              {shm.Region{Name: "a", Key: "/mem\x00", Size: 1}, "shared_memory.key"},
		"a key too long":           {shm.Region{Name: "a", Key: "/" + strings.Repeat("a", 300), Size: 1}, "shared_memory.key"},
		"a link":                   {shm.Region{Name: "a", Key: "/link", Size: 1}, "shared_memory.open"},
		"a folder":                 {shm.Region{Name: "a", Key: "/dir", Size: 1}, "shared_memory.open"},
		"a fifo":                   {shm.Region{Name: "a", Key: "/fifo", Size: 1}, "shared_memory.open"},
		"a file that is not there": {shm.Region{Name: "a", Key: "/nosuch", Size: 1}, "shared_memory.open"},
		"no region's name":         {shm.Region{Key: "/mem", Size: 1}, "shared_memory.name"},
		"past the end":             {shm.Region{Name: "a", Key: "/mem", Offset: 5, Size: 6}, "shared_memory.size"},
		"a negative offset":        {shm.Region{Name: "a", Key: "/mem", Offset: -1, Size: 2}, "shared_memory.size"},
		"no bytes":                 {shm.Region{Name: "a", Key: "/mem"}, "shared_memory.size"},
		"an overflow":              {shm.Region{Name: "a", Key: "/mem", Offset: math.MaxInt64, Size: 1}, "shared_memory.size"},
		"more than may be":         {shm.Region{Name: "a", Key: "/mem", Size: shm.MaxSize + 1}, "shared_memory.size"},
	} {
		if err := r.Register("ward", c.g); edgeward.CodeOf(err) != c.code || edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
	if err := r.Register("ward", shm.Region{Name: "a", Key: "/mem", Offset: 2, Size: 6}); err != nil {
		t.Fatal(err)
	}
	if err := r.Register("ward", shm.Region{Name: "a", Key: "/mem", Size: 1}); edgeward.CodeOf(err) != "shared_memory.exists" {
		t.Error(err)
	}
	for _, p := range [][2]int64{{-1, 1}, {0, 7}, {6, 1}, {7, 0}, {math.MaxInt64, 1}, {1, math.MaxInt64}, {0, -1}} {
		if _, err := r.Read("ward", "a", p[0], p[1], math.MaxInt64); edgeward.CodeOf(err) != "shared_memory.size" {
			t.Errorf("%v: %v", p, err)
		}
	}
	if _, err := r.Read("ward", "a", 0, 6, 5); edgeward.KindOf(err) != edgeward.TooLarge {
		t.Error(err)
	}
	if err := r.Write("ward", "a", 0, 2, []byte("123")); edgeward.CodeOf(err) != "shared_memory.size" {
		t.Error(err)
	}
	if err := os.Truncate(filepath.Join(dir, "mem"), 3); err != nil { // what a mapping would die of
		t.Fatal(err)
	}
	if _, err := r.Read("ward", "a", 0, 6, 100); edgeward.CodeOf(err) != "shared_memory.access" {
		t.Error(err)
	}
	if err := r.Write("ward", "a", 0, 6, []byte("123456")); edgeward.CodeOf(err) != "shared_memory.access" {
		t.Error(err)
	}
	if st, _ := os.Stat(filepath.Join(dir, "mem")); st.Size() != 3 {
		t.Errorf("a write made the file %d bytes long", st.Size())
	}
	r.Unregister("ward", "a")
	if err := os.Truncate(filepath.Join(dir, "mem"), 10); err != nil {
		t.Fatal(err)
	}
	for i := range shm.MaxRegions + 1 {
		err := r.Register("ward", shm.Region{Name: strings.Repeat("n", 1+i%200) + string(rune('a'+i/200)), Key: "/mem", Size: 1})
		if i < shm.MaxRegions && err != nil || i == shm.MaxRegions && edgeward.KindOf(err) != edgeward.Exhausted {
			t.Fatal(i, err)
		}
	}
	r.UnregisterAll("ward")
}

// TestUnregisterWhileReading races readers against a client that changes its mind.
func TestUnregisterWhileReading(t *testing.T) {
	r, _ := world(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 300 {
				_ = r.Register("ward", shm.Region{Name: "a", Key: "/mem", Size: 10})
				if b, err := r.Read("ward", "a", 0, 10, 10); err == nil && string(b) != "0123456789" {
					t.Errorf("%q", b)
				} else if err != nil && edgeward.KindOf(err) != edgeward.NotFound {
					t.Error(err)
				}
				r.UnregisterAll("ward")
			}
		})
	}
	wg.Wait()
}

// FuzzRegister: whatever is registered and read, only the file in the directory is touched, inside its bounds.
func FuzzRegister(f *testing.F) {
	f.Add("a", "/mem", int64(0), int64(10), int64(0), int64(10))
	f.Add("", "/../mem", int64(-1), int64(1)<<62, int64(1)<<62, int64(1)<<62)
	f.Add("b", "/.", int64(5), int64(5), int64(5), int64(1))
	dir := f.TempDir()
	inside := filepath.Join(dir, "shm")
	for _, err := range []error{os.Mkdir(inside, 0o700), os.WriteFile(filepath.Join(inside, "mem"), []byte("0123456789"), 0o600), os.WriteFile(filepath.Join(dir, "secret"), []byte("secretsecret"), 0o600)} {
		if err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, name, key string, offset, size, from, n int64) {
		r := shm.New(inside)
		defer r.UnregisterAll("ward")
		if r.Register("ward", shm.Region{Name: name, Key: key, Offset: offset, Size: size}) != nil {
			return
		}
		if key != "/mem" {
			t.Fatalf("key %q was opened", key)
		}
		b, err := r.Read("ward", name, from, n, 1<<20)
		if err == nil && string(b) != "0123456789"[offset+from:offset+from+n] {
			t.Fatalf("%d+%d, %d bytes: %q", offset, from, n, b)
		}
	})
}
