package work

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
	"edgeward/runtime/query"
	"edgeward/runtime/score"
	"edgeward/runtime/serve"
	"edgeward/sync/disk"
)

// A run asks scoreChunk rows, then keeps their lines: what a crash repeats. An endpoint that is busy or not ready is asked
// again for scorePatience.
const (
	scoreChunk    = 500
	scorePatience = 10 * time.Minute
)

// runScore answers the rows of a scoring's source through its endpoint and makes one file of them. What it has done lies
// in its folder, so it goes on there after a crash: first what was settled at the start (scorePlan), then chunk by chunk the
// finished lines.
func (w *Work) runScore(ctx context.Context, j jobs.Job, r jobs.Reporter) (any, error) {
	s, err := specOf[score.Spec](j)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(w.Runs, j.ID)
	if err := disk.MkdirAll(dir); err != nil {
		return nil, err
	}
	run := &scoreRun{w: w, job: j, spec: s, dir: dir, report: r, enc: newRowEncoder()}
	r.Stage("reading", 0)
	if err := run.open(ctx); err != nil {
		return nil, err
	}
	defer run.rows.close()
	if err := run.resume(); err != nil {
		return nil, err
	}
	for run.done.Rows < run.rows.total() {
		r.Stage("scoring", float64(run.done.Rows)/float64(run.rows.total()))
		if err := run.chunk(ctx); err != nil {
			return nil, err
		}
	}
	r.Stage("writing", 0.99)
	out, err := run.finish(ctx)
	if err != nil {
		return nil, err
	}
	r.Log("%d rows, %d answered, %d failed", out.Rows, out.Answered, out.Failed)
	return out, w.deliver(ctx, j, s.Scoring, out)
}

// scoreRun is a run under way.
type scoreRun struct {
	w      *Work
	job    jobs.Job
	spec   score.Spec
	dir    string
	report jobs.Reporter
	plan   scorePlan
	rows   scoreRows
	enc    *rowEncoder
	done   part // of all chunks
	parts  int
}

// open settles what the run reads, or finds what it settled before the crash.
func (run *scoreRun) open(ctx context.Context) error {
	path := filepath.Join(run.dir, "plan.json")
	kept, err := readPlan(path)
	if err != nil {
		return err
	}
	if kept != nil {
		run.plan = *kept
	} else if run.plan, err = run.w.planScore(ctx, run.spec, run.dir); err != nil {
		return err
	}
	if run.rows, err = run.w.openRows(ctx, run.spec.Scoring, run.plan, run.dir); err != nil {
		return err
	}
	if n := run.rows.total(); n > score.MaxRows {
		run.rows.close()
		return edgeward.E("work.runScore", edgeward.TooLarge, "score.rows", "%d rows; a run has at most %d", n, score.MaxRows).WithHint("score a part of the rows")
	}
	if kept != nil {
		return nil
	}
	return writePlan(path, run.plan)
}

// resume takes up the chunks that a crash left whole.
func (run *scoreRun) resume() error {
	for ; ; run.parts++ {
		p, err := readPart(run.part(run.parts), nil)
		if err != nil || p == nil {
			break // not there, or not whole: done again
		}
		run.done.add(*p)
	}
	if run.parts > 0 {
		run.report.Log("going on after %d rows", run.done.Rows)
	}
	return run.tolerable()
}

func (run *scoreRun) part(n int) string { return filepath.Join(run.dir, fmt.Sprintf("%07d.part", n)) }

// tolerable ends a run of which too many rows fail.
func (run *scoreRun) tolerable() error {
	if most := run.spec.Scoring.MaxFailed; run.done.Failed > int64(most) {
		e := edgeward.E("work.runScore", edgeward.Invalid, "score.too_many_failed", "%d of %d rows failed, more than %d", run.done.Failed, run.done.Rows, most)
		if len(run.done.Errors) > 0 {
			first := run.done.Errors[0]
			return e.With("row", strconv.FormatInt(first.Row, 10)).WithHint("row %d: %s. %s", first.Row, first.Message, first.Hint)
		}
		return e
	}
	return nil
}

// chunk answers the next rows and keeps their lines.
func (run *scoreRun) chunk(ctx context.Context) error {
	from := run.done.Rows
	rows, err := run.rows.read(ctx, from, scoreChunk)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return edgeward.E("work.runScore", edgeward.Internal, "", "the source ended after %d of %d rows", from, run.rows.total())
	}
	answers, errs, err := run.ask(ctx, from, rows)
	if err != nil {
		return err
	}
	var text strings.Builder
	out := csv.NewWriter(&text)
	p := part{Rows: int64(len(rows)), Versions: map[int]int64{}}
	for i, row := range rows {
		line := append([]string{}, row.cells...)
		if errs[i] != nil {
			p.fail(from+int64(i), errs[i])
			line = append(line, run.plan.failed(errs[i])...)
		} else {
			p.Answered++
			p.Versions[answers[i].Version]++
			line = append(line, run.plan.answered(answers[i])...)
		}
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	if err := writePart(run.part(run.parts), p, text.String()); err != nil {
		return err
	}
	run.parts++
	run.done.add(p)
	return run.tolerable()
}

// ask answers rows side by side. An error that is the row's own is kept, any other ends the run.
func (run *scoreRun) ask(ctx context.Context, from int64, rows []scoreRow) ([]wire.Prediction, []error, error) {
	answers, errs := make([]wire.Prediction, len(rows)), make([]error, len(rows))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int)
	var workers sync.WaitGroup
	for range min(predictAtOnce, len(rows)) {
		workers.Go(func() {
			for i := range todo {
				if ctx.Err() != nil {
					continue
				}
				var err error
				if answers[i], err = run.one(ctx, from+int64(i), rows[i], i > 0); err == nil {
					continue
				}
				if k := edgeward.KindOf(err); ctx.Err() == nil && (k == edgeward.Invalid || k == edgeward.Internal || k == edgeward.TooLarge) {
					errs[i] = err
				} else {
					cancel(err)
				}
			}
		})
	}
	for i := range rows {
		todo <- i
	}
	close(todo)
	workers.Wait()
	if ctx.Err() != nil {
		return nil, nil, context.Cause(ctx)
	}
	return answers, errs, nil
}

// one answers a row, part of a request that was counted already or a new one, waiting while the endpoint is busy or not ready.
func (run *scoreRun) one(ctx context.Context, n int64, row scoreRow, part bool) (wire.Prediction, error) {
	if row.err != nil {
		return wire.Prediction{}, row.err
	}
	s := run.spec.Scoring
	r := serve.Request{ID: score.PredictionID(s.ID, run.job.ID, n, run.job.Created), Endpoint: serve.Key{Group: s.Group, Name: s.Endpoint}, Version: s.Version,
		ReceivedAt: run.w.Now(), EventTime: row.event, Target: row.target, SeriesKey: row.series, Priority: serve.Patient, Source: run.spec.Came(),
		Principal: "scoring:" + s.Name, Part: part}
	if r.EventTime.IsZero() {
		r.EventTime = run.job.Created // the same when the row is asked again
	}
	var end time.Time
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		p, err := run.w.infer(ctx, r, run.enc, row.values)
		kind := edgeward.KindOf(err)
		if err == nil || kind != edgeward.Exhausted && kind != edgeward.Unavailable || ctx.Err() != nil {
			return p, err
		}
		now := run.w.Now()
		if end.IsZero() {
			end = now.Add(scorePatience)
		}
		if now.After(end) {
			return p, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
}

// finish makes the file of all parts and keeps it.
func (run *scoreRun) finish(ctx context.Context) (score.Result, error) {
	const op = "work.runScore"
	s := run.spec.Scoring
	out := score.Result{Scoring: s.Name, Endpoint: s.Endpoint, DataSet: run.plan.DataSet, Version: run.plan.Version, Format: s.Format,
		Rows: run.done.Rows, Answered: run.done.Answered, Failed: run.done.Failed, Versions: run.done.Versions, Errors: run.done.Errors}
	path := filepath.Join(run.dir, "result.csv")
	if err := run.assemble(path); err != nil {
		return out, err
	}
	if s.Format == "parquet" {
		file := filepath.Join(run.dir, "result.parquet")
		if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
			return out, edgeward.Wrap(op, err)
		}
		if _, err := run.w.Query.Normalise(ctx, query.NormaliseRequest{Path: path, Out: file, Types: run.plan.Types}); err != nil {
			return out, err
		}
		path = file
	}
	f, err := os.Open(path)
	if err != nil {
		return out, edgeward.Wrap(op, err)
	}
	defer f.Close()
	out.Bytes, out.Size, err = run.w.Blobs.Put(ctx, f, 1<<40)
	return out, err
}

// assemble writes the header and the lines of all parts to path.
func (run *scoreRun) assemble(path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return disk.Err("work.runScore", err)
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = disk.Err("work.runScore", cerr)
		}
	}()
	head := csv.NewWriter(f)
	if err := head.Write(run.plan.header()); err != nil {
		return err
	}
	head.Flush()
	if err := head.Error(); err != nil {
		return disk.Err("work.runScore", err)
	}
	for i := range run.parts {
		var lines io.Writer = f
		if _, err := readPart(run.part(i), lines); err != nil {
			return err
		}
	}
	return nil
}

// deliver makes a delivery of the result to each sink. Done again, it changes nothing.
func (w *Work) deliver(ctx context.Context, j jobs.Job, s score.Scoring, out score.Result) error {
	for i, sink := range s.Sinks {
		now := w.Now()
		d := score.Delivery{Group: s.Group, ID: score.PredictionID(s.ID, j.ID, -1-int64(i), j.Created), Scoring: s.Name, Run: j.ID, Sink: sink, Result: out,
			State: score.Waiting, Next: now, Attempts: []score.Attempt{}, Created: now, By: j.By}
		if err := w.Store.AddDelivery(ctx, d); err != nil {
			return err
		}
	}
	if len(s.Sinks) > 0 {
		w.Rescored()
	}
	return nil
}
