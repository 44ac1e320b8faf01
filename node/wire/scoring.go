package wire

import (
	"time"

	"edgeward/runtime/jobs"
	"edgeward/runtime/score"
)

// ScoringRequest makes a scoring.
type ScoringRequest struct {
	Name      string            `json:"name"`
	Endpoint  string            `json:"endpoint"`
	Version   int               `json:"version,omitempty"` // behind the endpoint; 0: as it routes
	Source    ScoringSource     `json:"source"`
	Time      string            `json:"time,omitempty"`       // column with the event time
	Target    string            `json:"target,omitempty"`     // column with the time a forecast speaks of
	Series    string            `json:"series,omitempty"`     // column with the series
	Columns   map[string]string `json:"columns,omitempty"`    // field → column
	History   bool              `json:"history,omitempty"`    // of a forecast: every step of the data
	Format    string            `json:"format,omitempty"`     // csv or parquet
	MaxFailed int               `json:"max_failed,omitempty"` // rows that may fail; default 1000
	Sinks     []score.Sink      `json:"sinks,omitempty"`
	Schedule  string            `json:"schedule,omitempty"`
	Zone      string            `json:"zone,omitempty"`
	Demo      bool              `json:"demo,omitempty"`
}

// ScoringSource says where the rows come from: data_set, file (uploaded afterwards) or mqtt.
type ScoringSource struct {
	Kind    string `json:"kind"`
	DataSet string `json:"data_set,omitempty"`
	Version int    `json:"version,omitempty"` // of the data set; 0: the newest when a run begins
	Topic   string `json:"topic,omitempty"`   // default: …/predict/ENDPOINT of this server
}

// Scoring is what the request makes, but for what the server gives.
func (r ScoringRequest) Scoring() score.Scoring {
	return score.Scoring{Name: r.Name, Endpoint: r.Endpoint, Version: r.Version, Time: r.Time, Target: r.Target, Series: r.Series, Columns: r.Columns, History: r.History,
		Source: score.Source{Kind: r.Source.Kind, DataSet: r.Source.DataSet, Version: r.Source.Version, Topic: r.Source.Topic},
		Format: r.Format, MaxFailed: r.MaxFailed, Sinks: r.Sinks, Schedule: r.Schedule, Zone: r.Zone, Demo: r.Demo}
}

// ScheduleRequest changes when a scoring runs. What is absent stays; an empty schedule is none.
type ScheduleRequest struct {
	Schedule *string `json:"schedule,omitempty"`
	Zone     string  `json:"zone,omitempty"` // of Schedule
	Paused   *bool   `json:"paused,omitempty"`
}

// ScoringView is a scoring with when it runs next and its newest run.
type ScoringView struct {
	score.Scoring
	Next    *time.Time `json:"next,omitempty"` // run by the schedule
	Run     *jobs.Job  `json:"run,omitempty"`  // the newest
	Actions []string   `json:"actions,omitempty"`
}

// ScoringPlaces are the sinks that the administrator configured, by name.
type ScoringPlaces struct {
	Drops    []string `json:"drops"`
	Webhooks []string `json:"webhooks"`
}

// PredictionMessage answers a message that came by MQTT, after the header that all messages have.
type PredictionMessage struct {
	ID          string       `json:"id,omitempty"` // of the request, as the client gave it
	Scoring     string       `json:"scoring"`
	Endpoint    string       `json:"endpoint"`
	At          time.Time    `json:"at"` // our clock
	Predictions []Prediction `json:"predictions"`
}

// ErrorMessage says why a message was not answered.
type ErrorMessage struct {
	ID       string            `json:"id,omitempty"`
	Scoring  string            `json:"scoring"`
	Endpoint string            `json:"endpoint"`
	At       time.Time         `json:"at"`
	Kind     string            `json:"kind"`
	Code     string            `json:"code"`
	Message  string            `json:"message"`
	Hint     string            `json:"hint,omitempty"`
	Params   map[string]string `json:"params,omitempty"`
}

// ScoringMessage is a part of a run's result. Lines are those of the CSV file, as texts.
type ScoringMessage struct {
	Scoring  string     `json:"scoring"`
	Endpoint string     `json:"endpoint"`
	Run      string     `json:"run"`
	Delivery string     `json:"delivery"`
	Rows     int64      `json:"rows"` // of the whole run
	Answered int64      `json:"answered"`
	Failed   int64      `json:"failed"`
	Part     int        `json:"part"` // from 1
	Last     bool       `json:"last"`
	Columns  []string   `json:"columns"`
	Lines    [][]string `json:"lines"`
}
