package simfleet_test

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// TestMain runs one goroutine at a time: see the package comment on what is the same with each seed.
func TestMain(m *testing.M) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
