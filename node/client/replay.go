package client

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"edgeward"
)

// ReplaySeries is one endpoint and the data set whose steps it is asked about.
type ReplaySeries struct {
	Endpoint string
	DataSet  string
	Version  int       // of the data set; 0: the newest
	From, To time.Time // first and last target; zero: no bound
	// Extra names versions that are asked as well, explicitly, at the step that begins at origin. A version that does
	// not stand behind the endpoint is left out.
	Extra func(origin time.Time) []int
}

// ReplayOptions say what is replayed and how.
type ReplayOptions struct {
	Series   []ReplaySeries
	Speed    float64       // steps a second; 0: as fast as the server settles
	Again    bool          // ask anew what was asked in an earlier replay; otherwise that is passed over
	Hasty    bool          // do not wait for the monitors after each step
	Source   string        // of the feedback; default "replay"
	Patience time.Duration // how long an unavailable or busy server is asked again; default one minute
	// Step is called after each step, in order, from the goroutine of Replay. Its error ends the replay.
	Step func(context.Context, ReplayStep) error
}

// ReplayStep is what happened at one time, for all series together: first the truth of the steps that have ended, then,
// when the monitors had settled, the questions that can be asked now.
type ReplayStep struct {
	At      time.Time      // what was known by now
	Done    float64        // share of the replay, 0 to 1
	Truths  []ReplayAnswer // answers whose truth was told
	Settled []Settled      // by series, after the truths; nil when Hasty
	Asked   []ReplayAnswer
}

// ReplayAnswer is one question and its answer.
type ReplayAnswer struct {
	Series     int    // index of ReplayOptions.Series
	Key        string // the series within the endpoint
	Origin     time.Time
	Target     time.Time
	Prediction string
	Version    int
	Role       string // live or canary; direct for an extra version
	Forecast   float64
	Low, High  float64  // NaN where the model gives no interval
	Truth      *float64 // what the data set says
	Baseline   map[string]float64
	Level      *float64
	Earlier    bool // asked in an earlier replay
	told       bool // the truth is known to the server
}

// ReplayReport sums a replay up.
type ReplayReport struct {
	From    time.Time `json:"from"` // first and last origin
	To      time.Time `json:"to"`
	Steps   int       `json:"steps"`
	Asked   int       `json:"asked"`
	Earlier int       `json:"asked_earlier"`
	Truths  int       `json:"truths"`
	Left    int       `json:"left_out"` // extra versions that did not answer
	Seconds float64   `json:"seconds"`
}

// Replay asks the endpoints about each step of their data sets as if it were now: through the Open Inference Protocol,
// with the step's event time, with features by the recipe of the version that is live at that moment; and tells the truth
// of a step when it has ended. All series go in lock step by time. A step that begins at t (origin) is asked after the
// truth of every target up to t was told, and after every monitor has settled, so an endpoint may change its version
// between two steps. Replay is repeatable: what an earlier one asked or told is neither asked nor told again.
func (c *Client) Replay(ctx context.Context, o ReplayOptions) (ReplayReport, error) {
	if o.Source == "" {
		o.Source = "replay"
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	r := &replay{c: c, o: o, settled: make([]Settled, len(o.Series))}
	begun := time.Now()
	err := r.run(ctx)
	r.report.Seconds = time.Since(begun).Seconds()
	return r.report, err
}

type replay struct {
	c       *Client
	o       ReplayOptions
	lanes   []*lane
	settled []Settled
	report  ReplayReport
	mu      sync.Mutex // of report.Left while a step's questions run
}

func (r *replay) run(ctx context.Context) error {
	if len(r.o.Series) == 0 {
		return edgeward.E("client.Replay", edgeward.Invalid, "replay.empty", "nothing to replay")
	}
	for i, s := range r.o.Series {
		l := &lane{c: r.c, series: s, index: i}
		if err := l.start(ctx, r.o.Again); err != nil {
			return err
		}
		r.lanes = append(r.lanes, l)
	}
	for begin := time.Now(); ; r.report.Steps++ {
		at, first, last, err := r.next(ctx)
		if err != nil || at.IsZero() {
			return err
		}
		if r.report.Steps == 0 {
			r.report.From = at
		}
		r.report.To = at
		if r.o.Speed > 0 {
			due := begin.Add(time.Duration(float64(r.report.Steps) / r.o.Speed * float64(time.Second)))
			if err := sleep(ctx, time.Until(due)); err != nil {
				return err
			}
		}
		step := ReplayStep{At: at, Done: 1}
		if last.After(first) {
			step.Done = min(1, float64(at.Sub(first))/float64(last.Sub(first)))
		}
		if err := r.step(ctx, &step); err != nil {
			return err
		}
	}
}

// next returns the time of the next step, the zero time when there is none.
func (r *replay) next(ctx context.Context) (at, first, last time.Time, err error) {
	for _, l := range r.lanes {
		if err := l.fill(ctx); err != nil {
			return at, first, last, err
		}
		if t := l.next(); !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
		if first.IsZero() || l.first.Before(first) {
			first = l.first
		}
		if l.last.After(last) {
			last = l.last
		}
	}
	return at, first, last, nil
}

// step tells what is known by step.At, lets the monitors settle and asks what can be asked then.
func (r *replay) step(ctx context.Context, step *ReplayStep) error {
	for _, l := range r.lanes {
		step.Truths = append(step.Truths, l.ended(step.At)...)
	}
	if err := r.tell(ctx, step.Truths); err != nil {
		return err
	}
	if !r.o.Hasty {
		if err := r.settle(ctx, step); err != nil {
			return err
		}
	}
	var asks []ask
	for _, l := range r.lanes {
		if err := l.follow(ctx, r.settled[l.index].Version); err != nil {
			return err
		}
		for _, row := range l.take(step.At) {
			asks = append(asks, ask{lane: l, row: row})
			if l.series.Extra == nil {
				continue
			}
			for _, v := range l.series.Extra(row.Origin) {
				asks = append(asks, ask{lane: l, row: row, version: v})
			}
		}
	}
	var err error
	if step.Asked, err = r.ask(ctx, asks); err != nil {
		return err
	}
	for _, a := range step.Asked {
		l := r.lanes[a.Series]
		if !a.told && a.Truth != nil {
			l.open = append(l.open, a)
		}
		if a.Earlier {
			r.report.Earlier++
		} else {
			r.report.Asked++
		}
	}
	if r.o.Step == nil {
		return nil
	}
	return r.o.Step(ctx, *step)
}

// tell sends the truths of answers, in requests of a thousand.
func (r *replay) tell(ctx context.Context, answers []ReplayAnswer) error {
	for some := range slices.Chunk(answers, 1000) {
		items := make([]Feedback, len(some))
		for i, a := range some {
			at := a.Target
			items[i] = Feedback{Prediction: a.Prediction, Source: r.o.Source, Kind: "truth", Value: a.Truth, EventTime: &at}
		}
		var got FeedbackAnswer
		err := r.patiently(ctx, func() (err error) {
			got, err = r.c.Feedback(ctx, items...)
			return err
		})
		if err != nil {
			return err
		}
		if n := got.Missing + got.Refused; n > 0 {
			return edgeward.E("client.Replay", edgeward.Conflict, "replay.truth_refused", "%d of %d truths were not taken", n, len(items)).
				WithHint("were predictions removed while the replay ran?")
		}
		r.report.Truths += got.Accepted
	}
	return nil
}

func (r *replay) settle(ctx context.Context, step *ReplayStep) error {
	for i, s := range r.o.Series {
		err := r.patiently(ctx, func() (err error) {
			r.settled[i], err = r.c.Settle(ctx, s.Endpoint)
			return err
		})
		if err != nil {
			return err
		}
	}
	step.Settled = slices.Clone(r.settled)
	return nil
}

// ask is one question; version 0 is the endpoint's choice.
type ask struct {
	lane    *lane
	row     FeatureRow
	version int
}

// parallel is how many questions of one step are asked at once.
const parallel = 4

// ask puts the questions of one step and returns the answers in their order.
func (r *replay) ask(ctx context.Context, asks []ask) ([]ReplayAnswer, error) {
	answers := make([]ReplayAnswer, len(asks))
	errs := make([]error, len(asks))
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for i, a := range asks {
		if earlier, ok := a.lane.earlier(a); ok {
			answers[i] = earlier
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			answers[i], errs[i] = r.one(ctx, a)
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(answers, func(a ReplayAnswer) bool { return a.Prediction == "" }), nil
}

// one asks one question. An extra version that is not there gives the zero answer.
func (r *replay) one(ctx context.Context, a ask) (ReplayAnswer, error) {
	in := Tensor{Name: "features", Datatype: "FP32", Shape: []int64{1, int64(len(a.row.Values))}, Values: make([]float64, len(a.row.Values))}
	for i, v := range a.row.Values {
		in.Values[i] = math.NaN()
		if v != nil {
			in.Values[i] = *v
		}
	}
	var got InferAnswer
	err := r.patiently(ctx, func() (err error) {
		got, err = r.c.Infer(ctx, a.lane.series.Endpoint, InferRequest{Version: a.version, EventTime: a.row.Origin, Target: a.row.Target, Key: a.row.Group, Inputs: []Tensor{in}})
		return err
	})
	if err != nil && a.version > 0 && edgeward.KindOf(err) == edgeward.NotFound {
		r.mu.Lock()
		r.report.Left++
		r.mu.Unlock()
		return ReplayAnswer{}, nil
	}
	if err != nil {
		return ReplayAnswer{}, err
	}
	out := a.lane.answer(a.row)
	out.Prediction, out.Version, out.Role = got.Prediction, got.Version, got.Role
	out.Low, out.High = got.First("low"), got.First("high")
	out.Forecast = got.First("forecast")
	if math.IsNaN(out.Forecast) && len(got.Outputs) > 0 && len(got.Outputs[0].Values) > 0 {
		out.Forecast = got.Outputs[0].Values[0]
	}
	return out, nil
}

// patiently repeats f while the server is unavailable or busy.
func (r *replay) patiently(ctx context.Context, f func() error) error {
	end := time.Now().Add(r.o.Patience)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err := f()
		kind := edgeward.KindOf(err)
		if err == nil || (kind != edgeward.Unavailable && kind != edgeward.Exhausted) || time.Now().After(end) {
			return err
		}
		if late := sleep(ctx, wait); late != nil {
			return late
		}
	}
}
