package outbox

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/runtime/drift"
)

// Schemas of bodies, which are also the names of their events (spec.Event.What).
const (
	AlertSchema = "edgeward.event/1"
	DriftSchema = drift.Schema
)

// Summary is what leaves of a drift report. The names of series and columns stay, because they are the data's.
type Summary struct {
	Group     string       `json:"group"`
	Endpoint  string       `json:"endpoint"`
	Model     string       `json:"model"`
	Version   string       `json:"version"` // digest
	Window    drift.Window `json:"window"`
	Verdict   drift.Level  `json:"verdict"`
	Since     time.Time    `json:"since"`
	Episode   string       `json:"event_id,omitempty"`
	Statistic float64      `json:"statistic"`
	Threshold float64      `json:"threshold"`
	Promise   bool         `json:"promise"`
}

// Notice is what leaves of an alert.
type Notice struct {
	Group    string    `json:"group"`
	Endpoint string    `json:"endpoint"`
	Version  string    `json:"version"`
	Alert    string    `json:"alert"`
	State    string    `json:"state"`
	Severity int       `json:"severity"`
	Code     string    `json:"code"`
	On       time.Time `json:"on"` // event time
	At       time.Time `json:"at"`
}

// Message makes an event of a message that is for others too, such as over MQTT: key is its natural key, the same on every way. Its time
// is in the body. A schema that is not for the hub is false.
func Message(schema, key string, body []byte) (spec.Event, bool) {
	out, err := Admit(spec.Event{ID: key, What: schema, Body: body})
	return out, err == nil
}

// Admit returns e with what may leave the node and nothing else, or Forbidden "fleet.event" for what may not leave at all.
func Admit(e spec.Event) (spec.Event, error) {
	out := spec.Event{ID: e.ID, Class: e.Class, At: e.At.UTC(), What: e.What, Object: e.Object}
	var err error
	switch {
	case e.Class == spec.Audit && e.Body == nil:
		out.By, out.Group, out.Reason, out.Seq, out.Prev, out.Detail = e.By, e.Group, e.Reason, e.Seq, e.Prev, details(e.Detail)
	case e.What == DriftSchema:
		var s Summary
		out.Class = spec.Drift
		out.Body, err = only(e.Body, &s)
		out.Object, out.At = s.Endpoint, s.Window.To.UTC()
	case e.What == AlertSchema:
		var n Notice
		out.Class = spec.Alert
		out.Body, err = only(e.Body, &n)
		out.Object, out.At = n.Endpoint, n.At.UTC()
	default:
		err = edgeward.E("outbox.Admit", edgeward.Forbidden, "fleet.event", "%.100q is not among what leaves a server for its hub", e.What)
	}
	if err == nil {
		err = out.Check()
	}
	return out, err
}

// only reads b as v, a struct of the fields that are let through, and writes those.
func only(b []byte, v any) (json.RawMessage, error) {
	if len(b) > spec.MaxEvent {
		return nil, edgeward.E("outbox.Admit", edgeward.TooLarge, "fleet.event", "%d bytes", len(b))
	}
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(v); err != nil {
		return nil, edgeward.E("outbox.Admit", edgeward.Invalid, "fleet.event", "%v", err)
	}
	out, err := json.Marshal(v)
	if err == nil && len(out) > 4<<10 {
		err = edgeward.E("outbox.Admit", edgeward.TooLarge, "fleet.event", "%d bytes", len(out))
	}
	return out, err
}

// leaves are the details of audit lines that may leave: numbers, digests, codes and names of our own nouns. What users' data brings, such as the
// name of a file or the address of a sink, stays.
var leaves = map[string]bool{"alert": true, "alias": true, "bytes": true, "code": true, "deaths": true, "device": true, "digest": true, "engine": true, "job": true, "kind": true,
	"live_before": true, "manifest": true, "on": true, "report": true, "revision": true, "rows": true, "run": true, "target": true, "version": true, "wanted": true}

func details(in map[string]string) map[string]string {
	var out map[string]string
	for k, v := range in {
		if !leaves[k] && !strings.HasPrefix(k, "version_") && !strings.HasPrefix(k, "weight_") {
			continue
		}
		if out == nil {
			out = map[string]string{}
		}
		out[k] = v[:min(len(v), 200)]
	}
	return out
}
