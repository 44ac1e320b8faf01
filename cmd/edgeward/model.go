package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward/node/client"
	"edgeward/runtime/models"
)

func newModelCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "model", "Models and their versions: train, import, look, measure, ask, export", "")
	cmd.Example = `  edgeward model train visits-tomorrow --data visits --recipe recipe.json
  edgeward model import scan.onnx scan
  edgeward model show visits-tomorrow/1`
	cmd.AddCommand(newModelTrain(r), newModelImport(r), newModelList(r), newModelShow(r), newModelCard(r), newModelAlias(r), newModelExport(r), newModelGraph(r), newModelBench(r), newModelPredict(r), newRemove(r, "Remove a model that stands behind no endpoint", "model %s and all its versions", "models", "model remove visits-tomorrow", modelNames, (*client.Client).DeleteModel))
	return cmd
}

func newModelTrain(r *remote) *cobra.Command {
	var q client.TrainRequest
	var data, recipe, task string
	var from, to moment
	var w waiting
	cmd := &cobra.Command{
		Use:     "train NAME",
		Short:   "Train the next version of a model from a data set and a recipe",
		Example: "  edgeward model train visits-tomorrow --data visits --recipe recipe.json --to 2024-06-30",
		Args:    cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(modelNames),
	}
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data set `name[/number]`")
	f.StringVar(&recipe, "recipe", "", "`file` that edgeward data recipe wrote; - is standard input")
	f.Var(&from, "from", "first target that may train")
	f.Var(&to, "to", "last target that may be seen")
	f.IntVar(&q.Validate, "validate", 0, "steps held out for validation; 0: by the length of the data")
	f.StringVar(&task, "task", "", "forecast, regression, binary or multiclass (default: by recipe and target)")
	f.StringVar(&q.Description, "description", "", "`text`: what the model answers")
	f.StringVar(&q.IntendedUse, "intended-use", "", "`text`: what it is for")
	f.StringArrayVar(&q.Limits, "limit", nil, "`text`: what it must not be used for; may be repeated")
	f.StringVar(&q.Unit, "unit", "", "`unit` of the answer, such as \"visits a day\"")
	f.StringVar(&q.Key, "key", "", "`key` that makes a repeated request the same training")
	must(cmd.MarkFlagRequired("data"))
	must(cmd.MarkFlagRequired("recipe"))
	w.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) (err error) {
		if q.DataSet, q.Version, err = ref("data set", data); err != nil {
			return err
		}
		if q.Recipe, err = r.document(recipe); err != nil {
			return err
		}
		q.Task, q.From, q.To = models.Task(task), from.pointer(), to.pointer()
		j, err := c.Train(ctx, args[0], q)
		if err != nil {
			return err
		}
		if j, err = r.follow(ctx, c, j, w); err != nil {
			return err
		}
		return r.print(j, func(out io.Writer) {
			if made, err := client.Trained(j); err == nil {
				fmt.Fprintf(out, "%s/%d %s\n", made.Model, made.Version, made.Digest)
				return
			}
			fmt.Fprintf(out, "job %s\n", j.ID)
		})
	})
	return cmd
}

func newModelImport(r *remote) *cobra.Command {
	var u client.ModelUpload
	cmd := &cobra.Command{
		Use: "import FILE|DIR NAME", Short: "Import a model as the next version of NAME", Args: cobra.ExactArgs(2),
		Long: "Import a model as the next version of NAME: ONNX, OpenVINO IR, TensorFlow SavedModel or frozen graph, TFLite, PaddlePaddle,\n" +
			"LightGBM text, XGBoost JSON or UBJ, or an MLflow folder with the flavour onnx, lightgbm or xgboost. A model of\n" +
			"several files is a folder, a .zip or a .tar. What it is is told by its content.",
		Example: "  edgeward model import digits.onnx digits --task image\n  edgeward model import saved_model/ segmenter\n" +
			"  edgeward model import resnet.onnx scans --task image --image resize=256,crop=224,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225",
	}
	f := cmd.Flags()
	f.StringVar(&u.Filename, "filename", "", "`name` to remember the file by")
	f.StringVar(&u.Description, "description", "", "`text`: what the model answers")
	f.StringVar(&u.IntendedUse, "intended-use", "", "`text`: what it is for")
	f.StringVar(&u.Task, "task", "", "image, regression, binary, multiclass or raw (default: as the file tells, else raw)")
	f.StringVar(&u.Image, "image", "", "how JPEG and PNG pictures become an input: `declaration` such as resize=256,crop=224,scale=1/255, default for all from the signature, or @file.json")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if path, ok := strings.CutPrefix(u.Image, "@"); ok {
			b, err := r.document(path)
			if err != nil {
				return err
			}
			u.Image = string(b)
		}
		file, err := r.modelFile(args[0])
		if err != nil {
			return err
		}
		defer file.Close()
		if u.Filename == "" && args[0] != "-" {
			u.Filename = filepath.Base(args[0])
		}
		v, err := c.ImportModel(ctx, args[1], file, u)
		if err != nil {
			return err
		}
		if v.Existing {
			fmt.Fprintf(r.stderr, "this file is version %s already; nothing was added\n", v.Ref())
		}
		return r.print(v, func(w io.Writer) { fmt.Fprintln(w, v.Ref(), v.Digest) })
	})
	return cmd
}

func newModelList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List models", Example: "  edgeward model list", Args: cobra.NoArgs}
	limit := limitFlag(cmd, 0)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Model], error) { return c.Models(ctx, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, m := range all {
				rows = append(rows, []string{m.Name, string(m.Task), count(m.Latest), aliases(m), when(m.Created), m.Description})
			}
			table(w, "NAME TASK VERSION ALIASES CREATED DESCRIPTION", rows)
		})
	})
	return cmd
}

func aliases(m client.Model) string {
	var out []string
	for _, a := range slices.Sorted(maps.Keys(m.Aliases)) {
		out = append(out, fmt.Sprintf("%s=%d", a, m.Aliases[a].Version))
	}
	return strings.Join(out, " ")
}

func newModelShow(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME[/N]", Short: "Show a model with its versions, or one version", Example: "  edgeward model show visits-tomorrow\n  edgeward model show visits-tomorrow/2", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(modelNames)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("model", args[0])
		if err != nil {
			return err
		}
		if n > 0 {
			v, err := c.ModelVersion(ctx, name, n)
			if err != nil {
				return err
			}
			return r.print(v, func(w io.Writer) { printVersion(w, v) })
		}
		m, err := c.Model(ctx, name)
		if err != nil {
			return err
		}
		return r.print(m, func(w io.Writer) {
			facts(w, "model", m.Name, "task", string(m.Task), "description", m.Description, "aliases", aliases(m.Model), "endpoints", strings.Join(m.Endpoints, ", "))
			fmt.Fprintln(w)
			var rows [][]string
			for _, v := range m.Versions {
				mae := ""
				if x, ok := v.Manifest.Metrics["mae"]; ok {
					mae = num(x)
				}
				rows = append(rows, []string{count(v.Number), string(v.State), mae, whenever(v.Manifest.Lineage.TrainTo), when(v.Created), v.CreatedBy, v.Digest.Short()})
			}
			table(w, "VERSION STATE MAE TRAINED_TO CREATED BY DIGEST", rows)
		})
	})
	return cmd
}

func printVersion(w io.Writer, v client.ModelVersion) {
	m := v.Manifest
	data := m.Lineage.DataSet
	if m.Lineage.DataSetVersion > 0 {
		data = fmt.Sprintf("%s/%d", data, m.Lineage.DataSetVersion)
	}
	facts(w, "version", v.Ref().String(), "digest", string(v.Digest), "state", string(v.State), "note", v.Note, "task", string(m.Task), "data", data, "source", m.Lineage.Source,
		"trained on", window(whenever(m.Lineage.TrainFrom), whenever(m.Lineage.TrainTo)), "validated on", window(whenever(m.Lineage.ValidFrom), whenever(m.Lineage.ValidTo)),
		"intended use", m.IntendedUse, "limits", strings.Join(m.Limits, "; "), "created", when(v.Created)+" by "+v.CreatedBy)
	for _, p := range m.Preprocessing {
		facts(w, "pictures", p.Input+": "+p.Words())
	}
	if len(m.Metrics) > 0 {
		fmt.Fprintln(w)
		var rows [][]string
		for _, k := range slices.Sorted(maps.Keys(m.Metrics)) {
			rows = append(rows, []string{k, num(m.Metrics[k])})
		}
		table(w, "METRIC VALUE", rows)
	}
	fmt.Fprintln(w)
	var rows [][]string
	for _, f := range m.Files {
		rows = append(rows, []string{f.Name, f.Role, size(f.Size), f.Digest.Short()})
	}
	table(w, "FILE ROLE SIZE DIGEST", rows)
}

func window(from, to string) string {
	if from == "" && to == "" {
		return ""
	}
	return from + " to " + to
}

func newModelCard(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "card NAME[/N]", Short: "Print the model card, Markdown", Example: "  edgeward model card visits-tomorrow > card.md", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(modelNames)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("model", args[0])
		if err != nil {
			return err
		}
		text, err := c.Card(ctx, name, n)
		if err != nil {
			return err
		}
		return r.print(map[string]string{"card": text}, func(w io.Writer) { fmt.Fprint(w, text) })
	})
	return cmd
}

func newModelAlias(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "alias NAME ALIAS VERSION", Short: "Point an alias at a version", Args: cobra.ExactArgs(3), ValidArgsFunction: r.completeWith(modelNames),
		Example: "  edgeward model alias visits-tomorrow champion 2 --reason \"better on every ward\"",
	}
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		n, err := number(args[2])
		if err != nil {
			return err
		}
		m, err := c.MoveAlias(ctx, args[0], args[1], client.AliasRequest{Version: n, Reason: *reason})
		if err != nil {
			return err
		}
		return r.print(m, func(w io.Writer) { fmt.Fprintln(w, m.Name, aliases(m)) })
	})
	return cmd
}

func newModelExport(r *remote) *cobra.Command {
	var dir string
	var o ociFlags
	cmd := &cobra.Command{
		Use: "export NAME[/N]", Short: "Write the files of a version into a directory, or as an OCI artifact", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(modelNames),
		Example: "  edgeward model export visits-tomorrow/2 -o visits-tomorrow-2\n  edgeward model export visits-tomorrow/2 --oci visits-tomorrow-2.tar",
	}
	cmd.Flags().StringVarP(&dir, "output", "o", "", "`directory` to write the files to, made if needed (default NAME-N)")
	o.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("output", "oci", "oci-dir")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("model", args[0])
		if err != nil {
			return err
		}
		if o.given() {
			return o.write(ctx, r, func(w io.Writer) error { return c.ModelArtifact(ctx, name, n, w) })
		}
		v, err := c.ModelVersion(ctx, name, n)
		if err != nil {
			return err
		}
		if dir == "" {
			dir = fmt.Sprintf("%s-%d", v.Model, v.Number)
		}
		paths, err := export(ctx, c, v, dir)
		if err != nil {
			return err
		}
		return r.print(listed(paths), func(w io.Writer) {
			for _, p := range paths {
				fmt.Fprintln(w, p)
			}
		})
	})
	return cmd
}

// export writes the files of a version, checked by their digests, and its manifest's card into dir.
func export(ctx context.Context, c *client.Client, v client.ModelVersion, dir string) (paths []string, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, unreadable(dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unreadable(dir, err)
	}
	defer root.Close()
	for _, f := range v.Manifest.Files {
		name := filepath.FromSlash(f.Name)
		if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return paths, unreadable(f.Name, err)
		}
		out, err := root.Create(name)
		if err != nil {
			return paths, unreadable(f.Name, err)
		}
		d := newDigester(out)
		err = errors.Join(c.ModelFile(ctx, v.Model, v.Number, f.Name, d), out.Close())
		if err == nil {
			err = d.check(f.Name, f.Digest)
		}
		if err != nil {
			return paths, errors.Join(err, root.Remove(filepath.FromSlash(f.Name)))
		}
		paths = append(paths, filepath.Join(dir, f.Name))
	}
	return paths, nil
}
