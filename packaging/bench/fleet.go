package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"edgeward/node/client"
)

// fleet is a hub with a node that runs a signed version, and a counter on the way to the hub.
type fleet struct {
	b     *bench
	dir   string
	model *model
	hub   *process
	at    string // address of the hub's page
	line  *line
	first *process // node
	nodes int
}

// join measures how long a server takes from nothing to the first right answer of a model of its fleet: an empty data directory and one
// command with an answers file.
func (b *bench) join(ctx context.Context) (err error) {
	f, err := b.found(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.stop()) }()
	t := newTable("health answers, s", "first right answer, s", "load")
	for range b.rounds {
		p, _, took, err := f.enter(ctx)
		if err != nil {
			return err
		}
		t.add("a second node", "health answers, s", p.ready.Seconds())
		t.add("a second node", "first right answer, s", took.Seconds())
		t.add("a second node", "load", loadNow())
		if err := p.stop(); err != nil {
			return err
		}
	}
	t.print()
	return nil
}

// left is a node that nobody asks anything.
type left struct {
	words string
	dir   string
	*process
	spent time.Duration
}

// idle measures what a node costs that nobody asks anything: memory and processor beside a server with the same model that has left its
// fleet, and bytes to and from the hub.
func (b *bench) idle(ctx context.Context) (err error) {
	f, err := b.found(ctx)
	if err != nil {
		return err
	}
	both := []*left{{words: "a node of a fleet"}, {words: "the same after it left"}}
	defer func() {
		for _, l := range both {
			if l.process != nil {
				err = errors.Join(err, l.stop())
			}
		}
		err = errors.Join(err, f.stop())
	}()
	for i, l := range both {
		p, dir, _, err := f.enter(ctx)
		if err == nil && i == 1 {
			_, err = f.command(ctx, nil, "fleet", "leave", "--yes", "--data-dir", dir)
		}
		if p != nil {
			err = errors.Join(err, p.stop())
		}
		if err != nil {
			return err
		}
		l.dir = dir
	}
	if err := f.first.stop(); err != nil { // one node alone is on the line
		return err
	}
	f.first = nil
	for _, l := range both {
		address := freeAddress()
		if l.process, err = start(ctx, "http://"+address+"/api/v1/health", nil, b.program, "serve", "--data-dir", l.dir, "--http-address", address); err != nil {
			return err
		}
		if err := eachAnswers(address, []*model{f.model}, time.Minute); err != nil {
			return fmt.Errorf("%s: %w", l.words, err)
		}
	}
	if err := pause(ctx, time.Minute); err != nil { // until a proving worker has ended, and first reports are through
		return err
	}
	t := newTable("RSS of the server, MiB", "PSS of all processes, MiB", "processor, ms a minute")
	f.line.reset()
	began := time.Now()
	for _, l := range both {
		l.spent = l.cpu()
	}
	const every = 20 * time.Second
	for time.Since(began) < b.idleFor {
		if err := pause(ctx, every); err != nil {
			return err
		}
		for _, l := range both {
			rss, _ := memory(l.cmd.Process.Pid)
			sum := 0.0
			for _, pid := range l.tree() {
				_, pss := memory(pid)
				sum += pss
			}
			t.add(l.words, "RSS of the server, MiB", rss)
			t.add(l.words, "PSS of all processes, MiB", sum)
			now := l.cpu()
			t.add(l.words, "processor, ms a minute", float64((now-l.spent).Milliseconds())*float64(time.Minute/every))
			l.spent = now
		}
	}
	t.print()
	f.line.print(time.Since(began))
	return nil
}

// found starts a hub, signs a model for its fleet, and has a first node run it.
func (b *bench) found(ctx context.Context) (f *fleet, err error) {
	dir, err := os.MkdirTemp(b.dir, "fleet")
	if err != nil {
		return nil, err
	}
	f = &fleet{b: b, dir: dir, at: freeAddress()}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.stop())
		}
	}()
	listens := freeAddress()
	if f.line, err = count(listens); err != nil {
		return f, err
	}
	f.hub, err = start(ctx, "http://"+f.at+"/api/v1/health", []string{"EDGEWARD_BOOTSTRAP_TOKEN=" + token}, b.program, "serve", "--data-dir", filepath.Join(dir, "hub"),
		"--http-address", f.at, "--mqtt-address", "127.0.0.1:0", "--grpc-address", "off", "--set", "fleet.address="+listens, "--set", "node.name=hub")
	if err != nil {
		return f, err
	}
	m, raw := treeModel("beds", 0)
	if err := m.write(dir, raw); err != nil {
		return f, err
	}
	f.model = m
	api, err := client.New(client.Options{URL: "http://" + f.at, Token: token})
	if err != nil {
		return f, err
	}
	file, err := os.Open(m.file)
	if err != nil {
		return f, err
	}
	defer file.Close()
	if _, err := api.ImportModel(ctx, m.name, file, client.ModelUpload{Filename: filepath.Base(m.file), Task: "raw", IntendedUse: "a benchmark"}); err != nil {
		return f, err
	}
	keys := filepath.Join(dir, "keys")
	for _, args := range [][]string{
		{"fleet", "init", "bench", "--keys", keys, "--hub-url", "https://" + f.line.address()},
		{"fleet", "sign", m.name + "/1", "--key", filepath.Join(keys, "author.key"), "--key", filepath.Join(keys, "approver.key"), "--yes"},
	} {
		if _, err := f.atHub(ctx, args...); err != nil {
			return f, err
		}
	}
	if f.first, _, err = f.begin(ctx, "first"); err != nil {
		return f, err
	}
	for view := (client.Fleet{}); view.Nodes["online"] == 0; { // it joins while it runs
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return f, err
		}
		if view, err = api.Fleet(ctx); err != nil {
			return f, err
		}
	}
	_, err = f.atHub(ctx, "fleet", "rollout", "start", m.name+"/1", "--endpoint", m.name, "--soak", "1s", "--probation", "1s", "--reason", "a benchmark", "--wait")
	return f, err
}

// begin starts a server that joins by an answers file: nothing else is done to it. It returns the address of its page as well.
func (f *fleet) begin(ctx context.Context, name string) (*process, string, error) {
	code, err := f.atHub(ctx, "fleet", "code", "create", "--site", "bench", "--auto")
	if err != nil {
		return nil, "", err
	}
	stick := filepath.Join(f.dir, name+"-stick")
	if err := os.MkdirAll(stick, 0o700); err != nil {
		return nil, "", err
	}
	answers := "name: " + name + "\nsettings: {fleet.address: off, mqtt.address: \"127.0.0.1:0\", grpc.address: off}\nadmin: {token_env: EDGEWARD_BENCH_TOKEN}\nfleet: {code_file: join-code}\n"
	if err := errors.Join(os.WriteFile(filepath.Join(stick, "join-code"), code, 0o600), os.WriteFile(filepath.Join(stick, "answers.yaml"), []byte(answers), 0o600)); err != nil {
		return nil, "", err
	}
	address := freeAddress()
	p, err := start(ctx, "http://"+address+"/api/v1/health", []string{"EDGEWARD_BENCH_TOKEN=" + token}, f.b.program, "serve", "--data-dir", filepath.Join(f.dir, name),
		"--answers", filepath.Join(stick, "answers.yaml"), "--http-address", address)
	return p, address, err
}

// enter lets one more server in, and returns when it answers rightly, how long that took from its start on.
func (f *fleet) enter(ctx context.Context) (*process, string, time.Duration, error) {
	f.nodes++
	name := fmt.Sprint("node-", f.nodes)
	p, address, err := f.begin(ctx, name)
	if err != nil {
		return nil, "", 0, err
	}
	began := time.Now().Add(-p.ready)
	if err := eachAnswers(address, []*model{f.model}, 2*time.Minute); err != nil {
		return nil, "", 0, errors.Join(err, p.stop())
	}
	return p, filepath.Join(f.dir, name), time.Since(began), nil
}

// atHub runs a command of the program against the hub.
func (f *fleet) atHub(ctx context.Context, args ...string) ([]byte, error) {
	return f.command(ctx, []string{"EDGEWARD_URL=http://" + f.at, "EDGEWARD_TOKEN=" + token}, args...)
}

func (f *fleet) command(ctx context.Context, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, f.b.program, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		err = fmt.Errorf("edgeward %v: %w\n%.500s", args, err, e.Stderr)
	}
	return out, err
}

func (f *fleet) stop() (err error) {
	if f.line != nil {
		f.line.close()
	}
	for _, p := range []*process{f.first, f.hub} {
		if p != nil {
			err = errors.Join(err, p.stop())
		}
	}
	return err
}
