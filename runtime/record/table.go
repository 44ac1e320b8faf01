package record

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"edgeward"
	"edgeward/runtime/segment"
)

// Bounds of a table.
const (
	MaxTableRows  = 500_000   // lines
	MaxTableBytes = 512 << 20 // of the inputs and outputs in it
)

// Table says what of an endpoint's records a table holds. Inputs adds what the policy had kept of them.
type Table struct {
	Group, Endpoint string
	From, To        time.Time // event time: included, excluded; zero: no bound
	Inputs          bool
}

// WriteTable writes the entries that a table is made of as one Parquet file to w, for the query worker to read. It is not
// encrypted: w is. See row for its columns. TooLarge "query.rows" when its tensors are more than MaxTableBytes.
func (l *Log) WriteTable(ctx context.Context, t Table, w io.Writer) error {
	const op = "record.WriteTable"
	if l.locked != nil {
		return l.locked
	}
	l.mu.Lock()
	after := l.forgotten[seriesKey{t.Group, t.Endpoint}]
	l.mu.Unlock()
	wanted := func(m timed) bool { return m.What != rowForget && m.Seq > after && t.has(m) }
	bytes := 0
	err := segment.Export(ctx, l.seg, w, Schema, l.rows(), wanted, func(r *row) (bool, error) {
		if !wanted(timed{r.mark, r.EventTime}) {
			return false, nil
		}
		if !t.Inputs {
			r.Inputs = nil
		}
		if bytes += len(r.Inputs) + len(r.Outputs); bytes > MaxTableBytes {
			return false, edgeward.E(op, edgeward.TooLarge, "query.rows", "more than %d bytes of tensors", MaxTableBytes).WithHint("ask for a shorter time")
		}
		return true, nil
	})
	return edgeward.Wrap(op, err)
}

// timed are the columns that say whether a row belongs to a table.
type timed struct {
	mark
	EventTime time.Time `parquet:"event_time,optional,timestamp(nanosecond:local)"`
}

// has reports whether an entry belongs to the table: predictions of its time, and all feedback that may be about them.
func (t Table) has(m timed) bool {
	switch {
	case m.Group != t.Group:
		return false
	case m.What == rowFeedback:
		return m.Endpoint == t.Endpoint || m.Endpoint == ""
	}
	return m.Endpoint == t.Endpoint && (t.From.IsZero() || !m.EventTime.Before(t.From)) && (t.To.IsZero() || m.EventTime.Before(t.To))
}

// Link gives copies of the log's files, and of its key ring, in dir, an empty folder on its file system, as of one moment: a
// backup. A locked log gives all that lies in its folder.
func (l *Log) Link(dir string) error {
	if l.locked == nil {
		return edgeward.Wrap("record.Link", l.seg.Link(dir))
	}
	entries, err := os.ReadDir(l.dir)
	for _, e := range entries {
		if err == nil && e.Type().IsRegular() {
			err = os.Link(filepath.Join(l.dir, e.Name()), filepath.Join(dir, e.Name()))
		}
	}
	return edgeward.Wrap("record.Link", err)
}

// Ask are the values that the statements ask about, by the names they use.
func (l *Log) Ask(t Table) map[string]string {
	stamp := func(t, none time.Time) string {
		if t.IsZero() {
			t = none
		}
		return t.UTC().Format("2006-01-02 15:04:05.999999999")
	}
	l.mu.Lock()
	after := l.forgotten[seriesKey{t.Group, t.Endpoint}]
	l.mu.Unlock()
	return map[string]string{"of_group": t.Group, "of_endpoint": t.Endpoint, "after": strconv.FormatUint(after, 10), "since": stamp(t.From, firstTime), "until": stamp(t.To, lastTime)}
}

// asked are the predictions a table is about. The view data is the log, the table ask has one row, of texts.
const asked = `p AS (SELECT d.* FROM data d, ask WHERE d.what = 'prediction' AND d."group" = ask.of_group AND d.endpoint = ask.of_endpoint
	AND d.seq > ask.after::UBIGINT AND d.event_time >= ask.since::TIMESTAMP_NS AND d.event_time < ask.until::TIMESTAMP_NS)`

// Count is the statement that says how large the table would be: lines, and bytes of inputs and outputs.
func (t Table) Count() string {
	size := "octet_length(outputs)"
	if t.Inputs {
		size += " + octet_length(inputs)"
	}
	return "WITH " + asked + "\nSELECT coalesce(sum(CASE WHEN width > 0 THEN len(\"values\") // width ELSE 1 END), 0)::BIGINT, coalesce(sum(" + size + "), 0)::BIGINT FROM p"
}

// Select is the statement whose answer is the table: one line for each prediction and row of it that can be compared, with
// the newest truth of that row, in order of event time. It uses the function tensors of the query worker.
func (t Table) Select() string {
	inputs := ""
	if t.Inputs {
		inputs = ",\n\ttensors(p.inputs) AS inputs"
	}
	return "WITH " + asked + `,
said AS (SELECT f.* FROM data f, ask WHERE f.what = 'feedback' AND f."group" = ask.of_group AND f.endpoint IN (ask.of_endpoint, '') AND f.seq > ask.after::UBIGINT),
truth AS (SELECT * FROM said WHERE kind <> 'wrong' QUALIFY row_number() OVER (PARTITION BY id, row ORDER BY kind = 'correction' DESC, seq DESC) = 1),
remark AS (SELECT id, row, count(DISTINCT source) AS wrong, arg_max(note, seq) AS note FROM said WHERE kind = 'wrong' GROUP BY id, row),
line AS (SELECT p.*, unnest(range(CASE WHEN width > 0 THEN len("values") // width ELSE 1 END))::INTEGER AS n FROM p)
SELECT p.id AS prediction_id, p.n AS row, p.version, p.role, nullif(p.source, '') AS source, p.digest, p.event_time, p.target, p.received_at, nullif(p.key, '') AS series,
	p."values"[p.n * p.width + 1] AS value, CASE WHEN p.width > 0 THEN (p."values"[p.n * p.width + 1 : (p.n + 1) * p.width])::VARCHAR END AS "values",
	CASE WHEN t.has_value THEN t.value END AS truth, nullif(t.label, '') AS label, t.kind AS truth_kind, t.source AS truth_source, t.event_time AS truth_time, t.at AS truth_at,
	coalesce(r.wrong, 0)::INTEGER AS wrong, nullif(r.note, '') AS note, p.latency_us, nullif(p.error, '') AS error, p.cut, p.demo,
	tensors(p.outputs) AS outputs` + inputs + `
FROM line p LEFT JOIN truth t ON t.id = p.id AND t.row = p.n LEFT JOIN remark r ON r.id = p.id AND r.row = p.n
ORDER BY p.event_time, p.seq, p.n`
}
