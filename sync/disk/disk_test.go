package disk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"edgeward"
	"edgeward/sync/disk"
)

func TestWriteFileReplacesWholeAndLeavesNothingBeside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := disk.MkdirAll(dir); err != nil {
		t.Fatal(err)
	}
	p := filepath.Join(dir, "state.json")
	for _, want := range []string{"first, a longer one", "second", ""} {
		if err := disk.WriteFile(p, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(p)
		if err != nil || string(got) != want {
			t.Fatalf("read %q, %v; want %q", got, err, want)
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Fatalf("%d files in the folder, want 1", len(left))
	}
	if err := disk.WriteFile(filepath.Join(dir, "no", "such"), nil, 0o600); err == nil {
		t.Fatal("a file in a missing folder was written")
	}
}

func TestErrNamesWhatAPersonCanDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		kind edgeward.Kind
		code string
	}{
		{&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, edgeward.Exhausted, "disk.full"},
		{fmt.Errorf("deep: %w", syscall.EDQUOT), edgeward.Exhausted, "disk.full"},
		{syscall.EROFS, edgeward.Unavailable, "disk.read_only"},
		{syscall.EIO, edgeward.Internal, ""},
		{edgeward.E("x", edgeward.Invalid, "blob.mismatch", "no"), edgeward.Invalid, "blob.mismatch"},
	} {
		err := disk.Err("op", c.err)
		if edgeward.KindOf(err) != c.kind || edgeward.CodeOf(err) != c.code {
			t.Errorf("%v: kind %v code %q, want %v %q", c.err, edgeward.KindOf(err), edgeward.CodeOf(err), c.kind, c.code)
		}
		if c.code != "" && c.code[:4] == "disk" && edgeward.HintOf(err) == "" {
			t.Errorf("%v: no hint", c.err)
		}
	}
	if disk.Err("op", nil) != nil {
		t.Error("a nil error became one")
	}
}
