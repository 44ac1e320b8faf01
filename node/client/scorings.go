package client

import (
	"context"
	"io"
	"net/http"

	"edgeward/node/wire"
	"edgeward/runtime/score"
)

// Aliases, so that a user of the client needs no other package of ours.
type (
	Scoring         = wire.ScoringView
	ScoringRequest  = wire.ScoringRequest
	ScoringSource   = wire.ScoringSource
	ScoringPlaces   = wire.ScoringPlaces
	ScheduleRequest = wire.ScheduleRequest
	ScoringResult   = score.Result
	Sink            = score.Sink
	Delivery        = score.Delivery
)

func scoringPath(name string) string { return "/api/v1/scorings/" + segment(name) }

// Scorings returns one page of scorings, by name.
func (c *Client) Scorings(ctx context.Context, cursor string) (wire.List[Scoring], error) {
	return get[wire.List[Scoring]](ctx, c, "/api/v1/scorings", "cursor", cursor)
}

// Scoring returns a scoring with its newest run.
func (c *Client) Scoring(ctx context.Context, name string) (Scoring, error) {
	return get[Scoring](ctx, c, scoringPath(name))
}

// ScoringPlaces says where results may be sent.
func (c *Client) ScoringPlaces(ctx context.Context) (ScoringPlaces, error) {
	return get[ScoringPlaces](ctx, c, "/api/v1/scoring-places")
}

// CreateScoring makes a scoring.
func (c *Client) CreateScoring(ctx context.Context, r ScoringRequest) (Scoring, error) {
	return post[Scoring](ctx, c, "/api/v1/scorings", r)
}

// Schedule sets, pauses or resumes a schedule.
func (c *Client) Schedule(ctx context.Context, name string, r ScheduleRequest) (Scoring, error) {
	return post[Scoring](ctx, c, scoringPath(name)+"/schedule", r)
}

// ScoringFile uploads what the next run reads.
func (c *Client) ScoringFile(ctx context.Context, name, filename string, file io.Reader) (Scoring, error) {
	var out Scoring
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: scoringPath(name) + "/file", Body: file, Query: values([]string{"filename", filename}),
		Header: map[string]string{"Content-Type": "application/octet-stream"}}, &out)
}

// RunScoring queues a run.
func (c *Client) RunScoring(ctx context.Context, name string) (Job, error) {
	return post[Job](ctx, c, scoringPath(name)+"/run", nil)
}

// CancelScoring ends the run that is going.
func (c *Client) CancelScoring(ctx context.Context, name string) (Job, error) {
	return post[Job](ctx, c, scoringPath(name)+"/cancel", nil)
}

// ScoringRuns returns one page of runs, newest first.
func (c *Client) ScoringRuns(ctx context.Context, name, cursor string) (wire.List[Job], error) {
	return get[wire.List[Job]](ctx, c, scoringPath(name)+"/runs", "cursor", cursor)
}

// ScoringResultFile writes the file of a run to out; an empty run is the newest that succeeded.
func (c *Client) ScoringResultFile(ctx context.Context, name, run string, out io.Writer) error {
	return c.Do(ctx, Request{Path: scoringPath(name) + "/result", Query: values([]string{"run", run})}, out)
}

// Deliveries returns one page of a scoring's deliveries, newest first.
func (c *Client) Deliveries(ctx context.Context, name, cursor string) (wire.List[Delivery], error) {
	return get[wire.List[Delivery]](ctx, c, scoringPath(name)+"/deliveries", "cursor", cursor)
}

// DeliverAgain sends a result again.
func (c *Client) DeliverAgain(ctx context.Context, id string) (Delivery, error) {
	return post[Delivery](ctx, c, "/api/v1/deliveries/"+segment(id)+"/again", nil)
}

// DeleteScoring removes a scoring and its deliveries.
func (c *Client) DeleteScoring(ctx context.Context, name string) error {
	return c.Do(ctx, Request{Method: http.MethodDelete, Path: scoringPath(name)}, nil)
}
