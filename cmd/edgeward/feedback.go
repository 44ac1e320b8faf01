package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

// maxFeedback bounds a file of feedback, feedbackPage the items of one request.
const (
	maxFeedback  = 64 << 20
	feedbackPage = 5000
)

func newFeedbackCommand(e env) *cobra.Command {
	var file, source, label, note string
	var truth float64
	var wrong, correction bool
	var event moment
	cmd := &cobra.Command{
		Use:   "feedback [PREDICTION | ENDPOINT]",
		Short: "Tell what turned out to be true, or what looks wrong",
		Long: `feedback tells the truth of one prediction, or of many by a CSV file with a header line.
The file has the columns prediction_id and value (or label); or, with the name of an endpoint as argument, target,
value and, where the endpoint has several, series. Columns event_time and note may follow. Saying the same again
changes nothing; another value corrects.`,
		Example: `  edgeward feedback 01JD8Z3V9GQ5W5C0M1YH7T2K4P --truth 231
  edgeward feedback 01JD8Z3V9GQ5W5C0M1YH7T2K4P --wrong --note "there was a strike"
  edgeward feedback visits-tomorrow --file truths.csv`,
		Args: cobra.MaximumNArgs(1),
	}
	r := newRemote(e, cmd)
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "CSV `file`; - is standard input")
	f.Float64Var(&truth, "truth", 0, "the true `value`")
	f.StringVar(&label, "label", "", "the true `class`")
	f.BoolVar(&wrong, "wrong", false, "this looks wrong; the truth is not known")
	f.BoolVar(&correction, "correction", false, "the value stands in place of a truth that was told wrongly")
	f.StringVar(&source, "source", "", "`name` of the system or person that knows (default: you)")
	f.StringVar(&note, "note", "", "`text` for those who will look at it")
	f.Var(&event, "event-time", "when it became true (default now)")
	cmd.MarkFlagsMutuallyExclusive("file", "truth", "label", "wrong")
	cmd.MarkFlagsOneRequired("file", "truth", "label", "wrong")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if file != "" {
			b, err := r.read(file, maxFeedback)
			if err != nil {
				return err
			}
			items, err := readFeedback(b)
			if err != nil {
				return err
			}
			endpoint := ""
			if len(args) == 1 {
				endpoint = args[0]
			}
			return r.feedback(ctx, c, endpoint, source, items)
		}
		if len(args) == 0 {
			return edgeward.E("feedback", edgeward.Invalid, "cli.usage", "which prediction?").WithHint("name its id: it is in the answer, and in edgeward endpoint series")
		}
		item := client.Feedback{Prediction: args[0], Kind: "truth", Label: label, EventTime: event.pointer(), Note: note}
		switch {
		case wrong:
			item.Kind = "wrong"
		case label == "":
			item.Value = &truth
		}
		if correction {
			item.Kind = "correction"
		}
		return r.feedback(ctx, c, "", source, []told{{Feedback: item}})
	})
	return cmd
}

// told is one line of feedback, before the prediction it speaks of is known.
type told struct {
	client.Feedback
	series string
	target time.Time
}

// readFeedback reads a CSV file with a header.
func readFeedback(b []byte) (items []told, err error) {
	in := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	in.ReuseRecord = true
	bad := func(format string, args ...any) ([]told, error) {
		return nil, edgeward.E("feedback", edgeward.Invalid, "feedback.file", format, args...).
			WithHint("columns are prediction_id or target (and series), value or label, and if wanted event_time and note")
	}
	head, err := in.Read()
	if err != nil {
		return bad("the file has no header line")
	}
	head = slices.Clone(head)
	for _, h := range head {
		if !slices.Contains([]string{"prediction_id", "series", "target", "value", "label", "event_time", "note"}, h) {
			return bad("column %q is not known", h)
		}
	}
	has := func(name string) bool { return slices.Contains(head, name) }
	if !has("prediction_id") && !has("target") || !has("value") && !has("label") {
		return bad("the file names no prediction, or no truth")
	}
	for {
		row, err := in.Read()
		if errors.Is(err, io.EOF) {
			return items, nil
		}
		if err != nil {
			return bad("%w", err)
		}
		line, _ := in.FieldPos(0)
		item := told{Feedback: client.Feedback{Kind: "truth"}}
		for i, cell := range row {
			if err := item.set(head[i], cell); err != nil {
				return bad("line %d: %w", line, err)
			}
		}
		if item.Value != nil || item.Label != "" { // a truth that is not known yet is left out
			items = append(items, item)
		}
	}
}

func (t *told) set(column, cell string) error {
	if cell == "" {
		return nil
	}
	var at moment
	switch column {
	case "prediction_id":
		t.Prediction = cell
	case "series":
		t.series = cell
	case "label":
		t.Label = cell
	case "note":
		t.Note = cell
	case "value":
		v, err := strconv.ParseFloat(cell, 64)
		if err != nil {
			return fmt.Errorf("value %.40q is no number", cell)
		}
		t.Value = &v
	case "target", "event_time":
		if err := at.Set(cell); err != nil {
			return fmt.Errorf("%s %.40q: %w", column, cell, err)
		}
		if column == "target" {
			t.target = at.Time
		} else {
			t.EventTime = &at.Time
		}
	}
	return nil
}

// feedback sends items; lines that name a target find their predictions at the endpoint first.
func (r *remote) feedback(ctx context.Context, c *client.Client, endpoint, source string, items []told) error {
	lost, err := identify(ctx, c, endpoint, items)
	if err != nil {
		return err
	}
	sum := client.FeedbackAnswer{Missing: lost}
	var known []client.Feedback
	for _, t := range items {
		if t.Prediction != "" {
			t.Source = source
			known = append(known, t.Feedback)
		}
	}
	for page := range slices.Chunk(known, feedbackPage) {
		a, err := c.Feedback(ctx, page...)
		if err != nil {
			return err
		}
		sum.Accepted, sum.Known, sum.Missing, sum.Refused = sum.Accepted+a.Accepted, sum.Known+a.Known, sum.Missing+a.Missing, sum.Refused+a.Refused
	}
	if err := r.print(sum, func(w io.Writer) {
		fmt.Fprintf(w, "%d accepted, %d known already, %d without a prediction, %d refused\n", sum.Accepted, sum.Known, sum.Missing, sum.Refused)
	}); err != nil {
		return err
	}
	switch bad := sum.Missing + sum.Refused; {
	case bad == 0:
		return nil
	case sum.Accepted+sum.Known == 0:
		return edgeward.E("feedback", edgeward.NotFound, "feedback.none", "nothing was taken").WithHint("do the ids or targets belong to this group's predictions?")
	default:
		return partly("%d of %d lines were not taken", bad, len(items))
	}
}

// identify finds the newest answer of each series and target that items name, and returns how many have none.
func identify(ctx context.Context, c *client.Client, endpoint string, items []told) (lost int, err error) {
	var w client.Window
	for _, t := range items {
		if t.Prediction != "" || t.target.IsZero() {
			continue
		}
		if w.From.IsZero() || t.target.Before(w.From) {
			w.From = t.target
		}
		if t.target.After(w.To) {
			w.To = t.target
		}
	}
	if w.From.IsZero() {
		return 0, nil
	}
	if endpoint == "" {
		return 0, edgeward.E("feedback", edgeward.Invalid, "feedback.endpoint", "the file names targets, not predictions: of which endpoint?").
			WithHint("edgeward feedback ENDPOINT --file FILE")
	}
	said, err := c.Series(ctx, endpoint, w)
	if err != nil {
		return 0, err
	}
	type question struct {
		series string
		target int64
	}
	ids := map[question]string{}
	for _, p := range said {
		if p.Role == "live" || p.Role == "canary" {
			ids[question{p.Group, p.Target.UnixNano()}] = p.Prediction
		}
	}
	for i, t := range items {
		if t.Prediction == "" {
			if items[i].Prediction = ids[question{t.series, t.target.UnixNano()}]; items[i].Prediction == "" {
				lost++
			}
		}
	}
	return lost, nil
}
