package wire

import (
	"encoding/json"
	"time"

	"edgeward/runtime/alerts"
	"edgeward/runtime/drift"
	"edgeward/runtime/loop"
	"edgeward/runtime/models"
)

// DriftView is an endpoint's monitor: the newest verdict, its course, the evidence and the loop.
type DriftView struct {
	Endpoint  string         `json:"endpoint"`
	Version   int            `json:"version"` // that is watched
	Settings  drift.Settings `json:"settings"`
	Verdict   *drift.Verdict `json:"verdict,omitempty"`
	Course    []Point        `json:"course"` // one per target, newest last, at most 1,000
	Alert     *alerts.Alert  `json:"alert,omitempty"`
	AlarmAt   *time.Time     `json:"alarm_at,omitempty"`
	Unit      string         `json:"unit,omitempty"`         // what is counted, a point of the course each: hour, day or week of a forecast, answer (one that was judged), or step
	Quiet     int            `json:"quiet_days"`             // units watched before the alarm
	Controls  []ControlRun   `json:"controls"`               // of each watched version, newest last
	Reports   []drift.Report `json:"reports"`                // newest first; an alarm's carries evidence
	Alarmed   *drift.Report  `json:"alarm_report,omitempty"` // the newest alarm's report, with its evidence
	Watermark *time.Time     `json:"watermark,omitempty"`
	Loop      loop.State     `json:"loop"`     // with the policy in force
	Versions  map[string]int `json:"versions"` // numbers of the digests that the loop names
	Busy      bool           `json:"busy"`     // work for this endpoint is queued or running
}

// ControlRun is the detector over validation days that were used for nothing else; over judged answers where those are counted.
type ControlRun struct {
	Version int `json:"version"`
	Days    int `json:"days"`
	Alarms  int `json:"alarms"`
}

// AlertView is an alert with what can be done about it.
type AlertView struct {
	alerts.Alert
	Endpoint string `json:"endpoint,omitempty"`
	Demo     bool   `json:"demo,omitempty"`
}

// CandidateView is an attempt to replace a live version.
type CandidateView = models.CandidateRecord

// NodeStatus is what this server is and how it does.
type NodeStatus struct {
	Site      string         `json:"site"`
	Node      string         `json:"node"`
	Version   string         `json:"version"`
	Started   time.Time      `json:"started"`
	Health    Health         `json:"health"`
	Listeners []Listener     `json:"listeners"`
	Host      map[string]any `json:"host"`
	Workers   []WorkerStatus `json:"workers"`
	Models    ModelMemory    `json:"models"`
	MQTT      map[string]any `json:"mqtt"`
	Storage   map[string]any `json:"storage"`
	Outbound  []Flow         `json:"outbound"` // each flow that may leave this server
	Records   RecordKeys     `json:"records"`
}

// States of RecordKeys.
const (
	KeysOn     = "encrypted"
	KeysLocked = "locked"
	KeysNone   = "none" // of a server that was never started
)

// RecordKeys says how prediction records and feedback lie on the disk. Paths of keys are told, keys never.
type RecordKeys struct {
	State     string `json:"state"` // encrypted, or locked: they can be neither read nor written
	Algorithm string `json:"algorithm"`
	Source    string `json:"source"`           // of the master key: data_dir, file (setting records.key_file), credential (of systemd)
	Path      string `json:"path"`             // of the key file
	Master    string `json:"master,omitempty"` // ID of the master key, not the key
	Files     int    `json:"files"`            // encrypted with the newest data key
	Older     int    `json:"older"`            // with an older one: they are encrypted anew in the background
	Plain     int    `json:"plain"`            // of a program that did not encrypt: they are encrypted in the background
	Why       string `json:"why,omitempty"`    // locked
	Hint      string `json:"hint,omitempty"`
}

// Listener is one address this server answers on.
type Listener struct {
	Name    string `json:"name"`
	Address string `json:"address,omitempty"`
	State   string `json:"state"` // on, off, taken
	Note    string `json:"note,omitempty"`
}

// WorkerStatus is one worker process.
type WorkerStatus struct {
	Kind   string   `json:"kind"`            // infer, infer-own, prove, train, query
	Model  string   `json:"model,omitempty"` // the only one that an infer-own worker holds: "bearings/3"
	PID    int      `json:"pid,omitempty"`
	Starts int      `json:"starts"`
	Deaths int      `json:"deaths"`
	RSS    uint64   `json:"rss_bytes,omitempty"` // resident memory now
	Last   []string `json:"last_errors,omitempty"`
}

// ModelMemory is what the loaded models take.
type ModelMemory struct {
	Budget  int64         `json:"budget_bytes"`
	Held    int64         `json:"held_bytes"` // by the loaded models, as measured when they were proved
	Models  int           `json:"models"`
	Loaded  int           `json:"loaded"`
	Largest []LoadedModel `json:"largest"`
}

// LoadedModel is one model that is in memory, or was and comes back with its next request.
type LoadedModel struct {
	Name   string `json:"name"` // "bearings/3"
	Loaded bool   `json:"loaded"`
	Own    bool   `json:"own,omitempty"` // in a worker of its own
	Pinned bool   `json:"pinned,omitempty"`
	Bytes  int64  `json:"bytes"`
	IdleS  int64  `json:"idle_s"` // seconds since its last request
}

// Flow is a way on which data may leave the server, and what went over it last.
type Flow struct {
	Name string     `json:"name"`
	To   string     `json:"to"`
	What string     `json:"what"`
	Last *time.Time `json:"last,omitempty"`
	Body string     `json:"last_body,omitempty"`
}

// Setting is one configuration value as the Settings page shows it. Secrets have no Value.
type Setting struct {
	Key     string `json:"key"`
	Value   any    `json:"value"`
	Default any    `json:"default"`
	Source  string `json:"source"` // default, file, env, flag
	Doc     string `json:"doc"`
	Secret  bool   `json:"secret,omitempty"`
}

// DemoStatus is where the demonstration stands. The demonstration writes it; the pages show it.
type DemoStatus struct {
	Present       bool            `json:"present"` // demo objects exist
	Running       bool            `json:"running"`
	Stage         string          `json:"stage,omitempty"`
	Stages        []DemoStage     `json:"stages,omitempty"`
	Day           *time.Time      `json:"day,omitempty"` // replayed day
	DaysPerSecond float64         `json:"days_per_second,omitempty"`
	Done          float64         `json:"done"`
	Error         string          `json:"error,omitempty"`
	Report        json.RawMessage `json:"report,omitempty"` // the final document
	Updated       time.Time       `json:"updated,omitzero"`
}

// DemoStage is one stage and its time.
type DemoStage struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	Done    bool    `json:"done"`
	Note    string  `json:"note,omitempty"`
}

// Overview is the first page: what needs me, then how everything does.
type Overview struct {
	Needs     []Need         `json:"needs"`
	Endpoints []EndpointLine `json:"endpoints"`
	Jobs      []JobLine      `json:"jobs"` // newest
	Counts    map[string]int `json:"counts"`
	Health    Health         `json:"health"`
}

// Need is one thing a person should look at. Link is a page of this UI.
type Need struct {
	Severity int       `json:"severity"` // 3 worst
	Code     string    `json:"code"`     // "alert.firing", "candidate.approval", "version.promote", "node.degraded", "job.failed"
	Text     string    `json:"text"`
	Link     string    `json:"link"`
	Since    time.Time `json:"since"`
}

// EndpointLine is an endpoint in one line.
type EndpointLine struct {
	Name     string  `json:"name"`
	Title    string  `json:"title,omitempty"`
	Version  int     `json:"version"`
	State    string  `json:"state"`
	Phase    string  `json:"phase,omitempty"`
	Drift    string  `json:"drift,omitempty"`
	Requests uint64  `json:"requests"`
	P95Ms    float64 `json:"p95_ms"`
	MAE      float64 `json:"mae,omitempty"`
	Demo     bool    `json:"demo,omitempty"`
}

// JobLine is a job in one line.
type JobLine struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	State string    `json:"state"`
	At    time.Time `json:"at"`
}

// Point is the detector's statistic after one target.
type Point struct {
	At        time.Time   `json:"at"`
	Statistic float64     `json:"m"`
	Level     drift.Level `json:"level"`
	Version   int         `json:"version"`
}

// Settled says how far the monitor has come.
type Settled struct {
	Settled   bool      `json:"settled"` // all feedback is seen and no work is under way
	Watermark time.Time `json:"watermark"`
	Phase     string    `json:"phase"`
	Version   int       `json:"version"`
	Alert     string    `json:"alert,omitempty"` // state of the alert
}
