package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"edgeward/node/client"
)

// resident deploys ever more models of 100 trees, each another file behind an endpoint of its own, and reads what all
// processes take when each has answered rightly; at the end it starts the server again with all of them. With a folder that is
// kept it goes on where an earlier run was stopped.
func (b *bench) resident(ctx context.Context) (err error) {
	ctx, stop := context.WithTimeout(ctx, time.Hour)
	defer stop()
	first, raw := treeModel("resident", 0)
	if err := first.write(b.dir, raw); err != nil {
		return err
	}
	dir := filepath.Join(b.kept, "resident")
	p, c, address, err := b.asked(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	t := newTable("PSS of all processes, MiB", "KiB a model", "seconds")
	there, err := deployed(ctx, c)
	if err != nil {
		return err
	}
	var all []*model
	sum := func() (total float64) {
		for _, pid := range p.tree() {
			_, pss := memory(pid)
			total += pss
		}
		return total
	}
	empty, began := sum(), time.Now()
	report := func(row string) {
		pss := sum()
		t.add(row, "PSS of all processes, MiB", pss)
		t.add(row, "KiB a model", (pss-empty)*1024/float64(len(all)))
		t.add(row, "seconds", time.Since(began).Seconds())
	}
	for i := range b.models {
		m, raw := treeModel(fmt.Sprintf("trees-%05d", i), uint64(1000+i))
		if err := m.write(b.dir, raw); err != nil {
			return err
		}
		if !there[m.name] {
			if err := deploy(ctx, c, m.file, m.name); err != nil {
				return fmt.Errorf("after %d models: %w", i, err)
			}
		}
		if all = append(all, m); len(all)%max(1, b.models/4) == 0 && len(all) >= len(there) {
			if err := eachAnswers(address, all, time.Minute); err != nil {
				return err
			}
			report(fmt.Sprintf("%d models, each of which has answered", len(all)))
		}
	}
	if err := p.stop(); err != nil {
		return err
	}
	began = time.Now()
	if p, address, err = b.node(ctx, dir); err != nil {
		return err
	}
	if err := eachAnswers(address, all, 10*time.Minute); err != nil {
		return err
	}
	report(fmt.Sprintf("started again with %d models, until each has answered", len(all)))
	if err := pause(ctx, longQuiet); err != nil {
		return err
	}
	report("40 s later")
	t.print()
	return nil
}

// deployed are the endpoints of a server by name.
func deployed(ctx context.Context, c *client.Client) (map[string]bool, error) {
	there, cursor := map[string]bool{}, ""
	for {
		l, err := c.Endpoints(ctx, cursor)
		if err != nil {
			return nil, err
		}
		for _, e := range l.Items {
			there[e.Endpoint.Name] = true
		}
		if cursor = l.Next; cursor == "" {
			return there, nil
		}
	}
}

// eachAnswers returns when every model has answered rightly at its endpoint.
func eachAnswers(address string, all []*model, within time.Duration) error {
	began := time.Now()
	for _, m := range all {
		path, raw, _ := inference(m, asJSON)
		for {
			resp, body, err := exchange(address, postTo(path, raw, 0))
			if err == nil {
				err = m.check(resp.Header, body)
			}
			if err == nil {
				break
			}
			if time.Since(began) > within {
				return fmt.Errorf("%s does not answer rightly after %v: %w", m.name, within, err)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	return nil
}
