package work

import (
	"context"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/record"
)

// maxFeedback bounds the items of one request.
const maxFeedback = 10_000

// Feedback stores truths and remarks; it returns when all are durable.
func (w *Work) Feedback(ctx context.Context, who Who, in wire.FeedbackRequest) (wire.FeedbackAnswer, error) {
	const op = "work.Feedback"
	if len(in.Items) == 0 || len(in.Items) > maxFeedback {
		return wire.FeedbackAnswer{}, edgeward.E(op, edgeward.Invalid, "feedback.items", "%d items; send 1 to %d", len(in.Items), maxFeedback)
	}
	now := w.Now()
	all := make([]record.Feedback, len(in.Items))
	for i, f := range in.Items {
		all[i] = record.Feedback{Group: who.Group, PredictionID: f.Prediction, Source: f.Source, Kind: record.Kind(f.Kind), Value: f.Value, Label: f.Label,
			EventTime: now, At: now, Principal: who.Principal, Note: f.Note}
		if all[i].Source == "" {
			all[i].Source = who.Principal
		}
		if f.EventTime != nil {
			all[i].EventTime = *f.EventTime
		}
	}
	outcomes, err := w.Records.AddFeedback(ctx, all)
	if err != nil {
		return wire.FeedbackAnswer{}, edgeward.Wrap(op, err)
	}
	var a wire.FeedbackAnswer
	var first error
	for _, o := range outcomes {
		switch {
		case o.Err == nil && o.Stored:
			a.Accepted++
		case o.Err == nil:
			a.Known++
		case edgeward.KindOf(o.Err) == edgeward.NotFound:
			a.Missing++
		case first == nil:
			first = o.Err
		}
	}
	if first != nil && a.Accepted+a.Known == 0 {
		return a, first
	}
	a.Refused = len(outcomes) - a.Accepted - a.Known - a.Missing
	return a, nil
}
