package work

import (
	"context"
	"encoding/json"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/node/image"
	"edgeward/node/store"
	"edgeward/runtime/infer"
	"edgeward/runtime/jobs"
	"edgeward/runtime/packs"
	"edgeward/runtime/query"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/train"
	"edgeward/sync/blobs"
)

// Parts are what Work joins. All are needed; Queue, Serve and Changed are set before Run of the node.
type Parts struct {
	Store   *store.DB
	Blobs   *blobs.Store
	Query   *query.Client
	Trainer train.Client
	Infer   *infer.Client
	Packs   *packs.Store
	Root    fs.FS // the machine's file system, where its devices are found
	Records *record.Log
	Queue   *jobs.Queue
	Serve   *serve.Server
	Changed func() // something the monitor should look at: a job ended, a spec changed
	Now     func() time.Time
	NewID   func() string
	Temp    string // a folder on the file system of the blobs
	Runs    string // a folder for what runs of scorings keep until they end

	Drops, Webhooks []string                            // names of the sinks that are configured
	Topics          *mqtt.Topics                        // of messages; nil where there is no broker
	Broker          string                              // URL of the broker
	BrokerUser      string                              // who signs in there; empty: nobody needs to
	Rescored        func()                              // scorings or deliveries have changed
	Limit           int64                               // bytes of an upload
	Threads         int                                 // for training
	Program         image.Program                       // what an exported image runs
	Pinned          map[edgeward.Digest]infer.Candidate // versions that one engine only may answer, by digest; set before Run of the node
	Log             *slog.Logger
}

// Work is safe for concurrent use.
type Work struct {
	Parts
	exporting sync.Mutex // of records: one table at a time
	starting  sync.Mutex // of a scoring's run
	packing   sync.Mutex // of images and artifacts: one at a time
	benching  sync.Mutex // of versions: one at a time
}

// New returns a Work over p.
func New(p *Parts) *Work { return &Work{Parts: *p} }

// Who is asking, in which group.
type Who struct {
	Group     string
	Principal string // "user:alice"
	ID        string
}

// key is who asks, for the limits of each caller: as auth.Principal.Key.
func (w Who) key() string {
	if w.ID != "" {
		return w.ID
	}
	return w.Principal
}

// Handlers are the job kinds. All resume after a crash.
func (w *Work) Handlers() map[jobs.Kind]jobs.Handler {
	wrap := func(f jobs.Work) jobs.Handler {
		return jobs.Handler{Resumable: true, Work: func(ctx context.Context, j jobs.Job, r jobs.Reporter) (any, error) {
			out, err := f(ctx, j, r)
			if w.Changed != nil {
				defer w.Changed()
			}
			return out, err
		}}
	}
	return map[jobs.Kind]jobs.Handler{
		jobs.Import:   wrap(w.runImport),
		jobs.Train:    wrap(w.runTrain),
		jobs.Evaluate: wrap(w.runEvaluate),
		jobs.Remove:   wrap(w.runRemove),
		jobs.Score:    wrap(w.runScore),
	}
}

// queue adds a job of a kind with its spec.
func (w *Work) queue(ctx context.Context, who Who, kind jobs.Kind, key, title string, demo bool, spec any) (jobs.Job, error) {
	b, err := json.Marshal(spec)
	if err != nil {
		return jobs.Job{}, err
	}
	if key == "" {
		key = string(kind) + "/" + w.NewID()
	}
	return w.Queue.Add(ctx, jobs.Job{Group: who.Group, ID: w.NewID(), Key: key, Kind: kind, Title: title, Spec: b, By: who.Principal, Demo: demo})
}

func specOf[T any](j jobs.Job) (T, error) {
	var s T
	if err := json.Unmarshal(j.Spec, &s); err != nil {
		return s, edgeward.E("work", edgeward.Internal, "", "job %s: %w", j.ID, err)
	}
	return s, nil
}

// temp returns a path in the scratch folder and a function that removes what is there.
func (w *Work) temp(name string) (string, func()) {
	p := filepath.Join(w.Temp, w.NewID()+"-"+name)
	return p, func() { _ = os.Remove(p) }
}

// putBytes keeps small bytes as a blob.
func (w *Work) putBytes(ctx context.Context, b []byte) (edgeward.Digest, error) {
	d, _, err := w.Blobs.Put(ctx, bytesReader(b), int64(len(b))+1)
	return d, err
}

// putJSON keeps v as a blob of JSON.
func (w *Work) putJSON(ctx context.Context, v any) (edgeward.Digest, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", err
	}
	return w.putBytes(ctx, b)
}

// maxJSON bounds a blob of JSON that is read whole.
const maxJSON = 64 << 20

func readJSON[T any](ctx context.Context, b *blobs.Store, d edgeward.Digest) (T, error) {
	var v T
	raw, err := b.ReadAll(ctx, d, maxJSON)
	if err != nil {
		return v, err
	}
	return v, json.Unmarshal(raw, &v)
}
