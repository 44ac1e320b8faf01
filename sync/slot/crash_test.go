package slot

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"edgeward"
)

// world is a server in the model: its disk, the installed program, and what is known of all programs there ever were.
type world struct {
	t         *testing.T
	disk      *paper
	rnd       *rand.Rand
	installed Program
	known     map[edgeward.Digest]behaviour
	now       time.Time
	made      int
	// What happened, so that the test shows that it did.
	commits, reverts, restores, cuts, losses, starts int
}

// behaviour is what a program does when it runs.
type behaviour struct {
	Program
	bytes string
	does  string // "good", "crashes", "hangs", "wrong"
}

// database is the database's content: format it was last written in, the lowest format that reads it, and how often it was written.
type database struct{ Format, Reads, Writes int }

const databaseFile = "store.db"

func (w *world) readDatabase() (d database, ok bool) {
	f, found := w.disk.names[databaseFile]
	if !found {
		return d, false
	}
	if err := json.Unmarshal(f.now, &d); err != nil {
		w.t.Fatalf("the database is torn: %q", f.now)
	}
	return d, true
}

// writeDatabase is one transaction: there or not there after a cut.
func (w *world) writeDatabase(d database) {
	w.disk.step()
	b, err := json.Marshal(d)
	if err != nil {
		w.t.Fatal(err)
	}
	f, ok := w.disk.names[databaseFile]
	if !ok {
		w.disk.next++
		f = &inode{number: w.disk.next}
		w.disk.names[databaseFile], w.disk.durable[databaseFile] = f, f
	}
	f.now, f.durable = b, b
}

func (w *world) program(does string, writes, reads int) behaviour {
	w.made++
	text := fmt.Sprintf("program %d %s %s", w.made, does, strings.Repeat("x", w.rnd.IntN(40)))
	b := behaviour{Program{edgeward.DigestOf([]byte(text)), int64(len(text)), fmt.Sprintf("1.%d.0", w.made), writes, reads}, text, does}
	w.known[b.Digest] = b
	return b
}

// run is the server from power on to power off: starts until something stays up. It returns what stayed up, or false where the power was cut.
func (w *world) run() (up Program, ok bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, cut := r.(crashed); !cut {
				panic(r)
			}
			w.cuts++
			w.disk.reboot()
			ok = false
		}
	}()
	d := newDir(w.disk, "/data", databaseFile, time.Minute)
	for range 20 {
		w.now = w.now.Add(time.Second)
		c, err := d.Boot(w.installed, w.now)
		if err != nil {
			w.t.Fatalf("nothing may be started: %v", err)
		}
		w.starts++
		p := w.begin(c)
		if stays := w.live(d, c, p); stays {
			return p.Program, true
		}
	}
	w.t.Fatal("it never stays up")
	return up, false
}

// begin is the start of a program: the bytes it is made of, and the database it opens.
func (w *world) begin(c Choice) behaviour {
	p := behaviour{w.installed, "", "good"}
	if c.Slot != Installed {
		f, there := w.disk.names[slotFile(c.Slot)]
		if !there {
			w.t.Fatalf("slot %s is started and is not there", c.Slot)
		}
		known, right := w.known[edgeward.DigestOf(f.now)]
		if !right || known.Digest != c.Program.Digest {
			w.t.Fatalf("wrong bytes are started: %q", f.now)
		}
		p = known
	}
	db, ok := w.readDatabase()
	switch {
	case ok && p.Writes < db.Reads && p.Writes < db.Format:
		w.t.Fatalf("bricked: version %s (format %d) cannot read the database (format %d, readable from %d)", p.Version, p.Writes, db.Format, db.Reads)
	case !ok || db.Format < p.Writes:
		w.writeDatabase(database{p.Writes, max(p.Reads, 1), db.Writes + 1})
	default:
		db.Writes++
		w.writeDatabase(db)
	}
	return p
}

// live is what a started program and its supervisor do until it ends or stays.
func (w *world) live(d *Dir, c Choice, p behaviour) (stays bool) {
	if !c.Trial {
		return true // it was committed: it was good
	}
	switch p.does {
	case "good":
		if _, err := d.Commit(c.Program, w.now); err == nil {
			w.commits++
			return true
		}
		if _, err := d.Fail("update.disk", "it cannot be committed", w.now); err != nil && !w.disk.noRoom() {
			w.t.Fatal(err)
		}
	case "crashes": // the next Boot counts
	default:
		if _, err := d.Fail("update."+p.does, "it "+p.does, w.now); err == nil {
			w.reverts++
		}
	}
	return false
}

// act is what a person, a package or bad luck does while the server is up.
func (w *world) act(up Program) (expect string) {
	d := newDir(w.disk, "/data", databaseFile, time.Minute)
	defer func() {
		if r := recover(); r != nil {
			if _, cut := r.(crashed); !cut {
				panic(r)
			}
			w.cuts++
			w.disk.reboot()
			expect = ""
		}
	}()
	w.disk.full = w.rnd.IntN(12) == 0
	switch w.rnd.IntN(10) {
	default:
		does := []string{"good", "good", "crashes", "hangs", "wrong"}[w.rnd.IntN(5)]
		writes, reads := up.Writes, 0
		if w.rnd.IntN(2) == 0 {
			writes++
			reads = writes - w.rnd.IntN(2)
		}
		p := w.program(does, writes, reads)
		n, err := d.Stage(strings.NewReader(p.bytes), p.Program, nil)
		if err == nil {
			if _, err = d.Try(n, Asked{By: "test"}, w.now); err == nil {
				return does
			}
		}
		if !w.disk.full {
			w.t.Fatalf("not staged: %v", err)
		}
	case 0:
		if s, _ := d.State(); s.Previous != nil {
			_, _ = d.Try(*s.Previous, Asked{By: "test", Reason: "back"}, w.now)
		}
	case 1:
		p := w.program("good", up.Writes, up.Reads)
		w.installed = p.Program
		if up.Reads == 0 {
			w.installed.Reads = 0
		}
	case 2: // a sector goes bad in one of the states
		if f, ok := w.disk.names[stateFile(w.rnd.Uint64N(2))]; ok && len(f.now) > 0 {
			f.now[w.rnd.IntN(len(f.now))] ^= 1 << w.rnd.IntN(8)
			f.durable = f.now
			w.losses++
		}
	}
	return ""
}

// life plays one server through some updates, with a power cut at a random operation of each step, and then shows that it still updates.
func life(t *testing.T, seed uint64, steps int) (w *world) {
	w = &world{t: t, disk: newPaper(seed), rnd: rand.New(rand.NewPCG(seed, 1)), known: map[edgeward.Digest]behaviour{}, now: time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)}
	w.installed = Program{Version: "1.0.0", Writes: 1}
	up, ok := w.run()
	for range steps {
		for !ok {
			up, ok = w.run()
		}
		w.disk.cut, w.disk.count = 1+w.rnd.IntN(40), 0
		w.act(up)
		w.disk.full = w.disk.full && w.rnd.IntN(2) == 0
		up, ok = w.run()
		w.disk.full = false
	}
	w.disk.cut = 0
	for !ok {
		up, ok = w.run()
	}
	// Whatever happened: a good program is taken, and nothing else.
	d := newDir(w.disk, "/data", databaseFile, time.Minute)
	for _, does := range []string{"good", "crashes"} {
		p := w.program(does, up.Writes, up.Reads)
		n, err := d.Stage(strings.NewReader(p.bytes), p.Program, nil)
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if _, err := d.Try(n, Asked{}, w.now); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, ok := w.run()
		if want := p.Digest; !ok || does == "good" && got.Digest != want || does != "good" && got.Digest == want {
			t.Fatalf("seed %d: after a %s update %s runs", seed, does, got.Version)
		}
		up = got
	}
	return w
}

func lives(t *testing.T, cuts int) {
	var all world
	n := 0
	for seed := uint64(1); all.cuts < cuts; seed++ {
		w := life(t, seed, 12)
		all.cuts += w.cuts
		all.commits += w.commits
		all.reverts += w.reverts
		all.losses += w.losses
		all.starts += w.starts
		n++
	}
	t.Logf("%d servers, %d power cuts, %d starts, %d commits, %d reverts, %d damaged states: no brick, no wrong bytes", n, all.cuts, all.starts, all.commits, all.reverts, all.losses)
	if all.commits == 0 || all.reverts == 0 || all.losses == 0 {
		t.Error("the lives were too quiet to show anything")
	}
}

func TestPowerCutsAtRandomOperations(t *testing.T) { lives(t, 500) }

func TestSoakPowerCutsAtRandomOperations(t *testing.T) {
	if os.Getenv("EDGEWARD_SOAK") == "" {
		t.Skip("make soak")
	}
	lives(t, 10_000)
}

// TestPowerCutAtEveryOperation takes one update through a cut before each of its operations, of each kind of program.
func TestPowerCutAtEveryOperation(t *testing.T) {
	for _, does := range []string{"good", "crashes", "hangs"} {
		for _, raises := range []int{0, 1} {
			points := 0
			for cut := 1; ; cut++ {
				w := &world{t: t, disk: newPaper(uint64(cut)), rnd: rand.New(rand.NewPCG(uint64(cut), 2)), known: map[edgeward.Digest]behaviour{}, installed: Program{Version: "1.0.0", Writes: 1}}
				if _, ok := w.run(); !ok {
					t.Fatal("it does not start at all")
				}
				p := w.program(does, 1+raises, 0)
				w.disk.cut, w.disk.count = cut, 0
				staged := func() (ok bool) {
					defer func() {
						if r := recover(); r != nil {
							w.disk.reboot()
						}
					}()
					d := newDir(w.disk, "/data", databaseFile, time.Minute)
					n, err := d.Stage(strings.NewReader(p.bytes), p.Program, nil)
					if err != nil {
						t.Fatal(err)
					}
					if _, err := d.Try(n, Asked{}, w.now); err != nil {
						t.Fatal(err)
					}
					return true
				}()
				up, ok := w.run()
				for !ok {
					up, ok = w.run()
				}
				if does != "good" && up.Digest == p.Digest || staged && w.cuts == 0 && does == "good" && up.Digest != p.Digest {
					t.Fatalf("%s, cut %d: %s runs", does, cut, up.Version)
				}
				if staged && w.cuts == 0 {
					break
				}
				points++
			}
			t.Logf("%s, raises the format by %d: %d points", does, raises, points)
			if points < 30 {
				t.Errorf("only %d points", points)
			}
		}
	}
}
