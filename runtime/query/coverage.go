package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/runtime/profile"
)

// maxGroups bounds the group columns of a series.
const maxGroups = 8

// coverage counts what is there and what is not. Steps are calendar steps in UTC. The step is the most frequent distance
// of neighbouring time stamps within a series; a table where fewer than half of the distances are that is irregular. A
// missing step is a step of that length without a row, between two rows of the same series.
func coverage(ctx context.Context, l limits, in CoverageRequest) (*profile.Coverage, error) {
	const op = "query.coverage"
	s, fields, err := openData(ctx, l, in.Path)
	if err != nil {
		return nil, err
	}
	defer s.close()
	t := tableOf(fields)
	if len(in.Groups) > maxGroups {
		return nil, edgeward.E(op, edgeward.TooLarge, "query.groups", "%d group columns; at most %d", len(in.Groups), maxGroups)
	}
	if err := t.check(append([]string{in.Time}, in.Groups...)...); err != nil {
		return nil, err
	}
	switch t.types[in.Time] {
	case "DATE", "TIMESTAMP":
	default:
		return nil, edgeward.E(op, edgeward.Invalid, "query.time_column", "column %.60q holds no times", in.Time).WithHint("choose a column of type date or timestamp")
	}
	where, args, err := t.where(in.Where, "", time.Time{}, time.Time{})
	if err != nil {
		return nil, err
	}
	zero, empty := "0", "0"
	if in.Value != "" {
		if err := t.check(in.Value); err != nil {
			return nil, err
		}
		zero, empty = "count(*) FILTER (TRY_CAST("+name(in.Value)+" AS DOUBLE) = 0)", "count(*) FILTER ("+name(in.Value)+" IS NULL)"
	}
	key := "[]::VARCHAR[]"
	if len(in.Groups) > 0 {
		parts := make([]string, len(in.Groups))
		for i, g := range in.Groups {
			parts[i] = "coalesce(CAST(" + name(g) + " AS VARCHAR), '')"
		}
		key = "[" + strings.Join(parts, ", ") + "]"
	}
	// One row per series and time stamp; "us" is the distance to the time stamp before.
	steps := fmt.Sprintf(`CREATE TEMP TABLE steps AS SELECT *, epoch_us(t) - epoch_us(lag(t) OVER (PARTITION BY k ORDER BY t)) AS us FROM (
		SELECT %s AS k, CAST(%s AS TIMESTAMP) AS t, count(*) AS n, %s AS zeros, %s AS empties FROM data%s GROUP BY ALL) WHERE isfinite(t)`, key, name(in.Time), zero, empty, where)
	if _, err := s.conn.ExecContext(ctx, steps, args...); err != nil {
		return nil, valueFault(op, err)
	}
	out := &profile.Coverage{Time: in.Time, Groups: in.Groups, Value: in.Value, Series: []profile.Series{}}
	month, err := s.step(ctx, out)
	if err != nil {
		return nil, err
	}
	return out, s.series(ctx, out, month)
}

// step finds the step and the range.
func (s *session) step(ctx context.Context, out *profile.Coverage) (month bool, err error) {
	const op = "query.coverage"
	var from, to *time.Time
	var us, share *float64
	var days, wide int64
	q := `SELECT (SELECT min(t) FROM steps), (SELECT max(t) FROM steps), us, n / (SELECT count(us) FROM steps),
		(SELECT count(DISTINCT (extract('day' FROM t), CAST(t AS TIME))) FROM steps), (SELECT count(*) FROM steps WHERE us < 86400000000::BIGINT * 28)
		FROM (SELECT 0 AS one) LEFT JOIN (SELECT us, count(*) AS n FROM steps WHERE us IS NOT NULL GROUP BY us ORDER BY n DESC, us LIMIT 1) ON true`
	if err := s.conn.QueryRowContext(ctx, q).Scan(&from, &to, &us, &share, &days, &wide); err != nil {
		return false, fault(op, err)
	}
	if from != nil {
		out.From, out.To = profile.FormatTime(*from), profile.FormatTime(*to)
	}
	if us == nil {
		return false, nil
	}
	if *us >= 28*86400e6 && *us <= 31*86400e6 && days == 1 && wide == 0 {
		out.Step = "month"
		return true, nil
	}
	if *share < 0.5 || *us < 1e6 {
		return false, nil
	}
	out.StepSeconds = int64(*us / 1e6)
	out.Step = stepName(out.StepSeconds)
	return false, nil
}

func stepName(seconds int64) string {
	units := []struct {
		s    int64
		name string
	}{{7 * 86400, "week"}, {86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}}
	for _, u := range units {
		if n := seconds / u.s; seconds%u.s == 0 {
			if n == 1 {
				return u.name
			}
			return fmt.Sprintf("%d %ss", n, u.name)
		}
	}
	return ""
}

// series counts every series and lists the first MaxSeries with their gaps.
func (s *session) series(ctx context.Context, out *profile.Coverage, month bool) error {
	const op = "query.coverage"
	missing, next, last := "0", "t", "t"
	switch {
	case month:
		missing = "datediff('month', t - to_microseconds(us), t) - 1"
		next, last = "(t - to_microseconds(us)) + INTERVAL 1 MONTH", "t - INTERVAL 1 MONTH"
	case out.StepSeconds > 0:
		step := fmt.Sprint(out.StepSeconds * 1_000_000)
		missing = "greatest(0, (us + " + step + " // 2) // " + step + " - 1)"
		next, last = "(t - to_microseconds(us)) + to_microseconds("+step+")", "t - to_microseconds("+step+")"
	}
	rows, err := s.conn.QueryContext(ctx, fmt.Sprintf(`SELECT k, CAST(sum(n) AS BIGINT), count(*), CAST(coalesce(sum(%s), 0) AS BIGINT), CAST(sum(n - 1) AS BIGINT),
		CAST(sum(zeros) AS BIGINT), CAST(sum(empties) AS BIGINT), min(t), max(t), count(*) OVER () FROM steps GROUP BY k ORDER BY k LIMIT %d`, missing, profile.MaxSeries))
	if err != nil {
		return fault(op, err)
	}
	defer rows.Close()
	for rows.Next() {
		var x profile.Series
		var k any
		var from, to time.Time
		if err := rows.Scan(&k, &x.Rows, &x.Steps, &x.Missing, &x.Duplicates, &x.Zeros, &x.Empty, &from, &to, &out.Total); err != nil {
			return fault(op, err)
		}
		x.Key, x.From, x.To = keyOf(k), profile.FormatTime(from), profile.FormatTime(to)
		out.Series = append(out.Series, x)
	}
	if err := rows.Err(); err != nil {
		return fault(op, err)
	}
	rows.Close()
	each := min(profile.MaxGaps, max(3, profile.MaxGapsInAll/max(1, len(out.Series))))
	gaps, err := s.conn.QueryContext(ctx, fmt.Sprintf(`SELECT k, %s, %s, CAST(%s AS BIGINT) FROM steps WHERE us IS NOT NULL AND %s > 0
		QUALIFY row_number() OVER (PARTITION BY k ORDER BY t) <= %d ORDER BY k, t LIMIT %d`, next, last, missing, missing, each, each*len(out.Series)))
	if err != nil {
		return fault(op, err)
	}
	defer gaps.Close()
	at := 0
	for gaps.Next() {
		var k any
		var from, to time.Time
		var n int64
		if err := gaps.Scan(&k, &from, &to, &n); err != nil {
			return fault(op, err)
		}
		key := keyOf(k)
		for at < len(out.Series) && !slices.Equal(out.Series[at].Key, key) {
			at++
		}
		if at == len(out.Series) {
			break // a series beyond those listed
		}
		out.Series[at].Gaps = append(out.Series[at].Gaps, profile.Gap{From: profile.FormatTime(from), To: profile.FormatTime(to), Steps: n})
	}
	return fault(op, gaps.Err())
}

func keyOf(k any) []string {
	list, _ := k.([]any)
	var out []string
	for _, v := range list {
		s, _ := v.(string)
		out = append(out, s)
	}
	return out
}

// distinct counts combinations of values.
func distinct(ctx context.Context, l limits, in DistinctRequest) (Distinct, error) {
	const op = "query.distinct"
	s, fields, err := openData(ctx, l, in.Path)
	if err != nil {
		return Distinct{}, err
	}
	defer s.close()
	if len(in.Columns) == 0 || len(in.Columns) > maxGroups+1 {
		return Distinct{}, edgeward.E(op, edgeward.Invalid, "query.groups", "%d columns; 1 to %d are compared", len(in.Columns), maxGroups+1)
	}
	if err := tableOf(fields).check(in.Columns...); err != nil {
		return Distinct{}, err
	}
	quoted := make([]string, len(in.Columns))
	for i, c := range in.Columns {
		quoted[i] = name(c)
	}
	var out Distinct
	q := "SELECT (SELECT count(*) FROM data), (SELECT count(*) FROM (SELECT DISTINCT " + strings.Join(quoted, ", ") + " FROM data))"
	return out, fault(op, s.conn.QueryRowContext(ctx, q).Scan(&out.Rows, &out.Distinct))
}
