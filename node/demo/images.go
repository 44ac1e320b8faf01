package demo

import (
	"context"
	"encoding/json"
	"fmt"

	"edgeward/node/client"
)

// digitsResult is what the image model showed.
type digitsResult struct {
	Accuracy float64       `json:"accuracy"` // on the held-out third, asked through the server
	Images   int           `json:"images"`
	Engines  []EngineTrial `json:"engines"`
	Serves   string        `json:"serves"`
	Why      string        `json:"why"`
}

// EngineTrial is one engine's part of an engine report.
type EngineTrial struct {
	Engine     string   `json:"engine"`
	Version    string   `json:"version,omitempty"`
	Loads      bool     `json:"loads"`
	Error      string   `json:"error,omitempty"`
	MaxAbsDiff *float64 `json:"max_abs_diff"`
	P50Micros  float64  `json:"p50_us"`
}

// engineReport is a version's engine report as its manifest keeps it.
type engineReport struct {
	Candidates []EngineTrial `json:"candidates"`
	Chosen     *chosen       `json:"chosen"`
	Why        string        `json:"why"`
}

// chosen is the engine that serves.
type chosen struct {
	Engine string `json:"engine"`
	Device string `json:"device"`
}

// tolerance is how far two engines' answers to a picture may lie apart.
const tolerance = 1e-3

// serveDigits imports the image model, holds both engines' answers against each other and asks for all held-out pictures.
func (d *demo) serveDigits(ctx context.Context) error {
	v, err := d.digitsVersion(ctx)
	if err != nil {
		return err
	}
	var rep engineReport
	if err := json.Unmarshal(v.Manifest.Engines, &rep); err != nil {
		return err
	}
	for _, t := range rep.Candidates {
		if !t.Loads || t.MaxAbsDiff == nil || *t.MaxAbsDiff > tolerance {
			return fmt.Errorf("%s does not answer like the others: %s", t.Engine, t.Error)
		}
	}
	if _, err := d.c.CreateEndpoint(ctx, client.EndpointRequest{Name: digits, Model: digits, Title: "Handwritten digits", Demo: true}); err != nil {
		return err
	}
	e, err := d.c.Endpoint(ctx, digits)
	if err != nil {
		return err
	}
	if len(e.Spec.Targets) == 0 {
		if _, err := d.c.ChangeSpec(ctx, digits, client.Promote, client.ChangeRequest{Version: v.Number, Reason: "both engines agree"}); err != nil {
			return err
		}
	}
	if _, err := d.c.AwaitLive(ctx, digits, v.Number); err != nil {
		return err
	}
	d.digits = digitsResult{Engines: rep.Candidates, Why: rep.Why}
	if rep.Chosen != nil {
		d.digits.Serves = rep.Chosen.Engine
	}
	return d.askPictures(ctx)
}

// digitsVersion imports the model; a second time it is the version that is there.
func (d *demo) digitsVersion(ctx context.Context) (client.ModelVersion, error) {
	v, err := d.c.ImportModel(ctx, digits, reader(digitsModel), client.ModelUpload{Filename: "digits-cnn.onnx", Task: "image", Demo: true,
		Description: "A small CNN for pictures of handwritten digits.", IntendedUse: "Shows an image model on both engines. Not for any decision."})
	return v.Version, err
}

// askPictures measures the accuracy on the held-out third through the Open Inference Protocol.
func (d *demo) askPictures(ctx context.Context) error {
	p, err := heldOut()
	if err != nil {
		return err
	}
	const batch = 100
	right := 0
	for from := 0; from < len(p.Images); from += batch {
		to := min(len(p.Images), from+batch)
		in := client.Tensor{Name: "image", Datatype: "FP32", Shape: []int64{int64(to - from), 1, 8, 8}}
		for _, img := range p.Images[from:to] {
			in.Values = append(in.Values, img...)
		}
		a, err := d.c.Infer(ctx, digits, client.InferRequest{Inputs: []client.Tensor{in}})
		if err != nil {
			return err
		}
		scores := a.Outputs[0].Values
		for i := from; i < to; i++ {
			if best(scores[(i-from)*10:(i-from)*10+10]) == p.Labels[i] {
				right++
			}
		}
	}
	d.digits.Images, d.digits.Accuracy = len(p.Images), round(float64(right)/float64(len(p.Images)), 4)
	d.Say("  digits: %.1f %% of %d held-out pictures right; %s serves", 100*d.digits.Accuracy, len(p.Images), d.digits.Serves)
	if d.digits.Accuracy < 0.95 {
		return fmt.Errorf("the digits model gets %.1f %% right, less than 95", 100*d.digits.Accuracy)
	}
	return nil
}

func best(scores []float64) int {
	at := 0
	for i, s := range scores {
		if s > scores[at] {
			at = i
		}
	}
	return at
}
