package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// clientCounts are how many ask at once; the last is where joining is measured.
var clientCounts = []int{1, 16, 64}

// Windows that are no peer's: the product without one, and perf_analyzer, which asks the product and Triton.
const (
	oursWindow     = "ours"
	analyzerWindow = "perf_analyzer"
)

// contest is one run of the topic serving: what is measured in its windows, and with what.
type contest struct {
	*bench
	*report
	models, forest []*model
	peers          []*server
	wrk, analyzer  string // programs; empty: missing
}

// serving measures the product beside its peers: each answers the same question of the same model file. A round is a row of
// windows: one for the product alone, the product without joining and the floor, and one for each peer, with the product
// and the floor taking turns with it at every point. Ratios are within a window. Windows can be run one by one (-only) and
// add up in a folder (-keep), where a machine is quiet for minutes only.
func (b *bench) serving(ctx context.Context) (err error) {
	c := &contest{bench: b}
	if c.report, err = openReport(b.kept); err != nil {
		return err
	}
	if err := c.prepareAll(ctx); err != nil {
		return err
	}
	if err := c.available(ctx); err != nil {
		return err
	}
	if c.wrk, c.analyzer, err = b.drivers(ctx, c.wants(analyzerWindow)); err != nil {
		return err
	}
	defer c.print() // what there is, also where the run ends early
	for range b.rounds {
		for _, w := range c.windows() {
			if err := c.window(ctx, w); err != nil {
				return err
			}
		}
	}
	return nil
}

// prepareAll writes the models and fills the data directories, where an earlier run has not.
func (c *contest) prepareAll(ctx context.Context) error {
	if floor := filepath.Join(c.kept, "floor"); !exists(floor) {
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", floor, "./packaging/bench/floor").CombinedOutput(); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	tree, rawTree := treeModel("trees", 7)
	cnn, rawCNN := cnnModel()
	c.models = []*model{tree, cnn}
	if err := errors.Join(tree.write(c.kept, rawTree), cnn.write(c.kept, rawCNN)); err != nil {
		return err
	}
	for _, m := range c.models {
		if err := errors.Join(c.prepare(ctx, "joined", m), c.prepare(ctx, "alone", m)); err != nil {
			return err
		}
	}
	for i := range manyModels {
		m, raw := treeModel(fmt.Sprintf("trees-%02d", i), uint64(100+i))
		if err := m.write(c.kept, raw); err != nil {
			return err
		}
		c.forest = append(c.forest, m)
	}
	return c.prepare(ctx, "many", c.forest...)
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// wants reports whether a window is to be run.
func (c *contest) wants(window string) bool {
	return c.only == "" || slices.Contains(strings.Split(c.only, ","), window)
}

// available sets the peers up. One that cannot be is left out aloud, or fails the run where EDGEWARD_REQUIRE_ALL is 1.
func (c *contest) available(ctx context.Context) error {
	failed := map[string]bool{}
	c.say("- edgeward: " + firstLine(exec.CommandContext(ctx, c.program, "version")))
	for _, s := range peers {
		if !c.wants(s.packages) && !(s.packages == "triton" && c.wants(analyzerWindow)) || failed[s.packages] {
			continue
		}
		if err := c.setUp(ctx, s.packages); err != nil {
			failed[s.packages] = true
			if err := leftOut(s.name, err); err != nil {
				return err
			}
			continue
		}
		c.say("- " + c.component(s.packages))
		c.peers = append(c.peers, s)
	}
	return nil
}

// windows are the names of those to be run, in order.
func (c *contest) windows() (out []string) {
	if c.wants(oursWindow) {
		out = append(out, oursWindow)
	}
	for _, s := range c.peers {
		if c.wants(s.packages) && !slices.Contains(out, s.packages) {
			out = append(out, s.packages)
		}
	}
	if c.wants(analyzerWindow) && c.analyzer != "" {
		out = append(out, analyzerWindow)
	}
	return out
}

// window measures one window and keeps what it found.
func (c *contest) window(ctx context.Context, name string) error {
	c.cells = map[cell]point{}
	before, began := loadNow(), time.Now()
	for _, m := range c.models {
		if name == analyzerWindow {
			if err := c.analyzed(ctx, m); err != nil {
				return err
			}
			continue
		}
		group := slices.Clone(beside)
		if name == oursWindow {
			group = slices.Clone(ours)
		}
		for _, s := range c.peers {
			if s.packages == name && (!s.joined || m.name == "trees") {
				group = append(group, s)
			}
		}
		if err := c.group(ctx, name, m, group); err != nil {
			return err
		}
	}
	if name == oursWindow {
		if err := c.many(ctx); err != nil {
			return err
		}
	}
	c.close(name, c.models)
	c.Loads.add(name, "before", before)
	c.Loads.add(name, "after", loadNow())
	c.Loads.add(name, "seconds", time.Since(began).Seconds())
	fmt.Fprintf(os.Stderr, "bench: window %s took %.0f s; load average %s", name, time.Since(began).Seconds(), load())
	return c.keep(c.kept)
}

// group measures servers of one model: each that is new here alone, for its start and memory, because processes of one
// program share memory; then all side by side and by turns.
func (c *contest) group(ctx context.Context, window string, m *model, group []*server) (err error) {
	var up []*running
	defer func() {
		for _, x := range up {
			err = errors.Join(err, x.end())
		}
	}()
	newest := func(s *server) bool { return window == oursWindow || s.packages != "" }
	for _, s := range group {
		if !newest(s) {
			continue
		}
		x, err := c.begin(ctx, s, m)
		if err != nil {
			return err
		}
		up = append(up, x)
		if err := c.began(ctx, x); err != nil {
			return err
		}
		if len(slices.DeleteFunc(slices.Clone(group), func(s *server) bool { return !newest(s) })) > 1 {
			up = up[:len(up)-1]
			if err := x.end(); err != nil {
				return err
			}
		}
	}
	if window == oursWindow {
		if err := c.bare(ctx, m); err != nil {
			return err
		}
		if m.name == "trees" {
			if err := c.unasked(ctx, m); err != nil {
				return err
			}
		}
	}
	for _, s := range group {
		if slices.ContainsFunc(up, func(x *running) bool { return x.server == s }) {
			continue
		}
		x, err := c.begin(ctx, s, m)
		if err != nil {
			return err
		}
		up = append(up, x)
	}
	slices.SortFunc(up, func(a, b *running) int { return slices.Index(group, a.server) - slices.Index(group, b.server) })
	return c.turns(ctx, m, up)
}

// unasked reads the memory of a server that has answered once and is then left alone.
func (c *contest) unasked(ctx context.Context, m *model) error {
	x, err := c.begin(ctx, unasked, m)
	if err != nil {
		return err
	}
	err = pause(ctx, longQuiet)
	c.memory(m.title+", "+x.name+unaskedWords, x.process)
	return errors.Join(err, x.end())
}

// turns asks each server in turn, at each point; then others' drivers ask.
func (c *contest) turns(ctx context.Context, m *model, up []*running) error {
	for _, body := range []string{asJSON, asBinary} {
		for _, n := range clientCounts {
			if !slices.ContainsFunc(up, func(x *running) bool {
				return x.packages != "" && slices.Contains(x.bodies, body) || x.name == aloneName
			}) {
				continue // nothing to be compared
			}
			for _, x := range up {
				if !slices.Contains(x.bodies, body) || x.joined && n == 1 {
					continue
				}
				p, err := drive(x.process, local(x.port[0]), x.question(body), n, c.pointLength)
				if err == nil {
					err = x.right(body)
				}
				if err != nil {
					err = fmt.Errorf("%s, %s, %s, %d clients: %w", x.name, m.name, body, n, err)
					if x.packages == "" || ctx.Err() != nil {
						return err
					}
					c.note(err) // that of a peer is a finding
					continue
				}
				c.cells[cell{x.name, m.name, body, n}] = p
				c.point(m, body, n, x.name, p)
			}
		}
	}
	if !slices.ContainsFunc(up, func(x *running) bool { return x.packages != "" }) {
		return ctx.Err()
	}
	for _, x := range up {
		if x.joined {
			continue
		}
		if c.wrk != "" {
			c.note(x.wrk(ctx, c.bench, c.report, c.wrk))
		}
	}
	return ctx.Err()
}

// analyzed has perf_analyzer ask the product and the peer that speaks as it does.
func (c *contest) analyzed(ctx context.Context, m *model) error {
	for _, s := range append([]*server{ours[0]}, c.peers...) {
		if s.packages != "" && s.packages != "triton" || s.joined {
			continue
		}
		x, err := c.begin(ctx, s, m)
		if err != nil {
			return err
		}
		c.note(x.analyze(ctx, c.bench, c.report, c.analyzer))
		if err := x.end(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// many is the start with many models: until the first asked has answered, and until all have.
func (c *contest) many(ctx context.Context) (err error) {
	home, err := os.MkdirTemp(c.dir, "home")
	if err != nil {
		return err
	}
	port := freePorts()
	env, args, err := edgeward("many")(c.bench, c.forest[0], home, port)
	if err != nil {
		return err
	}
	began := time.Now()
	p, err := launch(ctx, func(context.Context) error { return eachAnswers(local(port[0]), c.forest[:1], 0) }, env, args[0], args[1:]...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop(), os.RemoveAll(home)) }()
	first := p.ready.Seconds()
	if err := eachAnswers(local(port[0]), c.forest, time.Minute); err != nil {
		return err
	}
	c.Start.add(manyName, untilRight, first)
	c.Start.add(manyName+eachWords, untilRight, time.Since(began).Seconds())
	if err := pause(ctx, quiet); err != nil {
		return err
	}
	c.memory(manyName, p)
	return nil
}

// pause waits.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leftOut says aloud that something is not measured; with EDGEWARD_REQUIRE_ALL=1 it is an error.
func leftOut(what string, why error) error {
	if os.Getenv("EDGEWARD_REQUIRE_ALL") == "1" {
		return fmt.Errorf("%s is missing, and EDGEWARD_REQUIRE_ALL=1 leaves nothing out: %w", what, why)
	}
	fmt.Printf("- **left out: %s**: %v\n", what, why)
	fmt.Fprintf(os.Stderr, "bench: left out: %s: %v\n", what, why)
	return nil
}

func firstLine(cmd *exec.Cmd) string {
	out, err := cmd.Output()
	if err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}
