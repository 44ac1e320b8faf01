package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/packs"
)

func newRuntimeCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "runtime", "Runtimes: builds of an engine for other devices, and the devices of this server",
		"The program carries its engines for the CPU. A build for an NVIDIA GPU is a runtime pack: one file, made on a connected\nmachine from pinned packages and carried over. Whoever adds one trusts its digest; it is native code.")
	cmd.Example = `  edgeward runtime recipes
  edgeward runtime pack onnxruntime-cuda13 --wheels wheels
  edgeward runtime add onnxruntime-cuda13-1.31.1.pack --digest sha256:443f…
  edgeward runtime devices`
	cmd.AddCommand(newRuntimeList(r), newRuntimeDevices(r), newRuntimeAdd(r), newRuntimeRemove(r), newRuntimeShow(e), newRuntimeRecipes(e), newRuntimePack(e))
	return cmd
}

func newRuntimeList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the runtime packs of the server, and what runs on them", Example: "  edgeward runtime list", Args: cobra.NoArgs}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := c.Runtimes(ctx)
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, v := range all {
				rows = append(rows, []string{v.Ref.String(), v.Engine, strings.Join(v.Devices, ", "), size(v.Bytes), v.Digest.Short(), when(v.Added), v.By, strings.Join(v.InUse, ", ")})
			}
			table(w, "RUNTIME ENGINE DEVICES SIZE DIGEST ADDED BY IN-USE", rows)
		})
	})
	return cmd
}

func newRuntimeDevices(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "devices", Short: "What the server can run models on besides its processors, and what each lacks", Example: "  edgeward runtime devices", Args: cobra.NoArgs}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := c.Devices(ctx)
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, d := range all {
				ready := "ready"
				if !d.Ready {
					ready = d.Lacks
				}
				rows = append(rows, []string{d.Wish, d.Name, d.Bus, d.Driver, d.Runtime, ready})
			}
			table(w, "DEVICE NAME BUS DRIVER RUNTIME STATE", rows)
		})
	})
	return cmd
}

// looked is a pack file as `runtime show --json` prints it.
type looked struct {
	packs.Ref
	File     string          `json:"file"`
	Digest   edgeward.Digest `json:"digest"`
	Platform string          `json:"platform"`
	Engine   string          `json:"engine"`
	Devices  []string        `json:"devices"`
	Driver   string          `json:"driver,omitempty"`
	Bytes    int64           `json:"bytes"`
	Parts    []string        `json:"parts"` // component, version and licence
}

// look reads a pack file before anything is done with it.
func look(ctx context.Context, name string) (looked, packs.Index, error) {
	f, err := open(name)
	if err != nil {
		return looked{}, packs.Index{}, err
	}
	defer f.Close()
	ix, digest, err := packs.Look(ctx, f)
	l := looked{Ref: ix.Ref, File: name, Digest: digest, Platform: ix.Platform, Engine: ix.Engine, Devices: ix.Devices, Driver: ix.Driver, Bytes: ix.Size()}
	for _, x := range ix.Licences {
		if part := x.Component + " " + x.Version + ", " + x.Licence; !slices.Contains(l.Parts, part) {
			l.Parts = append(l.Parts, part)
		}
	}
	return l, ix, err
}

func (l looked) write(w io.Writer) {
	facts(w, "runtime", l.Ref.String(), "digest", string(l.Digest), "engine", l.Engine, "devices", strings.Join(l.Devices, ", "), "platform", l.Platform, "driver", l.Driver, "unpacked", size(l.Bytes))
	for _, p := range l.Parts {
		fmt.Fprintln(w, "  "+printable(p))
	}
}

func newRuntimeShow(e env) *cobra.Command {
	cmd, r := newLocal(e, "show FILE", "Show what a pack file holds, without adding it")
	cmd.Args = cobra.ExactArgs(1)
	cmd.Example = "  edgeward runtime show onnxruntime-cuda13-1.31.1.pack"
	texts := cmd.Flags().Bool("texts", false, "print the licence texts of everything in it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		l, ix, err := look(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return r.print(l, func(w io.Writer) {
			l.write(w)
			for _, x := range ix.Licences {
				if *texts {
					fmt.Fprintf(w, "\n== %s %s (%s), %s of %s\n\n%s\n", x.Component, x.Version, x.Licence, x.File, x.From, x.Text)
				}
			}
		})
	}
	return cmd
}

func newRuntimeAdd(r *remote) *cobra.Command {
	var trusted string
	cmd := &cobra.Command{Use: "add FILE", Short: "Add a runtime pack to the server", Args: cobra.ExactArgs(1),
		Long: "add reads the file, shows what it is, and asks. With --digest it does not ask: the file must be the one with this digest,\n" +
			"as whoever made it said. Models that had to run on the CPU for want of it are tried on it at once.",
		Example: "  edgeward runtime add onnxruntime-cuda13-1.31.1.pack --digest sha256:443f22efc222ce6d8490ed040259011faab57e00c216118ece30d702bd87ab4f"}
	cmd.Flags().StringVar(&trusted, "digest", "", "`sha256:…` of the file that is trusted")
	sure := sureFlag(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		l, _, err := look(ctx, args[0])
		if err != nil {
			return err
		}
		if trusted != "" && trusted != string(l.Digest) {
			return edgeward.E("runtime", edgeward.Invalid, "runtime.digest", "the pack has digest %s, and %s was trusted", l.Digest, trusted).With("digest", string(l.Digest)).
				WithHint("it is another file than the one that was meant, or was changed on the way: ask whoever made it for its digest")
		}
		if trusted == "" {
			l.write(r.stderr)
			if err := r.confirm(*sure, "Trust this native code and add it"); err != nil {
				return err
			}
		}
		f, err := open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		st, err := f.Stat()
		if err != nil {
			return err
		}
		p := newProgress(r.env)
		v, err := c.AddRuntime(ctx, l.Digest, &counted{r: f, of: st.Size(), tell: func(done float64) { p.show(done, "sending "+l.Ref.String()) }})
		p.end()
		if err != nil {
			return err
		}
		return r.print(v, func(w io.Writer) {
			word := "added"
			if v.Existing {
				word = "is there already:"
			}
			fmt.Fprintf(w, "%s %s, %s\n", word, v.Ref, v.Digest)
		})
	})
	return cmd
}

// counted tells how far a file has been read.
type counted struct {
	r    io.Reader
	n    int64
	of   int64
	tell func(done float64)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.tell(float64(c.n) / float64(max(1, c.of)))
	return n, err
}

func newRuntimeRemove(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "remove NAME@VERSION", Short: "Remove a runtime pack that no model runs on", Args: cobra.ExactArgs(1),
		Example: "  edgeward runtime remove onnxruntime-cuda13@1.31.1"}
	sure := sureFlag(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		ref, err := packs.ParseRef(args[0])
		if err != nil {
			return err
		}
		if err := r.confirm(*sure, "Remove the runtime %s", ref); err != nil {
			return err
		}
		if err := c.RemoveRuntime(ctx, ref.Name, ref.Version); err != nil {
			return err
		}
		return r.done("removed", ref.String())
	})
	return cmd
}

// recipe is what `runtime recipes --json` prints of one.
type recipe struct {
	packs.Ref
	About        string   `json:"about"`
	Devices      []string `json:"devices"`
	Driver       string   `json:"driver,omitempty"`
	Bytes        int64    `json:"bytes"`        // of the wheels
	Requirements string   `json:"requirements"` // for pip, with hashes
	Download     string   `json:"download"`     // the command
}

func newRuntimeRecipes(e env) *cobra.Command {
	cmd, r := newLocal(e, "recipes [NAME]", "Show from which packages a runtime pack is made, and how to get them")
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.Long = "The packages are pinned by version and sha256 in this program. Download them on a machine with a network and pip; edgeward\nitself downloads nothing."
	only := cmd.Flags().Bool("requirements", false, "print the requirements file of NAME alone")
	cmd.Example = "  edgeward runtime recipes onnxruntime-cuda13 --requirements > requirements.txt\n  edgeward runtime recipes onnxruntime-cuda13"
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		all := packs.Recipes()
		if len(args) == 1 {
			one, err := packs.RecipeOf(args[0])
			if err != nil {
				return err
			}
			all = []packs.Recipe{one}
		}
		if *only {
			if len(all) != 1 {
				return edgeward.E("runtime", edgeward.Invalid, "cli.arguments", "name one recipe").WithHint("edgeward runtime recipes onnxruntime-cuda13 --requirements")
			}
			_, err := io.WriteString(r.stdout, all[0].Requirements())
			return err
		}
		var out []recipe
		for _, x := range all {
			out = append(out, recipe{x.Ref, x.About, x.Devices, x.Driver, x.Size(), x.Requirements(), x.Download()})
		}
		return r.print(listed(out), func(w io.Writer) {
			for _, x := range out {
				facts(w, "recipe", x.Ref.String(), "what", x.About, "devices", strings.Join(x.Devices, ", "), "driver", x.Driver, "to download", size(x.Bytes))
				if len(args) == 1 {
					fmt.Fprintf(w, "\non a connected machine:\n  edgeward runtime recipes %s --requirements > requirements.txt\n  %s\n  edgeward runtime pack %s --wheels wheels\n", x.Name, x.Download, x.Name)
				}
				fmt.Fprintln(w)
			}
		})
	}
	return cmd
}

func newRuntimePack(e env) *cobra.Command {
	cmd, r := newLocal(e, "pack NAME", "Make a runtime pack of downloaded packages")
	cmd.Args = cobra.ExactArgs(1)
	cmd.Long = "pack needs no server and no network. The same packages give the same file, byte for byte, on every machine: compare digests."
	cmd.Example = "  edgeward runtime pack onnxruntime-cuda13 --wheels wheels --out onnxruntime-cuda13.pack"
	wheels := cmd.Flags().String("wheels", "wheels", "`folder` with the downloaded packages")
	out := cmd.Flags().String("out", "", "the new `file` (default NAME-VERSION.pack)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		x, err := packs.RecipeOf(args[0])
		if err != nil {
			return err
		}
		if *out == "" {
			*out = x.Name + "-" + x.Version + ".pack"
		}
		return r.writes(*out, func(w io.Writer) error {
			_, err := packs.Make(cmd.Context(), x, *wheels, w, func(s string) { fmt.Fprintln(r.stderr, s) })
			return err
		})
	}
	return cmd
}
