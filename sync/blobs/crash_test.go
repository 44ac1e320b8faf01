package blobs_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/sync/blobs"
)

// TestMain turns the test binary into the process that is killed when EDGEWARD_TEST_PUT names a directory.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EDGEWARD_TEST_PUT"); dir != "" {
		putForEver(dir)
	}
	os.Exit(m.Run())
}

// putForEver stores blob after blob, says each one on stdout when Put has returned, and never ends.
func putForEver(dir string) {
	s, err := blobs.Open(dir, time.Now)
	if err != nil {
		panic(err)
	}
	for i := uint64(0); ; i++ {
		d, _, err := s.Put(context.Background(), bytes.NewReader(noise(200_000, i)), 1<<30)
		if err != nil {
			panic(err)
		}
		fmt.Println(d)
	}
}

func TestKillNineKeepsWhatWasAcknowledgedAndNothingHalf(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "blobs")
	acked := map[edgeward.Digest]bool{}
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "EDGEWARD_TEST_PUT="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			if d, err := edgeward.ParseDigest(lines.Text()); err == nil {
				acked[d] = true
			}
			if i == 5+round { // it is in the middle of a later Put
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
	}
	s, err := blobs.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for b, err := range s.List(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verified(t.Context(), b.Digest); err != nil {
			t.Errorf("half a blob: %v", err)
		}
		delete(acked, b.Digest)
		n++
	}
	if len(acked) != 0 || n < 9 {
		t.Errorf("%d blobs there, acknowledged and missing: %v", n, acked)
	}
	if left := files(t, filepath.Join(dir, "tmp")); left != 0 {
		t.Errorf("%d temporary files after Open", left)
	}
}

func TestFullDisk(t *testing.T) {
	mnt := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mnt).CombinedOutput(); err != nil {
		t.Logf("mount: %v %s", err, out)
		needtest.Missing(t, "right:mount")
	}
	t.Cleanup(func() { syscall.Unmount(mnt, 0) })
	dir := filepath.Join(mnt, "blobs")
	s, err := blobs.Open(dir, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	small := put(t, s, noise(300_000, 1))
	_, _, err = s.Put(t.Context(), io.LimitReader(endless{}, 2<<20), 1<<30)
	wantCode(t, err, edgeward.Exhausted, "disk.full")
	if !strings.Contains(edgeward.HintOf(err), "full") {
		t.Errorf("hint %q", edgeward.HintOf(err))
	}
	if n := files(t, dir); n != 1 {
		t.Errorf("%d files after a refused Put, want 1", n)
	}
	if _, err := s.Verified(t.Context(), small); err != nil {
		t.Error(err)
	}
	put(t, s, noise(300_000, 2)) // the room of the refused one is free again
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
