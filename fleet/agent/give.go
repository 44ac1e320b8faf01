package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/pull"
)

// giver brings parts of this node's own versions to a hub that asks for them.
type giver interface {
	Give(ctx context.Context, d edgeward.Digest, size int64, r io.Reader) (spec.Brought, error)
}

// giveEvery is how often what the hub asks for is tried again.
const giveEvery = 30 * time.Second

// give brings the versions of this node's own that the hub's document asks for, because a person there wants to adopt them.
func (a *Agent) give(ctx context.Context) {
	g, ok := a.o.Hub.(giver)
	if !ok {
		return
	}
	done := map[edgeward.Digest]bool{}
	for ctx.Err() == nil {
		a.mu.Lock()
		bring, promotions := a.kept.Bring, a.kept.Promotions
		a.mu.Unlock()
		for _, d := range bring {
			i := slices.IndexFunc(promotions, func(p Promoted) bool { return p.Promotion.Digest() == d })
			if i < 0 || done[d] {
				continue
			}
			if err := a.giveOne(ctx, g, promotions[i]); err != nil {
				if ctx.Err() == nil {
					a.o.Log.Warn("a version of this server was not brought to the hub", "target", promotions[i].Promotion.Target, "err", err)
				}
				continue
			}
			done[d] = true
		}
		t := time.NewTimer(giveEvery) // room:clock how often is tried again
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-a.gives: // a document asks for others
		}
		t.Stop()
	}
}

// giveOne brings the manifest, what the hub lacks of it, and the manifest again.
func (a *Agent) giveOne(ctx context.Context, g giver, p Promoted) error {
	m, ok := a.o.Local.Known(ctx, p.want(), p.Promotion.Digest())
	if !ok {
		return edgeward.E("agent.give", edgeward.NotFound, "fleet.local_gone", "version %d is not in this server's registry any more", p.Promotion.Version)
	}
	raw, d, err := m.Canonical()
	if err != nil {
		return err
	}
	for again := false; ; again = true {
		out, err := g.Give(ctx, d, int64(len(raw)), bytes.NewReader(raw))
		if err != nil || len(out.Missing) == 0 {
			return err
		}
		if again { // not at once once more: a hub that takes all and keeps nothing would have it sent without end
			return edgeward.E("agent.give", edgeward.Unavailable, "fleet.hub_answer", "the hub still lacks %d parts that it was given", len(out.Missing))
		}
		for _, b := range out.Missing {
			if !slices.Contains(m.Blobs(), b) {
				return edgeward.E("agent.give", edgeward.Forbidden, "fleet.hub_answer", "the hub asks for %s, which is no part of the version", b.Short())
			}
			if err := a.giveBlob(ctx, g, b); err != nil {
				return err
			}
		}
	}
}

func (a *Agent) giveBlob(ctx context.Context, g giver, d edgeward.Digest) error {
	info, err := a.o.Puller.Blobs.Stat(d)
	if err != nil {
		return err
	}
	f, err := os.Open(a.o.Puller.Blobs.Path(d))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = g.Give(ctx, d, info.Size, pull.Limited(ctx, f, a.o.Puller.Limit))
	return err
}

// Give implements giver.
func (w *Wire) Give(ctx context.Context, d edgeward.Digest, size int64, r io.Reader) (out spec.Brought, err error) {
	res, err := w.stream(ctx, http.MethodPut, "own/"+string(d), size, r)
	if err != nil {
		return out, err
	}
	b, err := w.answer(res, 1<<20)
	if err != nil {
		return out, err
	}
	if len(b) > 0 && json.Unmarshal(b, &out) != nil {
		err = edgeward.E("agent.Give", edgeward.Unavailable, "fleet.hub_answer", "the hub's answer cannot be read")
	}
	return out, err
}

// stream is call with a body that is read once, so only the address that answered last is asked.
func (w *Wire) stream(ctx context.Context, method, path string, size int64, body io.Reader) (*http.Response, error) {
	hubs, first := w.turn()
	r, err := request(ctx, method, hubs[first], path, io.NopCloser(body))
	if err != nil {
		return nil, err
	}
	r.ContentLength = size
	res, err := w.client.Do(r)
	if err != nil {
		return nil, unreachable(err)
	}
	return res, nil
}
