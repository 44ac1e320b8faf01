package host_test

import (
	"fmt"
	"runtime"
	"testing"

	"edgeward"
	"edgeward/node/host"
)

func TestReadKnowsThisMachine(t *testing.T) {
	in := host.Read(t.Context(), t.TempDir())
	if in.Cores < 1 || in.OS != runtime.GOOS || in.Hostname == "" || in.Memory == 0 || in.MemoryFree > in.Memory || in.Disk == 0 || in.DiskFree > in.Disk || in.Resident < 1<<20 {
		t.Errorf("%+v", in)
	}
}

func TestWhatTheSystemDoesNotTellIsNamed(t *testing.T) {
	in := host.Read(t.Context(), "/no/such/directory")
	if len(in.Missing) != 1 || in.Missing[0] != "disk" || in.Disk != 0 || in.Cores == 0 {
		t.Errorf("%+v", in)
	}
}

func FuzzName(f *testing.F) {
	for _, s := range []string{"er-1.hospital.example", "ER_01", "", "1234", "--", "Zürich-Süd", "a-very-" + string(make([]byte, 100)), "x--y-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if err := edgeward.CheckName("node", host.Name(s)); err != nil {
			t.Errorf("%q becomes %q: %v", s, host.Name(s), err)
		}
	})
}

func ExampleName() {
	fmt.Println(host.Name("ER_01.hospital.example"), host.Name("7-of-9"), host.Name(""))
	// Output: er-01 of-9 node
}
