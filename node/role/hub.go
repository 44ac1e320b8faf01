package role

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/longpoll"
	"edgeward/fleet/pki"
	"edgeward/fleet/summary"
	"edgeward/node/config"
	"edgeward/node/store"
	"edgeward/runtime/models"
	"edgeward/sync/blobs"
	"edgeward/sync/tuf"
)

// youngest is before any time that a clock which is right can say. What a hub signs lives from its clock's time on, its authority ten years: a fleet that was founded
// by a clock of 1970 could never be used once the clock is set.
var youngest = time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)

// Found makes this server the hub of a new fleet. hubs are the addresses nodes are to call; none means the hub's own.
func (r *Role) Found(ctx context.Context, by, name string, hubs []string, p tuf.Proposal) (hub.Fleet, error) {
	if r.p.Address == config.Off {
		return hub.Fleet{}, edgeward.E("role.Found", edgeward.Conflict, "fleet.hub_off", "fleet.address is off: a hub must listen").WithHint("set fleet.address, such as 0.0.0.0:8443")
	}
	if now := r.p.Now(); now.Before(youngest) {
		return hub.Fleet{}, edgeward.E("role.Found", edgeward.Conflict, "fleet.clock", "the clock of this server says %s", now.Format(time.DateOnly)).
			WithHint("set the clock first, and see that it is kept right: what a hub signs is valid from its own time on")
	}
	if len(hubs) == 0 {
		host, port, err := net.SplitHostPort(r.p.Address)
		if ip := net.ParseIP(host); err != nil || port == "0" || host == "" || ip != nil && ip.IsUnspecified() {
			return hub.Fleet{}, edgeward.E("role.Found", edgeward.Invalid, "fleet.hub_url", "nodes cannot call %s", r.p.Address).WithHint("say how they reach this server: --hub-url https://hub.hospital.lan:8443")
		}
		hubs = []string{"https://" + r.p.Address}
	}
	f, err := r.hub.Found(ctx, by, name, hubs, p)
	if err == nil {
		poke(r.founded)
	}
	return f, err
}

// runHub waits for a fleet, then listens and brings it forward.
func (r *Role) runHub(ctx context.Context) {
	for r.hub.Fleet().ID == "" {
		select {
		case <-ctx.Done():
			return
		case <-r.founded:
		}
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.hub.Run(ctx) })
	wg.Go(func() { r.deltas.Run(ctx) })
	for ctx.Err() == nil {
		err := r.listen(ctx)
		if ctx.Err() != nil {
			break
		}
		r.p.Listens(r.p.Address, err)
		r.p.Log.Error("nodes of the fleet cannot call this hub", "address", r.p.Address, "err", err)
		pause(ctx, 10*time.Second)
	}
	wg.Wait()
}

// listen answers nodes until ctx ends.
func (r *Role) listen(ctx context.Context) error {
	ca := r.hub.CA()
	show := r.shown()
	if _, err := show(); err != nil {
		return err
	}
	ln, err := r.p.Listen(ctx, "tcp", r.p.Address)
	if err != nil {
		return edgeward.E("role.listen", edgeward.Conflict, "listen.in_use", "cannot listen on %s: %w", r.p.Address, err).WithHint("set fleet.address")
	}
	admit := func(pki.Peer) error { return nil } // whoever has a certificate of this fleet: routes tell who is shut out why, TLS could not
	conf := pki.HubTLS(ca.Authority, show, admit, r.p.Now)
	conf.NextProtos = []string{"h2", "http/1.1"}
	identify := func(q *http.Request) string { return callerOf(q).node(ca.Authority, q.TLS, r.p.Now(), r.hub.Issued) }
	s := &http.Server{Handler: r.hub.Handler(identify, r.p.Refuse), TLSConfig: conf, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 3 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(r.p.Log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return ctx }, ConnContext: withCaller, ConnState: longpoll.Turn}
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	r.mu.Lock()
	r.url = "https://" + ln.Addr().String()
	r.mu.Unlock()
	r.p.Listens(ln.Addr().String(), nil)
	if err := s.Serve(longpoll.Listen(ln, conf, r.p.Log)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// handed are the blobs as the hub hands them out. Who gets them checks them.
type handed struct{ *blobs.Store }

func (b handed) Open(_ context.Context, d edgeward.Digest) (io.ReadSeekCloser, int64, error) {
	info, err := b.Stat(d)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(b.Path(d))
	return f, info.Size, err
}

// registry is this server's own.
type registry struct{ *store.DB }

func (r registry) Signable(ctx context.Context, group, model string, number int) (models.Manifest, []byte, error) {
	g, err := r.GroupByName(ctx, group)
	if err != nil {
		return models.Manifest{}, nil, err
	}
	v, err := r.ModelVersion(ctx, g.ID, models.Ref{Model: model, Version: number})
	if err != nil {
		return models.Manifest{}, nil, err
	}
	raw, d, err := v.Manifest.Canonical()
	if err == nil && d != v.Digest {
		err = edgeward.E("role.Signable", edgeward.Internal, "store.damaged", "the manifest of %s is not the one that was registered", v.Ref())
	}
	return v.Manifest, raw, err
}

// shape implements hub.Shape.
func (p Parts) shape(ctx context.Context, group, model string, d edgeward.Digest) (summary.Shape, error) {
	g, err := p.Store.GroupByName(ctx, group)
	if err != nil {
		return summary.Shape{}, err
	}
	v, err := p.Store.ModelVersionByDigest(ctx, g.ID, model, d)
	if err != nil {
		return summary.Shape{}, err
	}
	return p.Count.Follow.Work.Shape(ctx, v)
}

func (r registry) Manifest(ctx context.Context, group, model string, d edgeward.Digest) (models.Manifest, error) {
	g, err := r.GroupByName(ctx, group)
	if err != nil {
		return models.Manifest{}, err
	}
	v, err := r.ModelVersionByDigest(ctx, g.ID, model, d)
	return v.Manifest, err
}
