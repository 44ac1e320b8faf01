package disktest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"edgeward/sync/disk"
	"edgeward/sync/disk/disktest"
)

// TestMain is the process as well whose power goes.
func TestMain(m *testing.M) {
	if os.Getenv("EDGEWARD_TEST_WRITES") == "" {
		os.Exit(m.Run())
	}
	disktest.Watched()
	err := func() error {
		if err := disk.WriteFile("synced", []byte("12345678"), 0o600); err != nil { // five changes: made, written, synced, renamed, folder synced
			return err
		}
		if err := os.WriteFile("unsynced", []byte("abcdefgh"), 0o600); err != nil { // the sixth and seventh
			return err
		}
		if err := os.Rename("synced", "renamed"); err != nil { // the eighth
			return err
		}
		return os.Remove("unsynced") // the ninth
	}()
	if errors.Is(err, syscall.ENOSPC) {
		os.Exit(28)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

func TestWhatADiskHoldsAfterItsPowerWent(t *testing.T) {
	for _, c := range []struct {
		at   int
		how  disktest.How
		want string
		code int
	}{
		{0, disktest.Killed, "renamed=12345678 ", 0},
		{4, disktest.Killed, "", 0}, // under its temporary name
		{5, disktest.Killed, "synced=12345678 ", 0},
		{5, disktest.Lost, "", 0},
		{6, disktest.Lost, "synced=12345678 ", 0},
		{7, disktest.Torn, "synced=12345678 unsynced=abcd ", 0},
		{8, disktest.Killed, "synced=12345678 unsynced=abcdefgh ", 0},
		{8, disktest.Lost, "synced=12345678 ", 0},
		{9, disktest.Killed, "renamed=12345678 unsynced=abcdefgh ", 0},
		{9, disktest.Lost, "synced=12345678 ", 0},
		{1, disktest.Full, "", 28},
		{6, disktest.Full, "synced=12345678 ", 28},
	} {
		dir := filepath.Join(t.TempDir(), "disk")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "EDGEWARD_TEST_WRITES=1")
		out := disktest.Run(t, cmd, disktest.Cut{Dir: dir, At: c.at, How: c.how, Patience: 1 << 40})
		got := ""
		for _, name := range []string{"renamed", "synced", "unsynced"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil {
				got += name + "=" + string(b) + " "
			}
		}
		if cut := c.at > 0 && c.how != disktest.Full; got != c.want || out.Cut != cut || !cut && out.Code != c.code {
			t.Errorf("%s at change %d: %q, want %q; %+v", c.how, c.at, got, c.want, out)
		}
	}
}
