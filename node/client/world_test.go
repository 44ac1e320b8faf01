package client_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"edgeward/node/client"
)

// serveFeatures gives rows whose only feature is the number of the live version; the one of day 5 is missing.
func (w *world) serveFeatures(rw http.ResponseWriter, r *http.Request) {
	w.features++
	var q client.FeaturesRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil || q.Endpoint != "beds" {
		w.t.Errorf("features asked with %+v, %v", q, err)
	}
	out := client.Features{Names: []string{"x"}, Rows: []client.FeatureRow{}}
	for d := w.horizon; d <= w.last; d++ {
		// As the server does, a bound within a day takes the whole day.
		if days(d).Before(q.From.Truncate(24*time.Hour)) || days(d).After(q.To) {
			continue
		}
		for _, s := range w.series {
			truth, x := float64(d), float64(w.live)
			row := client.FeatureRow{Group: s, Origin: days(d - w.horizon), Target: days(d), Truth: &truth, Values: []*float64{&x, nil}}
			if d == 5 {
				row.Truth = nil
			}
			out.Rows = append(out.Rows, row)
		}
	}
	answer(rw, out)
}

func (w *world) infer(rw http.ResponseWriter, r *http.Request) {
	if w.busy > 0 {
		w.busy--
		rw.WriteHeader(http.StatusServiceUnavailable)
		answer(rw, map[string]string{"error": "loading", "code": "endpoint.not_ready", "hint": "wait"})
		return
	}
	version, role := w.live, "live"
	if v := r.PathValue("v"); v != "" {
		version, _ = strconv.Atoi(v)
		role = "direct"
		if !w.behind[version] {
			rw.WriteHeader(http.StatusNotFound)
			answer(rw, map[string]string{"error": "no version", "code": "version.not_found"})
			return
		}
	}
	var q struct {
		Parameters map[string]string `json:"parameters"`
		Inputs     []client.Tensor   `json:"inputs"`
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		w.t.Error(err)
	}
	origin, _ := time.Parse(time.RFC3339, q.Parameters["edgeward_event_time"])
	target, _ := time.Parse(time.RFC3339, q.Parameters["edgeward_target_time"])
	if in := q.Inputs[0]; in.Name != "features" || in.Datatype != "FP32" || in.Shape[1] != 2 || in.Values[1] == in.Values[1] {
		w.t.Errorf("asked with %+v; want two features, the second one missing", in)
	}
	w.next++
	id := fmt.Sprintf("P%03d", w.next)
	w.log = append(w.log, fmt.Sprintf("ask %d>%d v%d x%g", dayOf(origin), dayOf(target), version, q.Inputs[0].Values[0]))
	forecast := 100 + float64(dayOf(target))
	w.said = append([]client.PredictionRecord{{ID: id, Version: version, Role: "live", EventTime: origin, Target: target, Key: q.Parameters["edgeward_key"], Values: []float64{forecast, forecast - 1, forecast + 1}}}, w.said...)
	if role == "direct" {
		w.said[0].Role = "direct"
	}
	answer(rw, map[string]any{"id": id, "model_version": strconv.Itoa(version), "parameters": map[string]string{"edgeward_prediction_id": id, "edgeward_role": role},
		"outputs": []client.Tensor{{Name: "forecast", Datatype: "FP32", Shape: []int64{1}, Values: []float64{forecast}}, {Name: "low", Datatype: "FP32", Shape: []int64{1}, Values: []float64{forecast - 1}}}})
}

func dayOf(t time.Time) int { return int(t.Sub(day0).Hours() / 24) }

func (w *world) feedback(rw http.ResponseWriter, r *http.Request) {
	var q client.FeedbackRequest
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		w.t.Error(err)
	}
	var a client.FeedbackAnswer
	for _, f := range q.Items {
		w.log = append(w.log, fmt.Sprintf("truth %g", *f.Value))
		a.Missing++
		for i := range w.said {
			if w.said[i].ID == f.Prediction {
				w.said[i].Truth = f.Value
				a.Missing--
				a.Accepted++
			}
		}
	}
	answer(rw, a)
}
