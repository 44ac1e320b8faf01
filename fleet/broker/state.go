package broker

import (
	"context"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"edgeward"
	"edgeward/runtime/segment"
	"edgeward/runtime/vault"
)

// record is one frame of the state log: key K has value V from now on, or is gone without V.
type record struct {
	K string          `json:"k"`
	V json.RawMessage `json:"v,omitempty"`
}

// state is a durable map: the log of its changes, and in memory what they amount to. When the log has grown to a
// multiple of the map it is written anew.
type state struct {
	logger    *slog.Logger
	log       *segment.Log
	encrypted bool

	mu      sync.Mutex
	live    map[string]json.RawMessage
	size    int   // bytes of live
	written int   // bytes since the log was written anew
	failing error // why the last write failed; nil when it did not
	closed  bool
}

const rewriteAt = 16 << 20

func openState(dir string, keys *vault.Ring, now func() time.Time, logger *slog.Logger) (*state, error) {
	l, err := segment.Open(filepath.Join(dir, "state"), segment.Options{Now: now, Keys: keys, Log: logger, MaxAge: 365 * 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	s := &state{logger: logger, log: l, encrypted: keys != nil, live: map[string]json.RawMessage{}}
	for f, err := range l.Read(context.Background(), l.First()) {
		if segment.IsDamaged(err) {
			logger.Error("the MQTT broker lost a part of its state", "error", err)
			continue
		}
		if err != nil {
			l.Close()
			return nil, err
		}
		var r record
		if err := json.Unmarshal(f.Payload, &r); err != nil {
			logger.Error("the MQTT broker cannot read a part of its state", "frame", f.Seq, "error", err)
			continue
		}
		s.apply(r)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.rewrite(); err != nil && edgeward.KindOf(err) != edgeward.Exhausted { // on a full disk the old log serves
		l.Close()
		return nil, err
	}
	return s, nil
}

// run syncs what was written until ctx ends.
func (s *state) run(ctx context.Context) error { return s.log.Run(ctx) }

// close ends the state; what hooks of closing connections still want to note is dropped in silence.
func (s *state) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.log.Close()
}

func (s *state) apply(r record) {
	s.size -= len(s.live[r.K])
	if r.V == nil {
		delete(s.live, r.K)
		return
	}
	s.live[r.K] = r.V
	s.size += len(r.V)
}

// put sets key to v, or removes it when v is nil. An error is logged once and shows in healthy.
func (s *state) put(key string, v any) {
	r := record{K: key}
	if v != nil {
		b, err := json.Marshal(v)
		if err != nil {
			s.logger.Error("the MQTT broker cannot store a part of its state", "key", key, "error", err)
			return
		}
		r.V = b
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || r.V == nil && s.live[key] == nil {
		return
	}
	if err := s.write(r); err != nil {
		return
	}
	s.apply(r)
	if s.written > rewriteAt+4*s.size {
		if err := s.rewrite(); err != nil {
			s.logger.Warn("the MQTT broker could not shorten its state", "error", err)
		}
	}
}

// write appends one record and remembers whether that works.
func (s *state) write(r record) error {
	b, err := json.Marshal(r)
	if err == nil {
		_, err = s.log.Append(b)
	}
	if err != nil && s.failing == nil {
		s.logger.Error("the MQTT broker cannot store its state and takes no messages", "error", err)
	}
	s.failing = err
	s.written += len(b)
	return err
}

// rewrite appends the whole map, makes it durable and drops what came before. A crash in between leaves both, which
// amount to the same map.
func (s *state) rewrite() error {
	if err := s.log.Roll(); err != nil {
		return err
	}
	first := s.log.Next()
	for k, v := range s.live {
		if err := s.write(record{k, v}); err != nil {
			return err
		}
	}
	if err := s.log.Sync(context.Background()); err != nil {
		return err
	}
	s.written = 0
	if err := s.log.Drop(first); err != nil || !s.encrypted {
		return err
	}
	return s.log.KeepKeys()
}

// healthy reports whether the last write worked; if not, it tries again.
func (s *state) healthy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing == nil || s.write(record{K: "probe"}) == nil
}

// drop removes all keys that begin with one of the prefixes.
func (s *state) drop(prefixes ...string) {
	s.mu.Lock()
	var keys []string
	for k := range s.live {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(k, p) }) {
			keys = append(keys, k)
		}
	}
	s.mu.Unlock()
	for _, k := range keys {
		s.put(k, nil)
	}
}

// each decodes the values of all keys that begin with prefix.
func each[T any](s *state, prefix string) ([]T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []T
	for k, v := range s.live {
		if !strings.HasPrefix(k, prefix) {
			continue
		}
		var t T
		if err := json.Unmarshal(v, &t); err != nil {
			return nil, edgeward.Wrap("broker: state "+k, err)
		}
		out = append(out, t)
	}
	return out, nil
}
