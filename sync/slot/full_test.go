package slot

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"edgeward"
)

// TestAFullDiskAtEveryOperation takes one update of each kind of program to a disk that is full from its first, its second, its third operation on: what ran before
// runs, or the new program if it is good; the reason is told; and when there is room, after the next
// start an update goes through.
func TestAFullDiskAtEveryOperation(t *testing.T) {
	for _, does := range []string{"good", "crashes", "hangs"} {
		for _, raises := range []int{0, 1} {
			refused := 0
			for at := 1; ; at++ {
				w := &world{t: t, disk: newPaper(uint64(at)), rnd: rand.New(rand.NewPCG(uint64(at), 3)), known: map[edgeward.Digest]behaviour{}, installed: Program{Version: "1.0.0", Writes: 1}}
				if _, ok := w.run(); !ok {
					t.Fatal("it does not start at all")
				}
				p := w.program(does, 1+raises, 0)
				w.disk.fullAt, w.disk.count = at, 0
				err := w.update(p)
				if err != nil {
					refused++
					if !w.disk.noRoom() || edgeward.CodeOf(err) == "" || edgeward.HintOf(err) == "" {
						t.Errorf("%s, full from operation %d: %v, code %q, hint %q", does, at, err, edgeward.CodeOf(err), edgeward.HintOf(err))
					}
				}
				up, _ := w.run() // nothing cuts the power
				if up.Digest == p.Digest && (does != "good" || err != nil) {
					t.Fatalf("%s, full from operation %d: it runs", does, at)
				}
				touched := w.disk.noRoom()
				w.disk.fullAt = 0
				if up, _ = w.run(); up.Digest == p.Digest && does != "good" {
					t.Fatalf("%s, full from operation %d: it runs after the next start", does, at)
				}
				q := w.program("good", up.Writes, 0)
				if err := w.update(q); err != nil {
					t.Fatalf("%s, full from operation %d, then room again: %v", does, at, err)
				}
				if up, _ := w.run(); up.Digest != q.Digest {
					t.Fatalf("%s, full from operation %d, then room again: %s runs", does, at, up.Version)
				}
				if !touched {
					break
				}
			}
			t.Logf("%s, raises the format by %d: %d times it was refused", does, raises, refused)
			if refused < 5 {
				t.Errorf("only %d times", refused)
			}
		}
	}
}

// update stages a program and asks for its trial.
func (w *world) update(p behaviour) error {
	d := newDir(w.disk, "/data", databaseFile, time.Minute)
	n, err := d.Stage(strings.NewReader(p.bytes), p.Program, nil)
	if err != nil {
		return err
	}
	_, err = d.Try(n, Asked{}, w.now)
	return err
}
