package node

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/broker"
	"edgeward/fleet/mqtt"
	"edgeward/fleet/summary"
	"edgeward/node/api"
	"edgeward/node/api/oip/oipgrpc"
	"edgeward/node/api/oip/shm"
	"edgeward/node/auth"
	"edgeward/node/config"
	"edgeward/node/events"
	"edgeward/node/follow"
	"edgeward/node/health"
	"edgeward/node/host"
	"edgeward/node/image"
	"edgeward/node/keys"
	"edgeward/node/logs"
	"edgeward/node/monitor"
	"edgeward/node/role"
	"edgeward/node/scorer"
	"edgeward/node/store"
	"edgeward/node/trace"
	"edgeward/node/update"
	"edgeward/node/views"
	"edgeward/node/work"
	"edgeward/runtime/jobs"
	"edgeward/runtime/native"
	"edgeward/runtime/packs"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/sync/blobs"
	"edgeward/ui"
)

// Node is one server. Open makes it, Run runs it, Close releases what Open took if Run was never called.
type Node struct {
	o       Options
	cfg     config.Config
	log     *slog.Logger
	started time.Time
	site    string
	name    string
	setup   string // one-time secret while no administrator exists

	store     *store.DB
	keys      *keys.Keys
	blobs     *blobs.Store
	records   *record.Log
	workers   *workers
	jobs      *jobs.Queue
	serve     *serve.Server
	work      *work.Work
	monitor   *monitor.Monitor
	views     *views.Views
	fleet     *views.Fleet
	auth      *auth.Guard
	id        string // ULID of this server
	health    *health.Monitor
	broker    *broker.Broker
	mqtt      mqtt.Options // of the broker that publisher uses
	publisher *mqtt.Publisher
	scorer    *scorer.Scorer
	role      *role.Role // in a fleet
	local     *follow.Follow
	lines     *logs.Ring       // of the log
	counter   *summary.Counter // of what the fleet's versions do here
	api       *api.Server
	listeners *listeners
	plain     net.Listener // of the page and the API, TLS included
	secure    bool
	socket    net.Listener
	grpc      *oipgrpc.Server
	tracer    *trace.Tracer // nil: no traces

	grpcListener net.Listener

	update  *update.Update
	answers chan struct{} // closed when everything runs

	closing sync.Once
}

// Open opens the data directory and binds the addresses. What it took is released when it fails.
func Open(ctx context.Context, o Options) (*Node, error) {
	o = o.withDefaults()
	lines := &logs.Ring{}
	n := &Node{o: o, cfg: o.Config.Config, log: lines.Beside(o.Log), lines: lines, started: o.Now(), listeners: &listeners{}, answers: make(chan struct{})}
	steps := []func(context.Context) error{n.directory, n.openStore, n.identity, n.openKeys, n.openBytes, n.openMQTT, n.connect, n.openFleet, n.openAccess, n.answerFleet, n.openBundle, n.openUpdate, n.openHTTP, n.openGRPC}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			n.Close()
			return nil, err
		}
	}
	return n, nil
}

// dir is a folder of the data directory.
func (n *Node) dir(name string) string { return filepath.Join(n.cfg.DataDir, name) }

func (n *Node) directory(context.Context) error {
	if err := os.MkdirAll(n.cfg.DataDir, 0o700); err != nil {
		return edgeward.E("node.Open", edgeward.Invalid, "node.data_dir", "the data directory cannot be made: %w", err).
			WithHint("choose a directory this user may write: --data-dir or EDGEWARD_DATA_DIR")
	}
	return nil
}

func (n *Node) openStore(context.Context) (err error) {
	n.health = health.New(n.o.Now, n.cfg.Health.Delay)
	n.store, err = store.Open(n.cfg.DataDir, store.Options{Now: n.o.Now, Log: n.log})
	return err
}

// openBytes opens what lies beside the store. The scratch folder is emptied: whatever was in it was not finished.
func (n *Node) openBytes(context.Context) (err error) {
	if err := os.RemoveAll(n.dir("temp")); err != nil {
		return edgeward.Wrap("node.Open", err)
	}
	if err := os.MkdirAll(n.dir("temp"), 0o700); err != nil {
		return edgeward.Wrap("node.Open", err)
	}
	if n.blobs, err = blobs.Open(n.dir("blobs"), n.o.Now); err != nil {
		return err
	}
	return n.openRecords()
}

// identity settles what this server is called.
func (n *Node) identity(ctx context.Context) error {
	n.site, n.name = n.cfg.Site, n.cfg.Node.Name
	if n.name == "" {
		hostname, _ := os.Hostname()
		n.name = host.Name(hostname)
	}
	var err error
	n.id, err = n.store.NodeID(ctx, n.o.NewID(), events.Event{Time: n.o.Now(), Principal: "system:node", Action: "node.created", Object: events.Object{Kind: "node", Name: n.name}})
	return err
}

// connect makes the parts that work and hands them to each other.
func (n *Node) connect(ctx context.Context) error {
	topics, err := mqtt.NewTopics(n.site, n.name)
	if err != nil {
		return err
	}
	if n.workers, err = newWorkers(n); err != nil {
		return err
	}
	runtimes, err := packs.Open(n.dir(runtimesDir))
	if err != nil {
		return err
	}
	n.work = work.New(&work.Parts{Packs: runtimes, Root: os.DirFS("/"), Store: n.store, Blobs: n.blobs, Query: n.workers.queries(), Trainer: n.workers.trainer(), Infer: n.workers.infer, Records: n.records,
		Now: n.now, NewID: n.o.NewID, Temp: n.dir("temp"), Runs: n.dir("runs"), Limit: int64(n.cfg.HTTP.MaxUpload), Threads: n.threads(), Log: n.log.With("part", "work"),
		Program: image.Program{Path: n.program(), Version: n.o.Version, Native: native.Open(n.dir("native"))},
		Changed: func() { n.monitor.Poke(); n.scorer.Poke() }})
	if n.cfg.Tracing.URL != "" {
		if n.tracer, err = trace.Open(ctx, trace.Options{URL: n.cfg.Tracing.URL, Sample: n.cfg.Tracing.Sample, Node: n.name, Site: n.site, Version: n.o.Version, Log: n.log.With("part", "trace")}); err != nil {
			return err
		}
	}
	if err := n.openCounter(ctx); err != nil {
		return err
	}
	n.serve = serve.New(serve.Config{Trace: n.tracer.Func(), Store: watched{n.store, func() { n.monitor.Poke() }}, Models: registry{n.store}, Runner: work.Runner{Work: n.work}, Assets: n.work.Assets,
		Record: counted{n.records, n.counter}, Now: n.now, Log: n.log.With("part", "serve")})
	n.jobs = jobs.NewQueue(n.store, n.work.Handlers(), n.slots(), n.now, n.log.With("part", "jobs"))
	n.jobs.Timeout = n.cfg.Jobs.Timeout
	n.work.Serve, n.work.Queue = n.serve, n.jobs
	if err := n.openScorer(topics); err != nil {
		return err
	}
	n.monitor = monitor.New(monitor.Parts{Store: n.store, Records: n.records, Spec: n.serve, Work: n.work, Now: n.now, Site: n.site, Node: n.name, Topics: topics,
		GroupName: n.groupName, Sent: n.wakeMQTT, Own: n.promoteOwn, FalseAlarms: n.cfg.Drift.FalseAlarmsPerYear, Log: n.log.With("part", "monitor")})
	n.views = &views.Views{Store: n.store, Serve: n.serve, Records: n.records, Monitor: n.monitor, Health: n.Health, Now: n.now}
	return nil
}

// openAccess makes the first administrator from the answers file or the bootstrap token, or the secret of the one-time link.
func (n *Node) openAccess(ctx context.Context) (err error) {
	n.auth = auth.New(n.store, auth.Options{Now: n.now, NewID: n.o.NewID, Log: n.log, Idle: n.cfg.Auth.SessionIdle, Absolute: n.cfg.Auth.SessionAbsolute})
	if err := n.answerAdmin(ctx); err != nil {
		return err
	}
	n.setup, err = n.auth.Bootstrap(ctx, n.o.Bootstrap)
	return err
}

func (n *Node) openHTTP(ctx context.Context) error {
	var shared *shm.Regions
	if n.cfg.HTTP.SharedMemory {
		shared = shm.New(shm.Dir)
	}
	var access *slog.Logger
	if n.cfg.Log.Access {
		access = n.log.With("part", "access")
	}
	n.api = api.New(api.Parts{Access: access, Incoming: n.tracer.Incoming(), Version: n.o.Version, Shared: shared, MaxBody: int64(n.cfg.HTTP.MaxBody), Now: n.now, NewID: n.o.NewID, Site: n.site, Node: n.name, Hosts: n.hosts(),
		Auth: n.auth, Store: n.store, Jobs: n.jobs, Serve: n.serve, Records: n.records, Work: n.work, Monitor: n.monitor, Views: n.views, Fleet: n.role, FleetViews: n.fleet, Update: n.update,
		Health: n.Health, Status: n.Status, Settings: n.settings, Backup: n.Backup, Support: n.Support, RotateKey: n.RotateKey, Metrics: newMetrics(n), UI: ui.Files()}, n.log.With("part", "api"))
	return n.listenHTTP(ctx)
}

// hosts are the names this server answers to.
func (n *Node) hosts() []string {
	names, _ := n.subjects()
	return names
}

func (n *Node) now() time.Time { return n.o.Now().UTC() }

// groupName is a group's name for reports; an unknown group has none.
func (n *Node) groupName(id string) string {
	g, err := n.store.Group(context.Background(), id)
	if err != nil {
		return ""
	}
	return g.Name
}

// SetupLink is the one-time link that makes the first administrator; "" when there is one already.
func (n *Node) SetupLink() string {
	if n.setup == "" {
		return ""
	}
	return fmt.Sprintf("%s/setup#%s", n.URL(), n.setup)
}

// prune removes native libraries that other builds unpacked.
func (n *Node) prune() {
	if err := native.Open(n.dir("native")).Prune(); err != nil {
		n.log.Warn("old native libraries not removed", "err", err)
	}
}
