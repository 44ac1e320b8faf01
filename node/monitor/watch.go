package monitor

import (
	"context"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/node/wire"
	"edgeward/runtime/alerts"
	"edgeward/runtime/drift"
	"edgeward/runtime/jobs"
	"edgeward/runtime/loop"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/train"
)

// Bounds of what a Watch remembers.
const (
	maxCourse  = 1000
	maxReports = 12
)

// Watch is the monitor of one endpoint. It is a value that survives as JSON.
type Watch struct {
	Group     string              `json:"group"`
	Endpoint  string              `json:"endpoint"`
	Demo      bool                `json:"demo,omitempty"`
	Life      string              `json:"life"` // of the endpoint: one removed and made again under its name shares no job with the first
	Settings  drift.Settings      `json:"settings"`
	Version   int                 `json:"version"` // whose answers are watched; 0 while nothing is
	Digest    edgeward.Digest     `json:"digest,omitempty"`
	Detector  drift.State         `json:"detector"`
	Judged    []drift.Observation `json:"judged,omitempty"`   // of a classifier without residuals: the reference, then the control
	JudgedAt  time.Time           `json:"judged_at,omitzero"` // time of the newest judged answer
	Cursor    uint64              `json:"cursor"`             // in the prediction log: every pair up to it was seen
	Watermark time.Time           `json:"watermark"`          // last target whose truth has wholly come
	AlarmAt   time.Time           `json:"alarm_at"`           // target at which this version's alarm was raised; zero while none
	Verdict   *drift.Verdict      `json:"verdict,omitempty"`
	Controls  []wire.ControlRun   `json:"controls,omitempty"`
	Course    []wire.Point        `json:"course,omitempty"`  // newest last
	Quiet     int                 `json:"quiet"`             // targets watched before the alarm
	Reports   []drift.Report      `json:"reports,omitempty"` // newest first
	Alarmed   *drift.Report       `json:"alarmed,omitempty"` // the newest alarm's report, with its evidence
	Reported  time.Time           `json:"reported"`          // target of the newest report
	Seq       uint64              `json:"seq"`               // of reports
	Alert     alerts.Alert        `json:"alert"`
	Loop      loop.State          `json:"loop"`
	Approval  *loop.Approval      `json:"approval,omitempty"`  // a person's word the loop has not taken yet
	Dismissal *loop.Approval      `json:"dismissal,omitempty"` // likewise
}

// Key names the endpoint that w watches.
func (w Watch) Key() serve.Key { return serve.Key{Group: w.Group, Name: w.Endpoint} }

// Message is a report on its way to the broker. The store numbers it and puts the header before Body.
type Message struct {
	Topic    string
	Schema   string
	Key      string // natural key
	Body     []byte // JSON object without schema, seq and key
	Retained bool
}

// Store keeps watches.
type Store interface {
	Watches(ctx context.Context) ([]Watch, error)
	// SaveWatch keeps w, the candidates, the events and the messages in one transaction. A candidate equal to the kept
	// one changes nothing.
	SaveWatch(ctx context.Context, w Watch, candidates []models.CandidateRecord, news []events.Event, out []Message) error
	Deployments(ctx context.Context) ([]serve.Deployment, error)
	Deployment(ctx context.Context, key serve.Key) (serve.Deployment, error)
	ModelVersion(ctx context.Context, group string, ref models.Ref) (models.Version, error)
	ModelVersionByDigest(ctx context.Context, group, model string, d edgeward.Digest) (models.Version, error)
	SetVersionState(ctx context.Context, group string, ref models.Ref, state models.State, note, by string, at time.Time) error
	JobByKey(ctx context.Context, group, key string) (jobs.Job, error)
	Candidate(ctx context.Context, group, id string) (models.CandidateRecord, error)
}

// Records is the part of the prediction log the monitor reads.
type Records interface {
	After(group, endpoint string, cursor uint64, limit int) ([]record.Pair, uint64)
	Watermark(group, endpoint string) time.Time
	List(group, endpoint string, q record.Query, before uint64, limit int) ([]record.Summary, uint64)
	Changed() <-chan struct{}
}

// Spec is the part of the server that puts versions behind endpoints.
type Spec interface {
	Change(ctx context.Context, key serve.Key, change func(serve.Spec) (serve.Spec, error)) (serve.Spec, error)
	Status(key serve.Key) (serve.Status, bool)
}

// Work does what takes long. Each is idempotent by its key.
type Work interface {
	Retrain(ctx context.Context, r Retraining) (jobs.Job, error)
	Evaluate(ctx context.Context, e Evaluation) (jobs.Job, error)
	// Evidence compares the inputs of targets from..to with the same season of what v was trained on.
	Evidence(ctx context.Context, v models.Version, from, to time.Time) ([]drift.Effect, error)
	// Residuals returns the drift reference of v.
	Residuals(ctx context.Context, v models.Version) ([]train.Residual, error)
}

// Retraining asks for a challenger of champion, by its recipe, on targets From..To (From zero: all).
type Retraining struct {
	Champion models.Version
	Endpoint string
	From, To time.Time
	Key, By  string
	Reason   string
	Asked    bool // a person asked for it: the version is registered and judged by nobody
}

// Evaluation asks for champion against challenger on targets From..To. The job's result is a loop.Evaluation.
type Evaluation struct {
	Champion, Challenger models.Version
	Endpoint             string
	From, To             time.Time
	Key, By              string
	Action               string // the loop's key, which the result carries
}
