package api

import (
	"context"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"time"

	"edgeward/node/api/oip/shm"
	"edgeward/node/auth"
	"edgeward/node/monitor"
	"edgeward/node/role"
	"edgeward/node/store"
	"edgeward/node/update"
	"edgeward/node/views"
	"edgeward/node/wire"
	"edgeward/node/work"
	"edgeward/runtime/jobs"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// Parts are what the API speaks to. All are needed but those that say so.
type Parts struct {
	Version string
	Shared  *shm.Regions // of clients on this machine; may be nil
	MaxBody int64        // of an inference request
	Now     func() time.Time
	NewID   func() string
	Site    string
	Node    string
	Hosts   []string // names this server answers to, besides addresses and localhost

	Auth    *auth.Guard
	Store   *store.DB
	Jobs    *jobs.Queue
	Serve   *serve.Server
	Records *record.Log
	Work    *work.Work
	Monitor *monitor.Monitor
	Views   *views.Views
	Fleet   *role.Role
	Update  *update.Update

	FleetViews *views.Fleet

	Health    func() wire.Health
	Status    func(context.Context) (wire.NodeStatus, error)
	Settings  func() []wire.Setting
	Backup    func(context.Context, io.Writer) error
	Support   func(context.Context, io.Writer) error
	RotateKey func(context.Context, auth.Principal) (wire.RecordKeys, error)
	Metrics   http.Handler
	UI        fs.FS // the built web page

	Access   *slog.Logger                                                              // takes a line for each request; nil: none
	Incoming func(ctx context.Context, traceparent, tracestate string) context.Context // takes a caller's trace context; nil: it is not looked at
}
