package score

import (
	"strings"
	"time"
	"unicode/utf8"

	"edgeward"
)

// Bounds of a scoring and its runs.
const (
	MaxRows      = 5_000_000 // of one run
	MaxSinks     = 8
	MaxErrors    = 100       // rows whose errors a run keeps; all are counted
	KeptResults  = 10        // newest runs of a scoring whose files are kept
	maxFailed    = 1_000_000 // of Scoring.MaxFailed
	defMaxFailed = 1000
	maxColumns   = 64 // renamed
	maxText      = 200
)

// Where the rows come from.
const (
	DataSet = "data_set" // a version of a data set: the newest one when the run begins, unless one is named
	File    = "file"     // the file that was uploaded last
	MQTT    = "mqtt"     // messages of a topic, each answered when it comes
)

// Source says which rows. Exactly the fields of its kind are set.
type Source struct {
	Kind    string          `json:"kind"` // data_set, file, mqtt
	DataSet string          `json:"data_set,omitempty"`
	Version int             `json:"version,omitempty"`  // of the data set; 0: the newest when a run begins
	Bytes   edgeward.Digest `json:"bytes,omitempty"`    // of the uploaded file; given by the server
	Name    string          `json:"filename,omitempty"` // of it, for people
	Topic   string          `json:"topic,omitempty"`    // default: …/predict/<endpoint> of this node
}

// How results leave.
const (
	ToDataSet = "data_set" // the next version of a data set here
	ToDrop    = "drop"     // a file in a folder that the administrator configured
	ToWebhook = "webhook"  // an HTTP POST to a URL that the administrator configured
	ToMQTT    = "mqtt"     // messages on …/scoring/<scoring> of this node
)

// Sink is one receiver of each run's result. The file of a run can be downloaded in any case.
type Sink struct {
	Kind string `json:"kind"`           // data_set, drop, webhook, mqtt
	Name string `json:"name,omitempty"` // of the data set, the drop or the webhook
}

// String is for people.
func (s Sink) String() string { return strings.TrimSuffix(s.Kind+":"+s.Name, ":") }

// Scoring is what is to be scored when. Its name is unique within the group.
type Scoring struct {
	Group     string            `json:"group"`
	Name      string            `json:"name"`
	ID        string            `json:"id"` // ULID; a scoring made again under the name has another
	Endpoint  string            `json:"endpoint"`
	Version   int               `json:"version,omitempty"` // behind the endpoint; 0: as it routes
	Source    Source            `json:"source"`
	Time      string            `json:"time,omitempty"`    // column with the event time of a row; a date or a time stamp
	Target    string            `json:"target,omitempty"`  // column with the time a forecast speaks of
	Series    string            `json:"series,omitempty"`  // column with the series within the endpoint
	Columns   map[string]string `json:"columns,omitempty"` // field of the endpoint → column, where they are not called alike
	History   bool              `json:"history,omitempty"` // of a forecast: every step of the data, not only those it does not know yet
	Format    string            `json:"format,omitempty"`  // of the result: csv (default) or parquet
	MaxFailed int               `json:"max_failed"`        // rows that may fail before the run does; default 1000
	Sinks     []Sink            `json:"sinks,omitempty"`
	Schedule  string            `json:"schedule,omitempty"` // see ParseSchedule; empty: only by hand
	Zone      string            `json:"zone,omitempty"`     // of the schedule, such as Europe/Berlin; default UTC
	Paused    bool              `json:"paused,omitempty"`
	Created   time.Time         `json:"created"`
	By        string            `json:"by"`
	Demo      bool              `json:"demo,omitempty"`

	// Since is the time after which slots count: of the newest slot taken, of making, changing or resuming the schedule.
	Since time.Time `json:"since"`
	Last  string    `json:"last,omitempty"` // job of the newest run
}

// Check fills defaults in and says what is wrong with a scoring: Invalid with a code of score.*.
func (s *Scoring) Check() error {
	const op = "score.Check"
	bad := func(code, hint, format string, args ...any) error {
		return edgeward.E(op, edgeward.Invalid, code, format, args...).WithHint("%s", hint)
	}
	if err := edgeward.CheckName("scoring", s.Name); err != nil {
		return err
	}
	if err := edgeward.CheckName("endpoint", s.Endpoint); err != nil {
		return err
	}
	if s.MaxFailed == 0 {
		s.MaxFailed = defMaxFailed
	}
	switch {
	case s.Version < 0 || s.Source.Version < 0 || s.MaxFailed < 0 || s.MaxFailed > maxFailed:
		return bad("score.number", "numbers are 0 or more", "a number is out of range")
	case len(s.Columns) > maxColumns || tooLong(s.Time, s.Target, s.Series, s.Source.Name):
		return bad("score.text", "column names have at most 200 bytes, 64 may be renamed", "a text is too long, or there are too many columns")
	case len(s.Sinks) > MaxSinks:
		return bad("score.sinks", "send results to 8 places at most", "%d sinks", len(s.Sinks))
	}
	for field, column := range s.Columns {
		if field == "" || column == "" || tooLong(field, column) {
			return bad("score.text", "write field=column", "a field or column without a name, or too long")
		}
	}
	if err := s.checkSource(bad); err != nil {
		return err
	}
	if err := s.checkSinks(); err != nil {
		return err
	}
	_, err := s.schedule()
	return err
}

func tooLong(all ...string) bool {
	for _, s := range all {
		if len(s) > maxText || !utf8.ValidString(s) {
			return true
		}
	}
	return false
}

func (s *Scoring) checkSource(bad func(code, hint, format string, args ...any) error) error {
	src := s.Source
	switch src.Kind {
	case DataSet:
		if err := edgeward.CheckName("data set", src.DataSet); err != nil {
			return err
		}
		if src.Topic != "" || src.Bytes != "" || src.Name != "" {
			return bad("score.source", "leave topic and file out", "a data set has neither topic nor file")
		}
	case File:
		if src.Topic != "" || src.DataSet != "" || src.Version != 0 {
			return bad("score.source", "leave topic and data set out", "a file has neither topic nor data set")
		}
	case MQTT:
		if src.DataSet != "" || src.Version != 0 || src.Bytes != "" || src.Name != "" {
			return bad("score.source", "leave data set and file out", "a topic has neither data set nor file")
		}
		if s.Schedule != "" || len(s.Sinks) > 0 || s.Time+s.Target+s.Series != "" || len(s.Columns) > 0 || s.Format != "" {
			return bad("score.source", "the message itself has event_time, target and group, and its answer goes to MQTT",
				"a scoring of messages has no schedule, sinks, columns or format")
		}
		if src.Topic != "" {
			return CheckTopic(src.Topic)
		}
		return nil
	default:
		return bad("score.source", "choose data_set, file or mqtt", "there is no source %.40q", src.Kind)
	}
	switch s.Format {
	case "":
		s.Format = "csv"
	case "csv", "parquet":
	default:
		return bad("score.format", "choose csv or parquet", "there is no format %.40q", s.Format)
	}
	return nil
}

func (s *Scoring) checkSinks() error {
	const op = "score.Check"
	seen := map[Sink]bool{}
	for _, k := range s.Sinks {
		switch k.Kind {
		case ToDataSet, ToDrop, ToWebhook:
			if err := edgeward.CheckName(strings.ReplaceAll(k.Kind, "_", " "), k.Name); err != nil {
				return err
			}
			if k.Kind == ToDataSet && s.Source.Kind == DataSet && k.Name == s.Source.DataSet {
				return edgeward.E(op, edgeward.Invalid, "score.sinks", "the results would become a version of the data set they come from").WithHint("choose another data set for the results")
			}
		case ToMQTT:
			if s.Format != "csv" {
				return edgeward.E(op, edgeward.Invalid, "score.sinks", "messages carry the lines of a CSV file").WithHint("choose the format csv")
			}
			if k.Name != "" {
				return edgeward.E(op, edgeward.Invalid, "score.sinks", "the sink mqtt has no name").WithHint("its topic is …/scoring/%s of this node", s.Name)
			}
		default:
			return edgeward.E(op, edgeward.Invalid, "score.sinks", "there is no sink %.40q", k.Kind).WithHint("choose data_set, drop, webhook or mqtt")
		}
		if seen[k] {
			return edgeward.E(op, edgeward.Invalid, "score.sinks", "sink %s is there twice", k).WithHint("name each sink once")
		}
		seen[k] = true
	}
	return nil
}

// CheckTopic says what is wrong with a topic that requests come on: Invalid "score.topic".
func CheckTopic(t string) error {
	if t == "" || len(t) > maxText || !utf8.ValidString(t) || strings.ContainsAny(t, "+#\x00$") || strings.HasPrefix(t, "/") {
		return edgeward.E("score.CheckTopic", edgeward.Invalid, "score.topic", "%.80q is no topic that can be listened to", t).
			WithHint("write a topic of at most 200 bytes without + # and $, such as plant/press-4/ask")
	}
	return nil
}

// RowError is why one row was not answered.
type RowError struct {
	Row     int64  `json:"row"` // from 0
	Code    string `json:"code"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// Result is the result of a run's job.
type Result struct {
	Scoring  string          `json:"scoring"`
	Endpoint string          `json:"endpoint"`
	DataSet  string          `json:"data_set,omitempty"` // that was read
	Version  int             `json:"version,omitempty"`  // of it
	Rows     int64           `json:"rows"`
	Answered int64           `json:"answered"`
	Failed   int64           `json:"failed"`
	Versions map[int]int64   `json:"versions,omitempty"` // model version → rows it answered
	Errors   []RowError      `json:"errors,omitempty"`   // the first MaxErrors
	Format   string          `json:"format"`
	Bytes    edgeward.Digest `json:"bytes"` // of the file
	Size     int64           `json:"size"`
}

// Spec is the spec of a run's job: the scoring as it was when the run was asked for.
type Spec struct {
	Scoring Scoring         `json:"scoring"`
	Slot    *time.Time      `json:"slot,omitempty"`  // of the schedule; nil: by hand
	Bytes   edgeward.Digest `json:"bytes,omitempty"` // of the uploaded file, so that it stays
}

// How a prediction's record says it came (record.Prediction.Source).
const (
	ByHand     = "batch"
	BySchedule = "schedule"
	ByMQTT     = "mqtt"
)

// Came is what records of the run say.
func (s Spec) Came() string {
	if s.Slot != nil {
		return BySchedule
	}
	return ByHand
}
