package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"edgeward/node/wire"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// Aliases of what the API says of endpoints.
type (
	EndpointView     = wire.EndpointView
	EndpointRequest  = wire.EndpointRequest
	EndpointChange   = wire.EndpointChange
	ChangeRequest    = wire.ChangeRequest
	VersionShare     = wire.VersionShare
	Limit            = serve.Limit
	Comparison       = serve.Comparison
	Spec             = serve.Spec
	PredictRequest   = wire.PredictRequest
	Prediction       = wire.Prediction
	PredictInterval  = wire.PredictInterval
	Snippets         = wire.Snippets
	Feedback         = wire.Feedback
	FeedbackRequest  = wire.FeedbackRequest
	FeedbackAnswer   = wire.FeedbackAnswer
	ForecastView     = wire.ForecastView
	SeriesPoint      = wire.SeriesPoint
	Performance      = wire.Performance
	PredictionRecord = record.Summary
	PredictionEntry  = wire.PredictionEntry
)

// Change names what is done to an endpoint's spec.
type Change string

// The changes.
const (
	Promote  Change = "promote"
	Canary   Change = "canary"
	Shadow   Change = "shadow"
	Variant  Change = "variant"
	Weights  Change = "weights"
	Withdraw Change = "withdraw"
	Rollback Change = "rollback"
	Release  Change = "release"
)

// Window bounds a question about an endpoint's answers; zero fields are no bound.
type Window struct {
	From, To time.Time
	Series   string // one series of the endpoint
	Version  int
	Role     string // live, canary, shadow, direct or variant; predictions only
}

func (w Window) query(more ...string) []string {
	q := append([]string{"from", stamp(w.From), "to", stamp(w.To)}, more...)
	if w.Version > 0 {
		q = append(q, "version", itoa(w.Version))
	}
	return q
}

// stamp is t as a query parameter; the zero time is left out.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func endpoint(name string) string { return "/api/v1/endpoints/" + segment(name) }

// Endpoints returns one page of endpoints.
func (c *Client) Endpoints(ctx context.Context, cursor string) (wire.List[EndpointView], error) {
	return get[wire.List[EndpointView]](ctx, c, "/api/v1/endpoints", "cursor", cursor)
}

// Endpoint returns an endpoint: wanted, observed, done.
func (c *Client) Endpoint(ctx context.Context, name string) (EndpointView, error) {
	return get[EndpointView](ctx, c, endpoint(name))
}

// CreateEndpoint makes an endpoint; making an equal one again returns the first.
func (c *Client) CreateEndpoint(ctx context.Context, r EndpointRequest) (EndpointView, error) {
	var out EndpointView
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/endpoints", Body: r, Repeat: true}, &out)
}

// UpdateEndpoint changes what r names of an endpoint's settings.
func (c *Client) UpdateEndpoint(ctx context.Context, name string, r EndpointChange) (EndpointView, error) {
	var out EndpointView
	return out, c.Do(ctx, Request{Method: http.MethodPatch, Path: endpoint(name), Body: r, Repeat: true}, &out)
}

// DeleteEndpoint removes an endpoint.
func (c *Client) DeleteEndpoint(ctx context.Context, name string) error {
	return c.Do(ctx, Request{Method: http.MethodDelete, Path: endpoint(name)}, nil)
}

// ChangeSpec writes the spec of an endpoint and returns it; the server follows. Read the endpoint to see how far it is.
func (c *Client) ChangeSpec(ctx context.Context, name string, change Change, r ChangeRequest) (Spec, error) {
	return post[Spec](ctx, c, endpoint(name)+"/"+string(change), r)
}

// AwaitLive returns when the given version really answers at an endpoint, or with the reason why it cannot.
func (c *Client) AwaitLive(ctx context.Context, name string, version int) (EndpointView, error) {
	for {
		v, err := c.Endpoint(ctx, name)
		if err != nil || v.Status.Live == version {
			return v, err
		}
		for _, s := range v.Status.Versions {
			if s.Version == version && s.Error != "" && s.Attempts > 2 {
				return v, loadError(name, s)
			}
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return v, err
		}
	}
}

// AwaitLoaded waits until every version that has the role in s, which was written just now, can answer. It fails with why one cannot.
func (c *Client) AwaitLoaded(ctx context.Context, name string, s Spec, role record.Role) error {
	var wanted []int
	for _, t := range s.Targets {
		if t.Role == role {
			wanted = append(wanted, t.Version)
		}
	}
	for _, v := range s.Variants {
		if role == record.Variant {
			wanted = append(wanted, v.Version)
		}
	}
	for {
		v, err := c.Endpoint(ctx, name)
		if err != nil {
			return err
		}
		there := 0
		for _, x := range v.Status.Versions {
			switch {
			case !slices.Contains(wanted, x.Version):
			case x.Loaded:
				there++
			case x.Error != "" && x.Attempts > 2:
				return loadError(name, x)
			}
		}
		if v.Status.ObservedRevision >= s.Revision && there >= len(slices.Compact(slices.Sorted(slices.Values(wanted)))) || v.Spec.Revision > s.Revision {
			return nil // or somebody changed it meanwhile
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

// Predict asks with named fields.
func (c *Client) Predict(ctx context.Context, name string, r PredictRequest) ([]Prediction, error) {
	l, err := post[wire.List[Prediction]](ctx, c, endpoint(name)+"/predict", r)
	return l.Items, err
}

// Snippets returns programs that ask an endpoint, in one language or, where lang is "", in all.
func (c *Client) Snippets(ctx context.Context, name, lang string) (Snippets, error) {
	url := c.base
	if c.o.Socket != "" {
		url = "" // the server knows its address
	}
	return get[Snippets](ctx, c, endpoint(name)+"/snippets", "lang", lang, "url", url)
}

// Feedback tells what turned out to be true; saying it again changes nothing.
func (c *Client) Feedback(ctx context.Context, items ...Feedback) (FeedbackAnswer, error) {
	var out FeedbackAnswer
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/feedback", Body: FeedbackRequest{Items: items}, Repeat: true}, &out)
}

// Forecast returns the newest forecast of each series of an endpoint.
func (c *Client) Forecast(ctx context.Context, name string) (ForecastView, error) {
	return get[ForecastView](ctx, c, endpoint(name)+"/forecast")
}

// Series returns forecast against truth between two targets.
func (c *Client) Series(ctx context.Context, name string, w Window) ([]SeriesPoint, error) {
	l, err := get[wire.List[SeriesPoint]](ctx, c, endpoint(name)+"/series", w.query("group", w.Series)...)
	return l.Items, err
}

// Performance returns the error of each version between two targets.
func (c *Client) Performance(ctx context.Context, name string, w Window) ([]Performance, error) {
	l, err := get[wire.List[Performance]](ctx, c, endpoint(name)+"/performance", w.query("group", w.Series)...)
	return l.Items, err
}

// Predictions returns one page of records between two event times, newest first.
func (c *Client) Predictions(ctx context.Context, name string, w Window, cursor string) (wire.List[PredictionRecord], error) {
	return get[wire.List[PredictionRecord]](ctx, c, endpoint(name)+"/predictions", w.query("cursor", cursor, "key", w.Series, "role", w.Role, "limit", "1000")...)
}

// ExportPredictions writes an endpoint's predictions between two event times, with their feedback, to out as "parquet" or
// "csv", with the inputs that its policy kept if inputs is set.
func (c *Client) ExportPredictions(ctx context.Context, name string, w Window, format string, inputs bool, out io.Writer) error {
	q := url.Values{"format": {format}, "inputs": {strconv.FormatBool(inputs)}}
	for key, t := range map[string]time.Time{"from": w.From, "to": w.To} {
		if !t.IsZero() {
			q.Set(key, stamp(t))
		}
	}
	return c.Do(ctx, Request{Path: endpoint(name) + "/predictions/export", Query: q}, out)
}

// Prediction returns everything under one prediction id.
func (c *Client) Prediction(ctx context.Context, id string) (PredictionEntry, error) {
	return get[PredictionEntry](ctx, c, "/api/v1/predictions/"+segment(id))
}
