package query_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/query"
)

// TestDamagedFilesEndInAnAnswer flips, cuts and overwrites bytes of a small Parquet and a small CSV file. Every call must
// answer within its time: with data (a flip may make another valid file) or with an error that says what to do. The
// worker may die of it; the next call must work.
func TestDamagedFilesEndInAnAnswer(t *testing.T) {
	c, w := newClient(t)
	parquet, _ := normal(t, c, "testdata/seed-quality.csv", nil)
	r := rand.New(rand.NewPCG(3, 4))
	codes := map[string]int{}
	for _, path := range []string{parquet, "testdata/seed-quality.csv"} {
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			b := append([]byte{}, good...)
			switch i % 4 {
			case 0:
				b = b[:r.IntN(len(b))]
			case 1:
				b[r.IntN(len(b))] ^= 1 << r.IntN(8)
			case 2: // the last part, where Parquet keeps its footer
				b[len(b)-1-r.IntN(min(len(b), 700))] = byte(r.Uint32())
			case 3:
				at := r.IntN(len(b))
				for k := at; k < min(at+40, len(b)); k++ {
					b[k] = byte(r.Uint32())
				}
			}
			in := file(t, "in", string(b))
			out := filepath.Join(t.TempDir(), "out.parquet")
			_, err := c.Normalise(within(t, 20*time.Second), query.NormaliseRequest{Path: in, Out: out})
			codes[edgeward.CodeOf(err)]++
			if err != nil && (edgeward.KindOf(err) == edgeward.Internal || edgeward.HintOf(err) == "") {
				t.Errorf("%s %d: %s %q hint %q: %v", filepath.Base(path), i, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err), err)
			}
		}
	}
	t.Logf("answers %v, worker died %d times (last: %s)", codes, w.Status().Deaths, w.Status().LastDeath)
	if codes["dataset.corrupt"] == 0 || codes[""] == 0 {
		t.Errorf("the mutations are too mild or too wild: %v", codes)
	}
	if _, err := c.Page(within(t, time.Minute), query.PageRequest{Path: parquet, Limit: 1}); err != nil {
		t.Errorf("after all that: %v", err)
	}
}
