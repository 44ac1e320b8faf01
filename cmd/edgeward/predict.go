package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

// maxRows bounds a file of rows.
const maxRows = 16 << 20

func newPredictCommand(e env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "predict ENDPOINT",
		Short: "Ask an endpoint with named fields",
		Example: `  edgeward predict wine --field acidity=0.3 --field colour=red
  edgeward predict wine --rows rows.json
  edgeward predict scans --image photo.jpg
  echo '[{"acidity": 0.3}]' | edgeward predict wine --rows - --json`,
		Args: cobra.ExactArgs(1),
	}
	r := newRemote(e, cmd)
	cmd.ValidArgsFunction = r.completeWith(endpointNames)
	asking(cmd, r, func(_ context.Context, _ *client.Client, endpoint string) (string, int, error) {
		return endpoint, 0, nil
	})
	return cmd
}

// newModelPredict asks the endpoint that a model stands behind.
func newModelPredict(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "predict NAME[/N]",
		Short: "Ask the endpoint of a model with named fields",
		Long: "predict asks the endpoint that model NAME stands behind, and there version N, where one is named: one that the endpoint\n" +
			"loads. It is edgeward predict by the name of the model.\n\n" + exitCodes,
		Example: "  edgeward model predict wine --field acidity=0.3 --field colour=red\n  edgeward model predict scans/2 --image photo.jpg",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(modelNames),
	}
	asking(cmd, r, endpointOf)
	return cmd
}

// endpointOf is the one endpoint of a model, with the number of the version that is named.
func endpointOf(ctx context.Context, c *client.Client, arg string) (string, int, error) {
	name, n, err := ref("model", arg)
	if err != nil {
		return "", 0, err
	}
	m, err := c.Model(ctx, name)
	if err != nil {
		return "", 0, err
	}
	switch len(m.Endpoints) {
	case 1:
		return m.Endpoints[0], n, nil
	case 0:
		return "", 0, edgeward.E("predict", edgeward.Conflict, "cli.endpoint", "model %s stands behind no endpoint", name).
			WithHint("edgeward endpoint create %s --model %s; edgeward deploy promote %s 1 --reason …; edgeward model bench needs none", name, name, name)
	}
	return "", 0, edgeward.E("predict", edgeward.Conflict, "cli.endpoint", "model %s stands behind %s", name, strings.Join(m.Endpoints, ", ")).
		WithHint("ask one of them: edgeward predict %s", m.Endpoints[0])
}

// asking gives cmd the flags of a prediction; endpoint finds whom the argument means, and which version.
func asking(cmd *cobra.Command, r *remote, endpoint func(context.Context, *client.Client, string) (string, int, error)) {
	var fields, images []string
	var rows string
	var event, target moment
	var q client.PredictRequest
	f := cmd.Flags()
	f.StringArrayVar(&fields, "field", nil, "`name=value` of one row; a value that is JSON is read as such, nothing is a missing value")
	f.StringVar(&rows, "rows", "", "`file` with a JSON list of objects, one per row; - is standard input")
	f.StringArrayVar(&images, "image", nil, "JPEG or PNG `file` for the field that takes pictures, or field=file; repeated, each is a row")
	f.Var(&event, "event-time", "when it happened in the world (default now)")
	f.Var(&target, "target", "the step that a forecast speaks of")
	f.StringVar(&q.Group, "series", "", "`series` within the endpoint")
	f.IntVar(&q.Version, "version", 0, "a certain `version` behind the endpoint; 0: as the endpoint routes")
	f.StringVar(&q.StickyKey, "sticky-key", "", "requests of one `key` go to the same version while the spec stands")
	f.StringVar(&q.Variant, "variant", "", "`name` of the variant that shall answer")
	f.BoolVar(&q.Trace, "trace", false, "say what each node of an inference graph took")
	cmd.MarkFlagsMutuallyExclusive("field", "rows")
	cmd.MarkFlagsMutuallyExclusive("image", "rows")
	cmd.MarkFlagsOneRequired("field", "rows", "image")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := endpoint(ctx, c, args[0])
		if err != nil {
			return err
		}
		if n != 0 {
			q.Version = n
		}
		if q.Rows, err = r.rows(fields, rows); err != nil {
			return err
		}
		if len(images) > 0 {
			if q.Rows, err = r.pictures(ctx, c, name, images, q.Rows[0]); err != nil {
				return err
			}
		}
		q.EventTime, q.Target = event.pointer(), target.pointer()
		all, err := c.Predict(ctx, name, q)
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) { printPredictions(w, all) })
	})
}

func printPredictions(w io.Writer, all []client.Prediction) {
	names := map[string]bool{}
	var level *client.PredictInterval
	for _, p := range all {
		for k := range p.Outputs {
			names[k] = true
		}
		level = p.Interval
	}
	outputs := slices.Sorted(maps.Keys(names))
	var rows [][]string
	for _, p := range all {
		row := []string{}
		for _, k := range outputs {
			if x, ok := p.Outputs[k].(float64); ok {
				row = append(row, num(x))
			} else {
				row = append(row, value(p.Outputs[k]))
			}
		}
		rows = append(rows, append(row, count(p.Version), p.Role, p.ID))
	}
	table(w, strings.Join(append(outputs, "VERSION", "ROLE", "PREDICTION"), " "), rows)
	if level != nil {
		fmt.Fprintf(w, "\nlow to high holds %s of what really happens\n", share(level.Level))
	}
	for i, p := range all {
		for _, note := range p.Notes {
			fmt.Fprintf(w, "row %d: %s\n", i, note)
		}
		for _, s := range p.Trace {
			fmt.Fprintf(w, "row %d: %s (%s) took %s ms from %s ms on\n", i, s.Node, s.What, num(float64(s.TookUS)/1e3), num(float64(s.StartUS)/1e3))
		}
	}
}

// maxPicture bounds a picture: as base64 it must fit a request by named fields.
const maxPicture = 11 << 20

// pictures are rows of one picture each, beside the same other fields.
func (r *remote) pictures(ctx context.Context, c *client.Client, endpoint string, files []string, other map[string]any) ([]map[string]any, error) {
	of := ""
	var rows []map[string]any
	for _, file := range files {
		name, path, named := strings.Cut(file, "=")
		if !named {
			path = file
			if of == "" {
				e, err := c.Endpoint(ctx, endpoint)
				if err != nil {
					return nil, err
				}
				for _, f := range e.Fields {
					if f.Kind == "image" {
						of = f.Name
						break
					}
				}
				if of == "" {
					return nil, edgeward.E("predict", edgeward.Invalid, "cli.no_pictures", "endpoint %s takes no pictures", endpoint).
						WithHint("import the model again with edgeward model import … --image default, and promote that version")
				}
			}
			name = of
		}
		b, err := r.read(path, maxPicture)
		if err != nil {
			return nil, err
		}
		row := maps.Clone(other)
		row[name] = base64.StdEncoding.EncodeToString(b)
		rows = append(rows, row)
	}
	return rows, nil
}

// rows reads one row of fields, or a file.
func (r *remote) rows(fields []string, path string) ([]map[string]any, error) {
	if path == "" {
		kv, err := pairs("field", fields)
		row := map[string]any{}
		for k, v := range kv {
			row[k] = jsonOr(v)
		}
		return []map[string]any{row}, err
	}
	b, err := r.read(path, maxRows)
	if err != nil {
		return nil, err
	}
	var rows []map[string]any
	if err := json.Unmarshal(b, &rows); err != nil {
		var one map[string]any
		if json.Unmarshal(b, &one) != nil {
			return nil, edgeward.E("predict", edgeward.Invalid, "cli.rows", "%s: %w", path, err).WithHint("write a JSON list of objects, such as [{\"age\": 71}]")
		}
		rows = []map[string]any{one}
	}
	return rows, nil
}

// jsonOr reads a value as JSON, as text where it is none; nothing is a missing value.
func jsonOr(s string) any {
	if s == "" {
		return nil
	}
	var v any
	if json.Unmarshal([]byte(s), &v) != nil {
		return s
	}
	return v
}
