package threats

import (
	"flag"
	"os"
	"testing"
)

// The attacks wait for clocks, not for the processor: more of them at a time than there are cores.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
