package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgeward/node/client"
)

// ours are the product, the product told to run each request alone, and the least that Go costs.
var ours = []*server{
	{name: edgewardName, bodies: []string{asJSON, asBinary}, body: inference, command: edgeward("joined")},
	{name: aloneName, bodies: []string{asBinary}, body: inference, command: edgeward("alone")},
	{name: floorName, bodies: []string{asJSON, asBinary}, body: inference, command: goFloor},
}

// unasked is the product once more, which answers once and is then left alone while the others are measured.
var unasked = &server{name: edgewardName, bodies: []string{asJSON}, body: inference, command: edgeward("unasked")}

const (
	edgewardName = "edgeward"
	aloneName    = "edgeward, --max-batch 1"
	floorName    = "the Go floor"
	manyName     = "edgeward, 50 models of 100 trees"
	manyModels   = 50
	untilRight   = "to the first right answer, s"
	eachWords    = ", until each has answered"
	idlePSS      = "PSS of all processes when idle, MiB"
	unaskedWords = ", unasked for 40 s"
	quiet        = 2 * time.Second  // until a server's idle memory is read
	longQuiet    = 40 * time.Second // until that of one that has proved its models is: its proving worker ends after 30 s
)

// edgeward serves a data directory that prepare has filled.
func edgeward(kind string) func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	return func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
		return []string{"EDGEWARD_BOOTSTRAP_TOKEN=" + token}, []string{b.program, "serve", "--data-dir", b.dataDir(m, kind),
			"--http-address", local(port[0]), "--grpc-address", local(port[1]), "--mqtt-address", local(port[2])}, nil
	}
}

func goFloor(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	libs, err := filepath.Glob(filepath.Join(b.dataDir(m, "joined"), "native", "onnxruntime-*", "libonnxruntime.so*"))
	if err != nil || len(libs) == 0 {
		return nil, nil, fmt.Errorf("no ONNX Runtime was unpacked (%v)", err)
	}
	return nil, []string{filepath.Join(b.dir, "floor"), libs[0], m.file, local(port[0])}, nil
}

func local(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (b *bench) dataDir(m *model, kind string) string { return filepath.Join(b.dir, m.name+"-"+kind) }

// prepare fills the data directory of the first model with all of them, each behind an endpoint of its name.
func (b *bench) prepare(ctx context.Context, kind string, all ...*model) (err error) {
	p, address, err := b.node(ctx, b.dataDir(all[0], kind))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	c, err := client.New(client.Options{URL: "http://" + address, Token: token})
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := deploy(ctx, c, m.file, m.name); err != nil {
			return err
		}
		if kind != "alone" {
			continue
		}
		if _, err := c.UpdateEndpoint(ctx, m.name, client.EndpointChange{MaxBatch: new(1), Reason: "measured without joining"}); err != nil {
			return err
		}
	}
	return nil
}

// deploy imports a file as a version of the model name and has it answer at the endpoint of that name.
func deploy(ctx context.Context, c *client.Client, file, name string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	v, err := c.ImportModel(ctx, name, f, client.ModelUpload{Filename: filepath.Base(file), Task: "raw", IntendedUse: "a benchmark"})
	if err != nil {
		return err
	}
	if _, err := c.CreateEndpoint(ctx, client.EndpointRequest{Name: name, Model: name}); err != nil {
		return err
	}
	if _, err := c.ChangeSpec(ctx, name, client.Promote, client.ChangeRequest{Version: v.Version.Number, Reason: "a benchmark"}); err != nil {
		return err
	}
	_, err = c.AwaitLive(ctx, name, v.Version.Number)
	return err
}

// running is a server that has answered rightly.
type running struct {
	*server
	*process
	model *model
	port  [3]int
	home  string
}

// begin starts a server for a model and waits for the first right answer.
func (b *bench) begin(ctx context.Context, s *server, m *model) (*running, error) {
	r := &running{server: s, model: m, port: freePorts()}
	var err error
	if r.home, err = os.MkdirTemp(b.dir, "home"); err != nil {
		return nil, err
	}
	env, args, err := s.command(b, m, r.home, r.port)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	if r.process, err = launch(ctx, func(context.Context) error { return r.right(s.bodies[0]) }, env, args[0], args[1:]...); err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	for _, body := range s.bodies {
		if err := r.right(body); err != nil {
			return nil, errors.Join(fmt.Errorf("%s, %s: %w", s.name, body, err), r.end())
		}
	}
	return r, nil
}

// right asks once and holds the answer against the right one.
func (r *running) right(body string) error {
	resp, answer, err := exchange(local(r.port[0]), r.question(body))
	if err != nil {
		return err
	}
	return r.model.check(resp.Header, answer)
}

// question is the request as it goes over the wire.
func (r *running) question(body string) []byte {
	path, raw, header := r.body(r.model, body)
	return postTo(path, raw, header)
}

func (r *running) end() error { return errors.Join(r.stop(), os.RemoveAll(r.home)) }

// clientCounts are how many ask at once; the last is where joining is measured.
var clientCounts = []int{1, 16, 64}

// report is the tables of the topic serving.
type report struct {
	start, goals, wrk, analyzer *table
	load                        map[string]*table // by model and body
	order                       []string
	cells                       map[cell]point // of the round
	missing                     []error        // what a peer, or a driver of others, failed at
}

// note keeps an error that does not end the run, to be printed with the tables.
func (r *report) note(err error) {
	if err != nil {
		r.missing = append(r.missing, err)
		fmt.Fprintln(os.Stderr, "bench: not measured:", err)
	}
}

type cell struct {
	server, model, body string
	clients             int
}

// serving measures the product beside its peers: each answers the same question of the same model file.
func (b *bench) serving(ctx context.Context) (err error) {
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(b.dir, "floor"), "./packaging/bench/floor").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	tree, rawTree := treeModel("trees", 7)
	cnn, rawCNN := cnnModel()
	if err := errors.Join(tree.write(b.dir, rawTree), cnn.write(b.dir, rawCNN)); err != nil {
		return err
	}
	for _, m := range []*model{tree, cnn} {
		for _, kind := range []string{"joined", "alone", "unasked"} {
			if err := b.prepare(ctx, kind, m); err != nil {
				return err
			}
		}
	}
	forest := make([]*model, manyModels)
	for i := range forest {
		m, raw := treeModel(fmt.Sprintf("trees-%02d", i), uint64(100+i))
		if err := m.write(b.dir, raw); err != nil {
			return err
		}
		forest[i] = m
	}
	if err := b.prepare(ctx, "many", forest...); err != nil {
		return err
	}
	others, err := b.available(ctx)
	if err != nil {
		return err
	}
	wrk, analyzer, err := b.drivers(ctx)
	if err != nil {
		return err
	}
	r := &report{start: newTable(untilRight, "÷ edgeward", idlePSS, "processes"), goals: newTable("measured"),
		wrk: newTable("requests/s", "p50 us", "p99 us", "edgeward's requests/s ÷ its"), analyzer: newTable("inferences/s", "p50 us", "p99 us"), load: map[string]*table{}}
	defer r.print() // what there is, also where the run ends early
	for round := range b.rounds {
		r.cells = map[cell]point{}
		for _, m := range []*model{tree, cnn} {
			if err := b.round(ctx, r, m, others, wrk, analyzer); err != nil {
				return err
			}
		}
		if err := b.many(ctx, r, forest); err != nil {
			return err
		}
		r.close([]*model{tree, cnn})
		fmt.Fprintf(os.Stderr, "bench: round %d of %d is over; load average %s", round+1, b.rounds, load())
	}
	return nil
}

// available sets the peers up. One that cannot be is left out aloud, or fails the run where EDGEWARD_REQUIRE_ALL is 1.
func (b *bench) available(ctx context.Context) (out []*server, err error) {
	failed := map[string]bool{}
	fmt.Printf("\n- edgeward: %s\n", firstLine(exec.CommandContext(ctx, b.program, "version")))
	for _, s := range peers {
		if b.only != "" && !slices.Contains(strings.Split(b.only, ","), s.packages) || failed[s.packages] {
			continue
		}
		if err := b.setUp(ctx, s.packages); err != nil {
			failed[s.packages] = true
			if err := leftOut(s.name, err); err != nil {
				return nil, err
			}
			continue
		}
		if len(out) == 0 || out[len(out)-1].packages != s.packages {
			fmt.Printf("- %s\n", b.component(s.packages))
		}
		out = append(out, s)
	}
	return out, nil
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

// round measures one model once: the start and memory of each of ours alone, because processes of one program share
// memory; then ours side by side and by turns; then each peer alone.
func (b *bench) round(ctx context.Context, r *report, m *model, others []*server, wrk, analyzer string) error {
	for _, s := range ours {
		x, err := b.begin(ctx, s, m)
		if err != nil {
			return err
		}
		if err := errors.Join(r.began(ctx, x), x.end()); err != nil {
			return err
		}
	}
	groups := [][]*server{ours}
	for _, s := range others {
		if !s.joined || m.name == "trees" {
			groups = append(groups, []*server{s})
		}
	}
	for i, g := range groups {
		began := time.Now()
		var left *running
		if i == 0 && m.name == "trees" {
			var err error
			if left, err = b.begin(ctx, unasked, m); err != nil {
				return err
			}
		}
		err := b.group(ctx, r, m, g, wrk, analyzer)
		if left != nil {
			err = errors.Join(err, pause(ctx, longQuiet-time.Since(began)))
			r.memory(m.title+", "+left.name+unaskedWords, left.process)
			err = errors.Join(err, left.end())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// began adds how a server started, and what it takes when it has been left alone for a moment.
func (r *report) began(ctx context.Context, x *running) error {
	row := x.model.title + ", " + x.name
	r.start.add(row, untilRight, x.ready.Seconds())
	r.start.add(row, "÷ edgeward", x.ready.Seconds()/r.start.last(x.model.title+", "+edgewardName, untilRight))
	if err := pause(ctx, quiet); err != nil {
		return err
	}
	r.memory(row, x.process)
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

// memory adds what all processes of an idle server take.
func (r *report) memory(row string, p *process) {
	all, sum := p.tree(), 0.0
	for _, pid := range all {
		_, pss := memory(pid)
		sum += pss
	}
	r.start.add(row, idlePSS, sum)
	r.start.add(row, "processes", float64(len(all)))
}

func (b *bench) group(ctx context.Context, r *report, m *model, group []*server, wrk, analyzer string) (err error) {
	var up []*running
	for _, s := range group {
		x, berr := b.begin(ctx, s, m)
		if berr != nil {
			return berr
		}
		up = append(up, x)
		defer func() { err = errors.Join(err, x.end()) }()
		if s.packages == "" {
			continue
		}
		if err := r.began(ctx, x); err != nil {
			return err
		}
	}
	for _, body := range []string{asJSON, asBinary} {
		for _, n := range clientCounts {
			for _, x := range up {
				if !slices.Contains(x.bodies, body) || x.joined && n == 1 {
					continue
				}
				p, err := drive(x.process, local(x.port[0]), x.question(body), n, b.pointLength)
				if err == nil {
					err = x.right(body)
				}
				if err != nil {
					err = fmt.Errorf("%s, %s, %s, %d clients: %w", x.name, m.name, body, n, err)
					if x.packages == "" || ctx.Err() != nil {
						return err
					}
					r.note(err) // that of a peer is a finding
					continue
				}
				r.cells[cell{x.name, m.name, body, n}] = p
				r.point(m, body, n, x.name, p)
			}
		}
	}
	for _, x := range up {
		if x.name == aloneName || x.joined {
			continue
		}
		if wrk != "" {
			r.note(x.wrk(ctx, b, r, wrk))
		}
		if analyzer != "" && (x.name == edgewardName || x.packages == "triton") {
			r.note(x.analyze(ctx, b, r, analyzer))
		}
	}
	return ctx.Err()
}

// point adds a measurement to the table of its model and body.
func (r *report) point(m *model, body string, clients int, name string, p point) {
	key := m.title + ", " + body
	t, ok := r.load[key]
	if !ok {
		t = newTable("p50 us", "p99 us", "requests/s", "edgeward's requests/s ÷ its", "CPU us/request", "CPU ÷ floor")
		r.load[key], r.order = t, append(r.order, key)
	}
	row := fmt.Sprintf("%d, %s", clients, name)
	t.add(row, "p50 us", micros(p.p50))
	t.add(row, "p99 us", micros(p.p99))
	t.add(row, "requests/s", p.perSecond)
	t.add(row, "CPU us/request", micros(p.cpu))
}

// many is the start with many models: until the first asked has answered, and until all have.
func (b *bench) many(ctx context.Context, r *report, forest []*model) (err error) {
	port := freePorts()
	env, args, err := edgeward("many")(b, forest[0], "", port)
	if err != nil {
		return err
	}
	began := time.Now()
	p, err := launch(ctx, func(context.Context) error { return eachAnswers(local(port[0]), forest[:1], 0) }, env, args[0], args[1:]...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	first := p.ready.Seconds()
	if err := eachAnswers(local(port[0]), forest, time.Minute); err != nil {
		return err
	}
	row := manyName
	r.start.add(row, untilRight, first)
	r.start.add(row+eachWords, untilRight, time.Since(began).Seconds())
	if err := pause(ctx, quiet); err != nil {
		return err
	}
	r.memory(row, p)
	return nil
}

// close reckons the ratios of the round, and what the goals speak of.
func (r *report) close(all []*model) {
	of := func(server string, m *model, body string, n int) point { return r.cells[cell{server, m.name, body, n}] }
	for _, m := range all {
		for at, p := range r.cells {
			if at.model != m.name {
				continue
			}
			t, row := r.load[m.title+", "+at.body], fmt.Sprintf("%d, %s", at.clients, at.server)
			t.add(row, "edgeward's requests/s ÷ its", of(edgewardName, m, at.body, at.clients).perSecond/p.perSecond)
			t.add(row, "CPU ÷ floor", float64(p.cpu)/float64(of(floorName, m, at.body, at.clients).cpu))
		}
	}
	add := func(goal string, v float64) { r.goals.add(goal, "measured", v) }
	one := all[0].title + ", " + edgewardName
	add("start to the first right answer, one model, s (goal: at most 0.3)", r.start.last(one, untilRight))
	add("start until each of 50 models has answered, s (goal: at most 1)", r.start.last(manyName+eachWords, untilRight))
	add("idle, one model, PSS of all processes, MiB (goal: at most 80)", r.start.last(one+unaskedWords, idlePSS))
	for _, m := range all {
		us, floor := of(edgewardName, m, asBinary, 1), of(floorName, m, asBinary, 1)
		add(m.title+": p50 added to the floor, binary, 1 client, µs (goal: at most 50)", micros(us.p50-floor.p50))
		for _, body := range []string{asJSON, asBinary} {
			add(fmt.Sprintf("%s: CPU per request ÷ floor, %s, 16 clients (goal: at most 1.2)", m.title, body), float64(of(edgewardName, m, body, 16).cpu)/float64(of(floorName, m, body, 16).cpu))
		}
		for _, n := range clientCounts {
			words := ""
			switch n {
			case 1:
				words = " (goal: never below 1)"
			case 64:
				words = " (goal: at least 3)"
			}
			add(fmt.Sprintf("%s: requests/s ÷ those with --max-batch 1, binary, %d clients%s", m.title, n, words), of(edgewardName, m, asBinary, n).perSecond/of(aloneName, m, asBinary, n).perSecond)
		}
		for _, s := range peers {
			goal := map[string]string{"triton": " (goal: at least 2)", "mlserver": " (goal: at least 5)", "litserve": " (goal: at least 10)", "bentoml": " (goal: at least 10)"}[s.packages]
			for _, body := range s.bodies {
				if p := of(s.name, m, body, 16); p.perSecond > 0 {
					add(fmt.Sprintf("%s: requests/s ÷ %s, %s, 16 clients%s", m.title, s.name, body, goal), of(edgewardName, m, body, 16).perSecond/p.perSecond)
				}
			}
		}
	}
	if m := all[len(all)-1]; m.name == "cnn" {
		add("CNN: CPU per request, JSON ÷ binary, 16 clients (goal: at most 1.3)", float64(of(edgewardName, m, asJSON, 16).cpu)/float64(of(edgewardName, m, asBinary, 16).cpu))
	}
}

func (r *report) print() {
	for _, err := range r.missing {
		line, _, _ := strings.Cut(err.Error(), "\n")
		fmt.Printf("\n- **not measured**: %s\n", line)
	}
	fmt.Printf("\n### Goals\n")
	r.goals.print()
	fmt.Printf("\n### Start and idle memory\n")
	r.start.print()
	for _, key := range r.order {
		fmt.Printf("\n### %s\n\nThe number is that of the clients.\n", key)
		r.load[key].print()
	}
	if len(r.wrk.rows) > 0 {
		fmt.Printf("\n### By wrk, JSON, 16 clients\n")
		r.wrk.print()
	}
	if len(r.analyzer.rows) > 0 {
		fmt.Printf("\n### By perf_analyzer\n")
		r.analyzer.print()
	}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
