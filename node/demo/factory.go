package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"edgeward/node/client"
	"edgeward/node/demo/weld"
)

// Names of everything the factory's demonstration makes.
const (
	factoryStory = "factory"
	weldSeams    = "weld-inspection"         // model and endpoint: the line
	weldControl  = "weld-inspection-control" // the same parts through a lens that stays clean
)

// generated stands on everything the factory shows.
const generated = "Generated pictures: no camera, no factory and no person is behind them."

// RunFactory shows the second story: generated weld seams are inspected on a line, the lens gets dirty, the corrections of
// the operator raise the alarm, and a clean lens, not a new version, is the remedy. On a server where it has ended it
// returns that one's report with Resumed set. An error means that a stage did not happen.
func RunFactory(ctx context.Context, o Options) (*FactoryReport, error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	var kept FactoryReport
	if there, err := earlier(ctx, o.Client, factoryStory, &kept); err != nil || there {
		kept.Resumed = true
		return &kept, err
	}
	f := &factory{demo: demo{Options: o, c: o.Client, begun: o.Now()}}
	var report *FactoryReport
	err := f.play(ctx, []stage{
		{"import", f.importWeld},
		{"deploy", f.deployWeld},
		{"line", f.runLine},
		{"report", func(ctx context.Context) (err error) { report, err = f.report(ctx); return err }},
	})
	if err != nil {
		f.failed(ctx, err)
		return nil, err
	}
	report.TotalSeconds, report.Stages = f.took()
	return report, f.keep(ctx, report)
}

// factory is one run.
type factory struct {
	demo
	version int
	engines engineReport
	serves  string // the engine behind the line's endpoint
	line    line
}

// importWeld imports the model; a second time it is the version that is there. Both engines must answer alike.
func (f *factory) importWeld(ctx context.Context) error {
	v, err := f.c.ImportModel(ctx, weldSeams, reader(weldModel), client.ModelUpload{Filename: "weld-cnn.onnx", Task: "image", Image: "default", Demo: true,
		Description: "A small CNN that tells sound weld seams from three defects. " + generated,
		IntendedUse: "Shows inspection on a line. Trained on generated pictures only: not for any real weld."})
	if err != nil {
		return err
	}
	f.version = v.Version.Number
	if err := json.Unmarshal(v.Version.Manifest.Engines, &f.engines); err != nil {
		return err
	}
	for _, t := range f.engines.Candidates {
		if !t.Loads || t.MaxAbsDiff == nil || *t.MaxAbsDiff > tolerance {
			return fmt.Errorf("%s does not answer like the others: %s", t.Engine, t.Error)
		}
	}
	if f.engines.Chosen == nil {
		return fmt.Errorf("no engine was chosen: %s", f.engines.Why)
	}
	f.Say("  left alone, %s would serve: %s", f.engines.Chosen.Engine, f.engines.Why)
	return nil
}

// deployWeld puts the version behind the line's endpoint, which keeps what it was asked for the operator's page, and
// behind the control's. Both ask for OpenVINO: a line is asked about one picture at a time, and whoever runs it says on what.
func (f *factory) deployWeld(ctx context.Context) error {
	for _, e := range []client.EndpointRequest{
		{Name: weldSeams, Model: weldSeams, Title: "Weld inspection", Description: generated, Record: "full", Task: "image", Device: lineEngine, Demo: true},
		{Name: weldControl, Model: weldSeams, Title: "Weld inspection, control", Description: "The same parts through a lens that stays clean. " + generated, Task: "image", Device: lineEngine, Demo: true},
	} {
		if _, err := f.c.CreateEndpoint(ctx, e); err != nil {
			return err
		}
		at, err := f.c.Endpoint(ctx, e.Name)
		if err != nil {
			return err
		}
		if len(at.Spec.Targets) == 0 {
			if _, err := f.c.ChangeSpec(ctx, e.Name, client.Promote, client.ChangeRequest{Version: f.version, Reason: "the engines agree"}); err != nil {
				return err
			}
		}
		if at, err = f.c.AwaitLive(ctx, e.Name, f.version); err != nil {
			return err
		}
		for _, v := range at.Status.Versions {
			if v.Version == f.version {
				f.serves = v.Engine
			}
		}
	}
	f.Say("  %s serves, as the endpoints ask", f.serves)
	return nil
}

// lineEngine is what the line's endpoints run on.
const lineEngine = "openvino-cpu"

// The line. What happens on it comes out of the seed; when the alarm comes, out of the detector.
const (
	weldSeed   = 2026
	shift      = 400  // parts a day
	perMinute  = 1    // parts a minute of event time
	defects    = 0.15 // share of parts with a defect
	judged     = 0.25 // share of parts that the operator says something of
	looks      = 100  // parts after which the operator looks up: feedback is told, and an alarm is seen
	dirtyAfter = 400  // parts from the first dirt to a wholly dirty lens
	mostShifts = 12   // after which the demonstration gives up waiting for an alarm
)

// lineStart is the first part's time.
var lineStart = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

// timeOf is when part n passed the camera.
func timeOf(n int) time.Time {
	return lineStart.AddDate(0, 0, n/shift).Add(time.Duration(n%shift) * time.Minute / perMinute)
}

// partAt is the part that passed the camera at t.
func partAt(t time.Time) int {
	day := int(t.Sub(lineStart) / (24 * time.Hour))
	return day*shift + int(t.Sub(lineStart.AddDate(0, 0, day))*perMinute/time.Minute)
}

// part draws part n as the camera sees it.
func part(n int, dirt float64) (weld.Picture, []uint8) {
	p := weld.Draw(weldSeed, n, defects)
	return p, weld.Lens{Seed: weldSeed, Dirt: dirt}.See(p)
}
