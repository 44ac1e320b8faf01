package segment_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/runtime/segment"
)

// TestMain turns the test binary into the process that is killed when EDGEWARD_TEST_SEGMENT names a directory.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EDGEWARD_TEST_SEGMENT"); dir != "" {
		appendForEver(dir)
	}
	os.Exit(m.Run())
}

// appendForEver appends durably from four goroutines and says "seq payload" of each frame that was acknowledged.
func appendForEver(dir string) {
	o := segment.Options{Now: time.Now, MaxBytes: 20_000}
	if os.Getenv(encrypted) != "" {
		o.Keys = mustKeys(dir)
	}
	l, err := segment.Open(dir, o)
	if err != nil {
		panic(err)
	}
	var out sync.Mutex
	for g := range 4 {
		go func() {
			for i := 0; ; i++ {
				p := fmt.Sprintf("%d-%d-%s", g, i, strings.Repeat("x", i%300))
				seq, err := l.AppendDurable(context.Background(), []byte(p))
				if err != nil {
					panic(err)
				}
				out.Lock()
				fmt.Println(seq, p)
				out.Unlock()
			}
		}()
	}
	select {}
}

func TestKillNineKeepsEveryAcknowledgedFrame(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	acked := map[uint64]string{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "EDGEWARD_TEST_SEGMENT="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			seq, payload, _ := strings.Cut(lines.Text(), " ")
			n, err := strconv.ParseUint(seq, 10, 64)
			if err != nil {
				t.Fatalf("the child said %q", lines.Text())
			}
			if old, twice := acked[n]; twice {
				t.Errorf("number %d was given to %q and %q", n, old, payload)
			}
			acked[n] = payload
			if i == 50+37*round {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
	}
	l := open(t, dir, segment.Options{})
	n := 0
	for f, err := range l.Read(t.Context(), 1) {
		if err != nil {
			t.Fatal(err)
		}
		if p, ok := acked[f.Seq]; ok && p != string(f.Payload) {
			t.Errorf("frame %d is %q, acknowledged was %q", f.Seq, f.Payload, p)
		}
		delete(acked, f.Seq)
		n++
	}
	if len(acked) > 0 || n < 400 {
		t.Errorf("%d frames there; acknowledged and missing: %d", n, len(acked))
	}
}

func TestFullDiskLeavesNoHalfFrameAndPasses(t *testing.T) {
	mnt := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", mnt).CombinedOutput(); err != nil {
		t.Logf("mount: %v %s", err, out)
		needtest.Missing(t, "right:mount")
	}
	t.Cleanup(func() { syscall.Unmount(mnt, 0) })
	dir := filepath.Join(mnt, "log")
	l := open(t, dir, segment.Options{MaxBytes: 64 << 10, RetainBytes: 100 << 10})
	var err error
	n := uint64(0)
	for ; err == nil && n < 1000; n++ {
		_, err = l.Append(make([]byte, 3000))
	}
	wantCode(t, err, edgeward.Exhausted, "disk.full")
	if l.Next() != n {
		t.Errorf("next is %d after %d accepted frames", l.Next(), n-1)
	}
	if removed, err := l.Retain(); err != nil || removed == 0 {
		t.Fatalf("Retain = %d, %v", removed, err)
	}
	seq, err := l.AppendDurable(t.Context(), []byte("there is room again"))
	if err != nil || seq != n {
		t.Fatalf("after making room: %d, %v", seq, err)
	}
	for f, err := range l.Read(t.Context(), l.First()) {
		if err != nil {
			t.Fatalf("frame %d: %v", f.Seq, err)
		}
	}
}
