package record

import (
	"context"
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

// Files gives the log as Parquet files in dir, an empty folder on the log's file system, for the query worker to read. They
// are the caller's to remove, soon: what is forgotten meanwhile stays in them. See row for their columns.
func (l *Log) Files(ctx context.Context, dir string) ([]string, error) {
	paths, err := segment.Export(ctx, l.seg, dir, Schema, l.rows())
	return paths, edgeward.Wrap("record.Files", err)
}

// Link gives copies of the log's files in dir, an empty folder on its file system, as of one moment: a backup.
func (l *Log) Link(dir string) error { return edgeward.Wrap("record.Link", l.seg.Link(dir)) }

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
