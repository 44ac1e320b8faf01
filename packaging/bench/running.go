package main

import (
	"context"
	"errors"
	"fmt"
	"os"
)

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
