package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// report is the samples of the topic serving.
type report struct {
	Start, Goals, WRK, Analyzer, Bare, Loads *table
	Load                                     map[string]*table // by model and body
	Order                                    []string          // of Load
	Said                                     []string          // what was measured, and what failed

	cells map[cell]point // of the window
}

type cell struct {
	server, model, body string
	clients             int
}

const samplesFile = "samples.json"

// openReport reads the samples kept in a folder; without any it is empty.
func openReport(dir string) (*report, error) {
	r := &report{Start: newTable(untilRight, "÷ edgeward", idlePSS, "processes"), Goals: newTable("measured"),
		WRK: newTable("requests/s", "p50 us", "p99 us", "edgeward's requests/s ÷ its"), Analyzer: newTable("inferences/s", "p50 us", "p99 us"),
		Bare: newTable("1", "2", "4", "8", "16", "32", "64"), Loads: newTable("before", "after", "seconds"), Load: map[string]*table{}}
	b, err := os.ReadFile(filepath.Join(dir, samplesFile))
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	return r, errors.Join(err, json.Unmarshal(b, r))
}

// keep writes the samples where openReport finds them.
func (r *report) keep(dir string) error {
	b, err := json.Marshal(r)
	at := filepath.Join(dir, samplesFile)
	return errors.Join(err, os.WriteFile(at+".new", b, 0o600), os.Rename(at+".new", at))
}

// say keeps a line to be printed above the tables, once.
func (r *report) say(line string) {
	if !slices.Contains(r.Said, line) {
		r.Said = append(r.Said, line)
	}
}

// note keeps an error that does not end the run.
func (r *report) note(err error) {
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		r.say("- **not measured**: " + line)
		fmt.Fprintln(os.Stderr, "bench: not measured:", err)
	}
}

// began adds how a server started, and what it takes when it has been left alone for a moment.
func (r *report) began(ctx context.Context, x *running) error {
	row := x.model.title + ", " + x.name
	r.Start.add(row, untilRight, x.ready.Seconds())
	r.Start.add(row, "÷ edgeward", x.ready.Seconds()/r.Start.last(x.model.title+", "+edgewardName, untilRight))
	if err := pause(ctx, quiet); err != nil {
		return err
	}
	r.memory(row, x.process)
	return nil
}

// memory adds what all processes of an idle server take.
func (r *report) memory(row string, p *process) {
	all, sum := p.tree(), 0.0
	for _, pid := range all {
		_, pss := memory(pid)
		sum += pss
	}
	r.Start.add(row, idlePSS, sum)
	r.Start.add(row, "processes", float64(len(all)))
}

// point adds a measurement to the table of its model and body.
func (r *report) point(m *model, body string, clients int, name string, p point) {
	key := m.title + ", " + body
	t, ok := r.Load[key]
	if !ok {
		t = newTable("p50 us", "p99 us", "requests/s", "edgeward's requests/s ÷ its", "CPU us/request", "CPU ÷ floor")
		r.Load[key], r.Order = t, append(r.Order, key)
	}
	row := fmt.Sprintf("%d, %s", clients, name)
	t.add(row, "p50 us", micros(p.p50))
	t.add(row, "p99 us", micros(p.p99))
	t.add(row, "requests/s", p.perSecond)
	t.add(row, "CPU us/request", micros(p.cpu))
}

// close reckons the ratios of a window, and what the goals speak of.
func (r *report) close(window string, all []*model) {
	of := func(server string, m *model, body string, n int) point { return r.cells[cell{server, m.name, body, n}] }
	add := func(goal string, v float64) { r.Goals.add(goal, "measured", v) }
	for _, m := range all {
		for at, p := range r.cells {
			if at.model != m.name {
				continue
			}
			t, row := r.Load[m.title+", "+at.body], fmt.Sprintf("%d, %s", at.clients, at.server)
			t.add(row, "edgeward's requests/s ÷ its", of(edgewardName, m, at.body, at.clients).perSecond/p.perSecond)
			t.add(row, "CPU ÷ floor", float64(p.cpu)/float64(of(floorName, m, at.body, at.clients).cpu))
		}
		if us, floor := of(edgewardName, m, asBinary, 1), of(floorName, m, asBinary, 1); us.perSecond > 0 {
			add(m.title+": p50 added to the floor, binary, 1 client, µs (goal: at most 50)", micros(us.p50-floor.p50))
		}
		for _, body := range []string{asJSON, asBinary} {
			if us, floor := of(edgewardName, m, body, 16), of(floorName, m, body, 16); us.perSecond > 0 {
				add(fmt.Sprintf("%s: CPU per request ÷ floor, %s, 16 clients (goal: at most 1.2)", m.title, body), float64(us.cpu)/float64(floor.cpu))
			}
		}
		if us, plain := of(edgewardName, m, asBinary, 16), of(edgewardName, m, asJSON, 16); m.name == "cnn" && us.perSecond > 0 && plain.perSecond > 0 {
			add(m.title+": CPU per request, JSON ÷ binary, 16 clients (goal: at most 1.3)", float64(plain.cpu)/float64(us.cpu))
		}
		if window == oursWindow {
			r.closeOurs(m, of)
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
	if one := all[0].title + ", " + edgewardName; window == oursWindow {
		add("start to the first right answer, one model, s (goal: at most 0.3)", r.Start.last(one, untilRight))
		add("start until each of 50 models has answered, s (goal: at most 1)", r.Start.last(manyName+eachWords, untilRight))
		add("idle, one model, PSS of all processes, MiB (goal: at most 80)", r.Start.last(one+unaskedWords, idlePSS))
	}
}

// closeOurs reckons what joining gains, and the most that it could.
func (r *report) closeOurs(m *model, of func(string, *model, string, int) point) {
	for _, n := range clientCounts {
		words := map[int]string{1: " (goal: never below 1)", 64: " (goal: at least 3)"}[n]
		us, alone := of(edgewardName, m, asBinary, n), of(aloneName, m, asBinary, n)
		r.Goals.add(fmt.Sprintf("%s: requests/s ÷ those with --max-batch 1, binary, %d clients%s", m.title, n, words), "measured", us.perSecond/alone.perSecond)
		if n == 64 {
			r.Goals.add(m.title+": the same, were a joined request no dearer than the floor's and the engine's best batch", "measured", r.ceiling(m, of(floorName, m, asBinary, n), us.asking)/alone.perSecond)
		}
	}
}

func (r *report) print() {
	fmt.Println()
	for _, line := range r.Said {
		fmt.Println(line)
	}
	fmt.Printf("\n### Windows\n\nThe number of samples of a ratio is that of its windows; seconds and load average:\n")
	r.Loads.print()
	fmt.Printf("\n### Goals\n")
	r.Goals.print()
	fmt.Printf("\n### Start and idle memory\n")
	r.Start.print()
	if len(r.Bare.rows) > 0 {
		fmt.Printf("\n### The engine by itself\n\nRows a second, by how many rows a run has.\n")
		r.Bare.print()
	}
	for _, key := range r.Order {
		fmt.Printf("\n### %s\n\nThe number is that of the clients.\n", key)
		r.Load[key].print()
	}
	if len(r.WRK.rows) > 0 {
		fmt.Printf("\n### By wrk, JSON, 16 clients\n")
		r.WRK.print()
	}
	if len(r.Analyzer.rows) > 0 {
		fmt.Printf("\n### By perf_analyzer\n")
		r.Analyzer.print()
	}
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
