package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newDataCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "data", "Data sets: import, look, ask, make features", "")
	cmd.Example = `  edgeward data import visits.csv visits
  edgeward data show visits
  edgeward data sql visits "SELECT day, count(*) FROM data GROUP BY day"
  edgeward data recipe visits --target count -o recipe.json`
	cmd.AddCommand(newDataImport(r), newDataList(r), newDataShow(r), newDataProfile(r), newDataRows(r), newDataSQL(r), newDataRecipe(r), newDataFeatures(r), newRemove(r, "Remove a data set that no model was made of", "data set %s and all its versions", "datasets", "data remove visits", datasetNames, (*client.Client).DeleteDataset))
	return cmd
}

func newDataImport(r *remote) *cobra.Command {
	var types []string
	var u client.Upload
	var w waiting
	cmd := &cobra.Command{
		Use:     "import FILE NAME",
		Short:   "Import a CSV or Parquet file as the next version of a data set",
		Example: "  edgeward data import visits.csv visits --type ward:text\n  zcat visits.csv.gz | edgeward data import - visits --filename visits.csv",
		Args:    cobra.ExactArgs(2),
		RunE: r.with(func(ctx context.Context, c *client.Client, args []string) error {
			file := io.NopCloser(r.stdin)
			if args[0] != "-" {
				f, err := open(args[0])
				if err != nil {
					return err
				}
				file = f
				if u.Filename == "" {
					u.Filename = filepath.Base(args[0])
				}
			}
			defer file.Close()
			u.Types = strings.Join(types, ",")
			j, err := c.Import(ctx, args[1], file, u)
			if err != nil {
				return err
			}
			if j, err = r.follow(ctx, c, j, w); err != nil {
				return err
			}
			return r.print(j, func(out io.Writer) {
				if made, err := client.Imported(j); err == nil {
					fmt.Fprintf(out, "%s/%d: %s rows\n", made.DataSet, made.Version, count(made.Rows))
					return
				}
				fmt.Fprintf(out, "job %s\n", j.ID)
			})
		}),
	}
	f := cmd.Flags()
	f.StringArrayVar(&types, "type", nil, "`column:type` where the guess would be wrong; types are float, integer, text, boolean, date, timestamp")
	f.StringVar(&u.Filename, "filename", "", "`name` to remember the file by")
	f.StringVar(&u.Message, "message", "", "`text`: what is new in this version")
	f.StringVar(&u.Description, "description", "", "`text`: what the data set is")
	f.StringVar(&u.Licence, "licence", "", "`name` of the licence of the data")
	f.StringVar(&u.Attribution, "attribution", "", "`text` that must stay beside the data")
	f.StringVar(&u.Note, "note", "", "`text`: how the file was obtained")
	f.StringVar(&u.Key, "key", "", "`key` that makes a repeated import the same import")
	w.flags(cmd)
	return cmd
}

func newDataList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List data sets", Example: "  edgeward data list", Args: cobra.NoArgs}
	limit := limitFlag(cmd, 0)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Dataset], error) { return c.Datasets(ctx, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, d := range all {
				row := []string{d.Name, "", "", "", "", d.Description}
				if v := d.Latest; v != nil {
					row = []string{d.Name, count(v.Number), count(v.Rows), count(len(v.Columns)), when(v.Created), d.Description}
				}
				rows = append(rows, row)
			}
			table(w, "NAME VERSION ROWS COLUMNS CREATED DESCRIPTION", rows)
		})
	})
	return cmd
}

func newDataShow(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME[/N]", Short: "Show a version of a data set", Example: "  edgeward data show visits\n  edgeward data show visits/1 --json", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(datasetNames)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("data set", args[0])
		if err != nil {
			return err
		}
		v, err := c.DatasetVersion(ctx, name, n)
		if err != nil {
			return err
		}
		return r.print(v, func(w io.Writer) {
			facts(w, "data set", fmt.Sprintf("%s/%d", name, v.Number), "rows", count(v.Rows), "digest", string(v.Digest), "file", v.Source.File,
				"format", string(v.Format), "licence", v.Source.Licence, "attribution", v.Source.Attribution, "message", v.Message,
				"created", when(v.Created)+" by "+v.CreatedBy, "time column", v.Roles.Time, "groups", strings.Join(v.Roles.Groups, ", "), "target", v.Roles.Target)
			fmt.Fprintln(w)
			var rows [][]string
			for _, col := range v.Columns {
				rows = append(rows, []string{col.Name, string(col.Type), yes(col.Declared)})
			}
			table(w, "COLUMN TYPE DECLARED", rows)
		})
	})
	return cmd
}

func newDataProfile(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "profile NAME[/N]", Short: "Show the statistics of each column, and the gaps", Example: "  edgeward data profile visits", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(datasetNames)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("data set", args[0])
		if err != nil {
			return err
		}
		p, err := c.Profile(ctx, name, n)
		if err != nil {
			return err
		}
		return r.print(p, func(w io.Writer) { printProfile(w, p) })
	})
	return cmd
}

func printProfile(w io.Writer, p client.ProfileView) {
	var rows [][]string
	for _, col := range p.Profile.Columns {
		spread := ""
		if len(col.Edges) > 0 {
			spread = num(col.Low) + " to " + num(col.High)
		} else if len(col.Categories) > 0 {
			spread = fmt.Sprintf("%d values", len(col.Categories)+len(col.Others))
		}
		rows = append(rows, []string{col.Name, string(col.Kind), count(col.Counts.Count), count(col.Counts.Missing), count(col.Counts.Zeros), spread})
	}
	table(w, "COLUMN KIND ROWS MISSING ZEROS RANGE", rows)
	if cov := p.Profile.Coverage; cov != nil {
		fmt.Fprintf(w, "\n%s by %s, %s to %s\n", cov.Time, cov.Step, cov.From, cov.To)
		var rows [][]string
		for _, s := range cov.Series {
			rows = append(rows, []string{strings.Join(s.Key, " "), count(s.Rows), count(s.Missing), count(s.Zeros)})
		}
		table(w, "SERIES ROWS MISSING_STEPS ZERO_STEPS", rows)
	}
}

func newDataRows(r *remote) *cobra.Command {
	var offset, limit int
	cmd := &cobra.Command{Use: "rows NAME[/N]", Short: "Show rows", Example: "  edgeward data rows visits --limit 5 --offset 100", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(datasetNames)}
	cmd.Flags().IntVar(&offset, "offset", 0, "rows to pass over")
	cmd.Flags().IntVar(&limit, "limit", 50, "rows to show, at most 1000")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("data set", args[0])
		if err != nil {
			return err
		}
		rows, err := c.Rows(ctx, name, n, offset, limit)
		if err != nil {
			return err
		}
		return r.printRows(rows)
	})
	return cmd
}

func (r *remote) printRows(t client.Rows) error {
	return r.print(t, func(w io.Writer) {
		rows := make([][]string, len(t.Rows))
		for i, row := range t.Rows {
			for _, v := range row {
				rows[i] = append(rows[i], value(v))
			}
		}
		heads := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			heads[i] = strings.ReplaceAll(printable(c), " ", "_")
		}
		table(w, strings.Join(heads, " "), rows)
		if int64(len(t.Rows)) < t.Total {
			fmt.Fprintf(r.stderr, "%d of %s rows\n", len(t.Rows), count(t.Total))
		} else if t.Truncated {
			fmt.Fprintln(r.stderr, "there are more rows; raise --limit")
		}
	})
}

func newDataSQL(r *remote) *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "sql NAME[/N] QUERY",
		Short:   "Ask one SELECT over the table data",
		Example: "  edgeward data sql visits \"SELECT ward, avg(count) FROM data GROUP BY ward\"",
		Args:    cobra.ExactArgs(2), ValidArgsFunction: r.completeWith(datasetNames),
	}
	cmd.Flags().IntVar(&limit, "limit", 0, "most rows to answer; 0: the server's own limit")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("data set", args[0])
		if err != nil {
			return err
		}
		rows, err := c.SQL(ctx, name, n, client.SQL{Query: args[1], Limit: limit})
		if err != nil {
			return err
		}
		return r.printRows(rows)
	})
	return cmd
}

func newDataRecipe(r *remote) *cobra.Command {
	var q client.RecipeRequest
	var filters []string
	var out string
	cmd := &cobra.Command{
		Use:     "recipe NAME[/N]",
		Short:   "Suggest a recipe: how features are made of a data set",
		Example: "  edgeward data recipe visits --target count -o recipe.json\n  edgeward data recipe visits --time day --target count --group-by ward --filter kind=all",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(datasetNames),
	}
	f := cmd.Flags()
	f.StringVar(&q.Kind, "kind", "", "forecast or table (default: forecast where there is a time column)")
	f.StringVar(&q.Time, "time", "", "time `column`")
	f.StringVar(&q.Target, "target", "", "`column` to be predicted")
	f.StringVar(&q.Group, "group-by", "", "`column` that names the series")
	f.StringVar(&q.Frequency, "frequency", "", "hourly, daily or weekly")
	f.StringArrayVar(&q.Covariates, "covariate", nil, "further input `column`; a forecast reads it at its origin. May be repeated; a plain table takes all columns where none is named")
	f.StringArrayVar(&filters, "filter", nil, "`column=value`: only these rows")
	f.StringVar(&q.Normalise, "normalise", "", "how the target is normalised, such as level")
	f.BoolVar(&q.Counts, "counts", false, "the target counts something: no forecast below zero")
	f.StringVarP(&out, "output", "o", "", "`file` to write the recipe to")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("data set", args[0])
		if err != nil {
			return err
		}
		if q.Filters, err = pairs("filter", filters); err != nil {
			return err
		}
		a, err := c.Recipe(ctx, name, n, q)
		if err != nil {
			return err
		}
		doc, err := indented(a.Recipe)
		if err != nil {
			return err
		}
		if out != "" {
			if err := os.WriteFile(out, doc, 0o644); err != nil {
				return unreadable(out, err)
			}
		}
		return r.print(a, func(w io.Writer) {
			for _, n := range a.Notes {
				fmt.Fprintln(r.stderr, printable(n))
			}
			if out != "" {
				fmt.Fprintln(w, "recipe", a.Digest, "written to", out)
				return
			}
			_, _ = w.Write(doc)
		})
	})
	return cmd
}

// indented is a JSON document for people, with a final line feed.
func indented(raw json.RawMessage) ([]byte, error) {
	b, err := json.MarshalIndent(raw, "", "  ")
	if err != nil {
		return nil, edgeward.E("json", edgeward.Internal, "", "the server's document cannot be read: %w", err)
	}
	return append(b, '\n'), nil
}

func newDataFeatures(r *remote) *cobra.Command {
	var q client.FeaturesRequest
	var recipe string
	var from, to moment
	cmd := &cobra.Command{
		Use:     "features NAME[/N]",
		Short:   "Show the features that serving sees for the targets of a window",
		Example: "  edgeward data features visits --endpoint visits-tomorrow --from 2024-03-01 --to 2024-03-07",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(datasetNames),
	}
	f := cmd.Flags()
	f.StringVar(&q.Endpoint, "endpoint", "", "`name` of an endpoint: by the recipe of its live version")
	f.StringVar(&q.Model, "model", "", "`name/number` of a model version: by its recipe")
	f.StringVar(&recipe, "recipe", "", "`file` with a recipe")
	f.Var(&from, "from", "first target")
	f.Var(&to, "to", "last target")
	cmd.MarkFlagsMutuallyExclusive("endpoint", "model", "recipe")
	cmd.MarkFlagsOneRequired("endpoint", "model", "recipe")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("data set", args[0])
		if err != nil {
			return err
		}
		if recipe != "" {
			if q.Recipe, err = r.document(recipe); err != nil {
				return err
			}
		}
		q.From, q.To = from.Time, to.Time
		got, err := c.Features(ctx, name, n, q)
		if err != nil {
			return err
		}
		return r.print(got, func(w io.Writer) {
			var rows [][]string
			for _, row := range got.Rows {
				line := []string{row.Group, when(row.Target), some(row.Truth)}
				for _, v := range row.Values {
					line = append(line, some(v))
				}
				rows = append(rows, line)
			}
			table(w, "SERIES TARGET TRUTH "+strings.Join(got.Names, " "), rows)
		})
	})
	return cmd
}

// maxDocument bounds a JSON file of ours.
const maxDocument = 1 << 20

// document reads a JSON file.
func (r *remote) document(path string) (json.RawMessage, error) {
	b, err := r.read(path, maxDocument)
	if err != nil {
		return nil, err
	}
	if !json.Valid(b) {
		return nil, edgeward.E("read", edgeward.Invalid, "file.not_json", "%s is no JSON document", path)
	}
	return b, nil
}
