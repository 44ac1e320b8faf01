package wire

import (
	"time"

	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// EndpointRequest makes an endpoint. Its first version answers only after a promotion, which needs a reason.
type EndpointRequest struct {
	Name        string `json:"name"`
	Model       string `json:"model"` // whose versions stand behind it
	Description string `json:"description,omitempty"`
	Title       string `json:"title,omitempty"`         // for the Forecast page: "Emergency attendances"
	Record      string `json:"record,omitempty"`        // what prediction records keep of inputs: none (default), features, full
	RecordRate  int    `json:"record_rate,omitempty"`   // predictions recorded a second at most; default 1000. Those that bring an event time are all recorded
	NotFinite   bool   `json:"not_finite,omitempty"`    // NaN and infinity in binary data reach the model; default: refused
	Worker      string `json:"worker,omitempty"`        // shared (default) or own: whom its versions share a process with
	Pinned      bool   `json:"pinned,omitempty"`        // never taken out of memory to make room for others
	IdleUnloadS int    `json:"idle_unload_s,omitempty"` // seconds without a request after which its versions leave the memory; 0: never

	Device         string      `json:"device,omitempty"`          // what its versions run on: auto (default), cpu, onnxruntime-cpu, openvino-cpu, cuda, cuda:1, openvino-gpu, openvino-npu
	DeviceRequired bool        `json:"device_required,omitempty"` // a version that cannot run there is not loaded, instead of running on the CPU
	Demo           bool        `json:"demo,omitempty"`
	Task           models.Task `json:"task,omitempty"`
}

// EndpointChange changes what it names of an endpoint and leaves the rest. Limits count requests, whatever rows they have.
type EndpointChange struct {
	Title         *string      `json:"title,omitempty"`
	Description   *string      `json:"description,omitempty"`
	Record        *string      `json:"record,omitempty"`        // none, features or full
	MaxInFlight   *int         `json:"max_in_flight,omitempty"` // requests at once; 0: the default
	MaxBatch      *int         `json:"max_batch,omitempty"`     // rows of several requests that one run answers at most; 1: each runs alone, 0: as the version allows
	RecordRate    *int         `json:"record_rate,omitempty"`   // predictions recorded a second at most; 0: the default
	Cache         *int         `json:"cache,omitempty"`         // answers of each version kept for equal requests; 0: none
	ShadowWait    *bool        `json:"shadow_wait,omitempty"`   // a full shadow queue makes callers wait instead of dropping
	Rate          *serve.Limit `json:"rate,omitempty"`          // of all callers together
	PrincipalRate *serve.Limit `json:"principal_rate,omitempty"`
	Versions      *string      `json:"versions,omitempty"`      // spec, latest:3, all or specific:1,3
	Worker        *string      `json:"worker,omitempty"`        // shared or own
	Pinned        *bool        `json:"pinned,omitempty"`        // never taken out of memory to make room for others
	IdleUnloadS   *int         `json:"idle_unload_s,omitempty"` // seconds without a request after which its versions leave the memory; 0: never

	Device         *string `json:"device,omitempty"`          // what its versions run on: auto, cpu, onnxruntime-cpu, openvino-cpu, cuda, cuda:1, openvino-gpu, openvino-npu
	DeviceRequired *bool   `json:"device_required,omitempty"` // a version that cannot run there is not loaded, instead of running on the CPU

	Reason string `json:"reason"`
}

// ChangeRequest is promote, canary, shadow, variant, weights, withdraw and roll back: each only writes the endpoint's spec.
// A version is named by its number, or by an alias of the model.
type ChangeRequest struct {
	Version  int            `json:"version,omitempty"`
	Alias    string         `json:"alias,omitempty"`
	Name     string         `json:"name,omitempty"`   // of a variant
	Share    float64        `json:"share,omitempty"`  // of a canary, 0 to 1
	Shares   []VersionShare `json:"shares,omitempty"` // of several canaries: weights
	Reason   string         `json:"reason"`
	Revision uint64         `json:"revision,omitempty"` // the spec revision this change assumes; 0: whatever it is now
}

// VersionShare is what share of the answers a canary has, 0 to 1.
type VersionShare struct {
	Version int     `json:"version"`
	Share   float64 `json:"share"`
}

// FeedbackRequest is truth or a word about predictions, in bulk. It is idempotent by (prediction id, source): the
// newest value counts, earlier ones are kept.
type FeedbackRequest struct {
	Items []Feedback `json:"items"`
}

// Feedback is one line of it. Kind is truth, wrong ("this looks wrong") or correction.
type Feedback struct {
	Prediction string     `json:"prediction_id"`
	Source     string     `json:"source"`
	Kind       string     `json:"kind"`
	Value      *float64   `json:"value,omitempty"`
	Label      string     `json:"label,omitempty"`      // the truth of a named class, instead of a value
	EventTime  *time.Time `json:"event_time,omitempty"` // when it became true; default now
	Note       string     `json:"note,omitempty"`
}

// FeedbackAnswer says what became of the items.
type FeedbackAnswer struct {
	Accepted int `json:"accepted"`
	Known    int `json:"known"`   // said before with the same value
	Missing  int `json:"missing"` // no such prediction in this group
	Refused  int `json:"refused"` // not valid: neither value nor label, a time out of range, …
}

// EndpointStats is what one version behind an endpoint did since the server started.
type EndpointStats struct {
	Version  int     `json:"version"`
	Role     string  `json:"role"`
	Requests uint64  `json:"requests"`
	Errors   uint64  `json:"errors"`
	P50Ms    float64 `json:"p50_ms"`
	P95Ms    float64 `json:"p95_ms"`
	P99Ms    float64 `json:"p99_ms"`
}

// SeriesPoint is one target step of one group: what was said and what happened.
type SeriesPoint struct {
	Prediction string    `json:"prediction_id"`
	Group      string    `json:"group,omitempty"`
	Target     time.Time `json:"target"`
	Version    int       `json:"version"`
	Role       string    `json:"role"`
	Forecast   float64   `json:"forecast"`
	Low        *float64  `json:"low,omitempty"`
	High       *float64  `json:"high,omitempty"`
	Truth      *float64  `json:"truth,omitempty"`
	Flagged    bool      `json:"flagged,omitempty"` // a person said "this looks wrong"
}

// Performance is the error of one version on the answers it gave, between two target days.
type Performance struct {
	Version  int       `json:"version"`
	Role     string    `json:"role"`
	Group    string    `json:"group,omitempty"` // "" is all groups pooled
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Answers  int       `json:"answers"`
	Pairs    int       `json:"pairs"` // answers whose truth is known
	MAE      float64   `json:"mae"`
	Bias     float64   `json:"bias"` // mean of truth minus forecast
	Coverage float64   `json:"coverage"`
	Accuracy *float64  `json:"accuracy,omitempty"` // of a classifier, in place of the errors: the share of its answers that named the true class
}

// ForecastView is the page for the ward manager: the newest answer of each group and how far to trust it.
type ForecastView struct {
	Endpoint  string          `json:"endpoint"`
	Title     string          `json:"title"`
	Unit      string          `json:"unit,omitempty"`
	Frequency string          `json:"frequency,omitempty"` // hourly, daily, weekly: how to speak of the target
	Demo      bool            `json:"demo,omitempty"`
	Phase     string          `json:"phase,omitempty"` // of the loop, so that the page can say "being retrained"
	Alert     bool            `json:"alert,omitempty"`
	Groups    []GroupForecast `json:"groups"`
}

// GroupForecast is one group's newest forecast. Level is the wanted coverage of Low..High (0.8: "8 of 10 such days").
type GroupForecast struct {
	Group      string        `json:"group,omitempty"`
	Prediction string        `json:"prediction_id"`
	Target     time.Time     `json:"target"`
	Forecast   float64       `json:"forecast"`
	Low        *float64      `json:"low,omitempty"`
	High       *float64      `json:"high,omitempty"`
	Level      float64       `json:"level,omitempty"`
	LastSeason *float64      `json:"last_season,omitempty"` // truth one season before the target
	Truth      *float64      `json:"truth,omitempty"`       // of the target, if it has come
	Version    int           `json:"version"`
	SaidAt     time.Time     `json:"said_at"`           // our clock
	EventTime  time.Time     `json:"event_time"`        // forecast origin, as the request said
	DataTo     *time.Time    `json:"data_to,omitempty"` // newest truth known
	Coverage   float64       `json:"coverage"`          // measured share of truths inside the interval
	Covered    int           `json:"covered_days"`      // over how many
	MAE        float64       `json:"mae"`
	Recent     []SeriesPoint `json:"recent"` // the last 60 steps, oldest first
}

// EndpointView is an endpoint with what is wanted, what is observed and what it did.
type EndpointView struct {
	Endpoint serve.Endpoint  `json:"endpoint"`
	Spec     serve.Spec      `json:"spec"`
	Status   serve.Status    `json:"status"`
	Metrics  *serve.Metrics  `json:"metrics,omitempty"`
	Records  record.Overview `json:"records"`
	Phase    string          `json:"phase,omitempty"`   // of the loop, if the endpoint is watched
	Drift    string          `json:"drift,omitempty"`   // quiet, suspected, alarm
	Actions  []string        `json:"actions,omitempty"` // what the asking principal may do: promote, predict, …
	Fields   []Field         `json:"fields,omitempty"`  // what predict expects, of the live version
}
