package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"edgeward/node/client"
)

// swap changes the version behind an endpoint again and again while clients ask at a fixed rate, and looks at every answer:
// it must come, and be right for the version that it names. Three versions take turns, so that each change loads one that
// is not in memory and takes another away.
func (b *bench) swap(ctx context.Context) (err error) {
	versions := make([]*model, 3)
	for i := range versions {
		m, raw := treeModel(fmt.Sprintf("trees-v%d", i+1), uint64(i+1))
		if err := m.write(b.dir, raw); err != nil {
			return err
		}
		versions[i] = m
	}
	p, c, address, err := b.asked(ctx, filepath.Join(b.dir, "swap"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	const name = "trees"
	for _, m := range versions {
		if err := deploy(ctx, c, m.file, name); err != nil {
			return err
		}
	}
	still := &paced{address: address, model: name, versions: versions}
	if err := still.during(ctx, b.rate, func(ctx context.Context) error { return pause(ctx, 5*time.Second) }); err != nil {
		return err
	}
	rss := func() (sum float64) {
		for _, pid := range p.tree() {
			r, _ := memory(pid)
			sum += r
		}
		return sum
	}
	before, began := rss(), time.Now()
	moving := &paced{address: address, model: name, versions: versions}
	if err := moving.during(ctx, b.rate, func(ctx context.Context) error {
		for i := range b.swaps {
			v := i%len(versions) + 1
			if _, err := c.ChangeSpec(ctx, name, client.Promote, client.ChangeRequest{Version: v, Reason: "swap " + strconv.Itoa(i)}); err != nil {
				return err
			}
			if _, err := c.AwaitLive(ctx, name, v); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	t := newTable("requests", "failed", "wrong for their version", "p50 ms", "p99 ms", "longest ms", "seconds", "RSS MiB")
	for _, row := range []struct {
		name    string
		paced   *paced
		seconds float64
		rss     float64
	}{{fmt.Sprintf("%d/s, no swap", b.rate), still, 5, before}, {fmt.Sprintf("%d/s, %d swaps", b.rate, b.swaps), moving, time.Since(began).Seconds(), rss()}} {
		slices.Sort(row.paced.took)
		n := len(row.paced.took)
		t.add(row.name, "requests", float64(n)+float64(row.paced.failed.Load()))
		t.add(row.name, "failed", float64(row.paced.failed.Load()))
		t.add(row.name, "wrong for their version", float64(row.paced.wrong.Load()))
		t.add(row.name, "p50 ms", micros(row.paced.took[n/2])/1000)
		t.add(row.name, "p99 ms", micros(row.paced.took[n*99/100])/1000)
		t.add(row.name, "longest ms", micros(row.paced.took[n-1])/1000)
		t.add(row.name, "seconds", row.seconds)
		t.add(row.name, "RSS MiB", row.rss)
	}
	t.print()
	if n := moving.failed.Load() + moving.wrong.Load() + still.failed.Load() + still.wrong.Load(); n > 0 {
		return fmt.Errorf("%d requests failed or had a wrong answer; the first: %v", n, errors.Join(still.first, moving.first))
	}
	return nil
}

// paced asks an endpoint at a fixed rate, whether the answers before have come or not, and counts from when a question
// was due.
type paced struct {
	address, model string
	versions       []*model
	failed, wrong  atomic.Int64

	mu    sync.Mutex
	took  []time.Duration
	first error
}

// connections is how many share the rate.
const connections = 32

// during asks as long as work lasts.
func (p *paced) during(ctx context.Context, rate int, work func(context.Context) error) error {
	ctx, stop := context.WithTimeout(ctx, 30*time.Minute)
	defer stop()
	asking, enough := context.WithCancel(ctx)
	var clients sync.WaitGroup
	every := time.Second * connections / time.Duration(rate)
	for i := range connections {
		clients.Go(func() { p.ask(asking, time.Now().Add(every*time.Duration(i)/connections), every) })
	}
	err := work(ctx)
	enough()
	clients.Wait()
	return err
}

func (p *paced) ask(ctx context.Context, due time.Time, every time.Duration) {
	one := *p.versions[0]
	one.name = p.model
	path, raw, _ := inference(&one, asJSON)
	question := postTo(path, raw, 0)
	var took []time.Duration
	var c net.Conn
	var r *bufio.Reader
	for ; ctx.Err() == nil; due = due.Add(every) {
		if pause(ctx, time.Until(due)) != nil {
			break
		}
		err := func() (err error) {
			if c == nil {
				if c, err = net.Dial("tcp", p.address); err != nil {
					c = nil
					return err
				}
				r = bufio.NewReader(c)
			}
			resp, body, err := exchangeOn(c, r, question)
			if err != nil {
				return err
			}
			var said struct {
				Version string `json:"model_version"`
			}
			if err := json.Unmarshal(body, &said); err != nil {
				return err
			}
			v, _ := strconv.Atoi(said.Version)
			if v < 1 || v > len(p.versions) {
				return fmt.Errorf("an answer by version %q", said.Version)
			}
			if err := p.versions[v-1].check(resp.Header, body); err != nil {
				p.wrong.Add(1)
				p.note(err)
			}
			return nil
		}()
		if err != nil {
			p.failed.Add(1)
			p.note(err)
			if c != nil {
				c.Close()
				c = nil
			}
			continue
		}
		took = append(took, time.Since(due))
	}
	if c != nil {
		c.Close()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.took = append(p.took, took...)
}

func (p *paced) note(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.first == nil {
		p.first = err
	}
}
