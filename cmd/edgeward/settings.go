package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"edgeward/node/client"
	"edgeward/node/config"
)

func newSettingsCommand(e env) *cobra.Command {
	cmd := &cobra.Command{Use: "settings", Short: "Show the settings of the running server and where each came from", Args: cobra.NoArgs, Example: "  edgeward settings"}
	r := newRemote(e, cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := c.Settings(ctx)
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, s := range all {
				v := value(s.Value)
				if s.Secret {
					v = "(secret)"
				}
				rows = append(rows, []string{s.Key, v, s.Source})
			}
			table(w, "KEY VALUE SOURCE", rows)
		})
	})
	return cmd
}

// configured is what `edgeward config check --json` prints.
type configured struct {
	Path     string           `json:"path,omitempty"`
	Settings []config.Setting `json:"settings"`
	Warnings []string         `json:"warnings"`
}

func newConfigCommand(e env) *cobra.Command {
	var file string
	cmd, r := newLocal(e, "config", "Configuration, without a server: check, explain, example")
	cmd.Example = "  edgeward config check --config /etc/edgeward/config.toml\n  edgeward config show http.address\n  edgeward config example > config.toml"
	cmd.PersistentFlags().StringVar(&file, "config", "", "configuration `file` (default "+config.File+" if it is there)")
	load := func() (config.Loaded, error) {
		return config.Load(config.Sources{File: file, Env: os.Environ(), Root: os.Geteuid() == 0})
	}
	check := &cobra.Command{Use: "check", Short: "Say whether a server would start with it", Example: "  edgeward config check --config /etc/edgeward/config.toml", Args: cobra.NoArgs}
	check.RunE = func(*cobra.Command, []string) error {
		l, err := load()
		if err != nil {
			return err
		}
		out := configured{Path: l.Path, Settings: l.Settings, Warnings: l.Warnings}
		if out.Warnings == nil {
			out.Warnings = []string{}
		}
		return r.print(out, func(w io.Writer) {
			for _, x := range l.Warnings {
				fmt.Fprintln(r.stderr, "warning:", printable(x))
			}
			from := l.Path
			if from == "" {
				from = "no file, defaults and environment"
			}
			fmt.Fprintf(w, "good: %s\n", from)
		})
	}
	show := &cobra.Command{Use: "show [KEY]", Short: "Show each value and where it came from", Example: "  edgeward config show http.address", Args: cobra.MaximumNArgs(1)}
	show.RunE = func(_ *cobra.Command, args []string) error {
		l, err := load()
		if err != nil {
			return err
		}
		if len(args) == 1 {
			s, err := l.Explain(args[0])
			if err != nil {
				return err
			}
			return r.print(s, func(w io.Writer) {
				facts(w, "key", s.Key, "value", s.Value, "default", s.Default, "source", string(s.Source)+" "+s.From, "environment", s.Env, "meaning", s.Doc)
			})
		}
		return r.print(listed(l.Settings), func(w io.Writer) {
			var rows [][]string
			for _, s := range l.Settings {
				rows = append(rows, []string{s.Key, s.Value, string(s.Source), s.From})
			}
			table(w, "KEY VALUE SOURCE FROM", rows)
		})
	}
	example := &cobra.Command{Use: "example", Short: "Print a file with every setting and its default", Example: "  edgeward config example > config.toml", Args: cobra.NoArgs}
	example.RunE = func(*cobra.Command, []string) error {
		return r.print(map[string]string{"toml": config.Example()}, func(w io.Writer) { fmt.Fprint(w, config.Example()) })
	}
	cmd.AddCommand(check, show, example)
	return cmd
}
