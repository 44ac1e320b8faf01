package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node"
	"edgeward/node/answers"
	"edgeward/node/config"
	"edgeward/node/supervise"
)

// serverFlags are what serve and up take beside their own flags.
type serverFlags struct {
	config, dataDir, http, mqtt, grpc string
	set                               []string
	endpoint                          string // folder of an endpoint's bundle; of serve only

	unattended bool   // an answers file is read: of serve and supervise
	answers    string // its path; "": answers.File if it is there
	answered   *answers.Answers
}

// addAnswers is the flag of commands that may install a server without a person.
func (f *serverFlags) addAnswers(cmd *cobra.Command) {
	f.unattended = true
	cmd.Flags().StringVar(&f.answers, "answers", "", "answers `file` of an installation without a person: settings, first administrator, fleet to join (default "+answers.File+" if it is there)")
}

// answer reads the answers file; what it said of settings holds also when it is there no more.
func (f *serverFlags) answer(dataDir string) (map[string]any, error) {
	path := f.answers
	if path == "" {
		if _, err := os.Stat(answers.File); err != nil {
			return answers.Kept(dataDir)
		}
		path = answers.File
	}
	var err error
	if f.answered, err = answers.Read(path); err != nil {
		return nil, err
	}
	return f.answered.Values(), nil
}

func (f *serverFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.config, "config", "", "configuration `file` (default /etc/edgeward/config.toml if it is there)")
	cmd.Flags().StringVar(&f.dataDir, "data-dir", "", "`directory` of everything this server keeps")
	cmd.Flags().StringVar(&f.http, "http-address", "", "`address` of the web page and the API; port 0 takes a free one")
	cmd.Flags().StringVar(&f.mqtt, "mqtt-address", "", "`address` of the embedded MQTT broker; port 0 takes a free one")
	cmd.Flags().StringVar(&f.grpc, "grpc-address", "", "`address` of the Open Inference Protocol over gRPC, or off; port 0 takes a free one")
	cmd.Flags().StringArrayVar(&f.set, "set", nil, "any other setting, `key=value`, such as site=st-mary")
}

// load reads the configuration: flag, environment, file, default.
func (f *serverFlags) load() (config.Loaded, error) {
	flags := map[string]string{}
	for _, s := range f.set {
		k, v, ok := strings.Cut(s, "=")
		if !ok {
			return config.Loaded{}, edgeward.E("serve", edgeward.Invalid, "cli.usage", "--set %q is not key=value", s).WithHint("edgeward config show lists the keys")
		}
		flags[k] = v
	}
	dir := f.dataDir
	if dir != "" {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return config.Loaded{}, edgeward.Wrap("serve", err)
		}
		dir = abs
	}
	named := map[string]string{"data_dir": dir, "http.address": f.http, "mqtt.address": f.mqtt, "grpc.address": f.grpc}
	for k, v := range named {
		if v != "" {
			flags[k] = v
		}
	}
	file := f.config
	if file == "" {
		if _, err := os.Stat(defaultConfig); err == nil {
			file = defaultConfig
		}
	}
	src := config.Sources{Flags: flags, Env: os.Environ(), File: file, Root: os.Geteuid() == 0}
	l, err := config.Load(withFlags(src))
	if err != nil || !f.unattended {
		return l, err
	}
	if src.Answers, err = f.answer(l.DataDir); err != nil || src.Answers == nil {
		return l, err
	}
	return config.Load(withFlags(src))
}

// withFlags is src with flags of its own: Load changes them.
func withFlags(src config.Sources) config.Sources {
	src.Flags = maps.Clone(src.Flags)
	return src
}

// defaultConfig is where the packages put the configuration.
const defaultConfig = "/etc/edgeward/config.toml"

func newServeCommand(e env) *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server until it is told to stop",
		Long: "serve runs the server in the foreground, as a service manager wants it. It logs to standard error.\n" +
			"While no administrator exists it prints a one-time link that makes the first one; or give EDGEWARD_BOOTSTRAP_TOKEN\n" +
			"(24 or more printable characters), which becomes the first administrator's API token.\n" +
			"An answers file installs a server without a person: its settings, its administrator, and the fleet it joins.\n\n" + exitCodes,
		Example: "  edgeward serve\n  edgeward serve --data-dir /srv/edgeward --http-address 127.0.0.1:8090\n  edgeward serve --answers /media/usb/answers.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			link, err := supervise.Inherit()
			if err != nil {
				return err
			}
			n, _, err := openNode(cmd.Context(), e, &f, link)
			if err != nil {
				return err
			}
			announce(e, n)
			return n.Run(cmd.Context())
		},
	}
	f.add(cmd)
	f.addAnswers(cmd)
	cmd.Flags().StringVar(&f.endpoint, "endpoint", "", "`folder` of an endpoint's bundle that this server is to have, as images of edgeward endpoint export do")
	return cmd
}

// openNode opens the server that the flags describe.
func openNode(ctx context.Context, e env, f *serverFlags, link *supervise.Link) (*node.Node, config.Loaded, error) {
	l, err := f.load()
	if err != nil {
		return nil, l, err
	}
	log := newLog(e, l.Config)
	for _, w := range l.Warnings {
		log.Warn(w)
	}
	n, err := node.Open(ctx, node.Options{Config: l, Version: release, Bootstrap: os.Getenv(config.EnvBootstrapToken), Answers: f.answered, Endpoint: f.endpoint, Log: log, Supervisor: link})
	return n, l, err
}

func newLog(e env, c config.Config) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Log.Level)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(e.stderr, o))
	}
	return slog.New(slog.NewTextHandler(e.stderr, o))
}

// announce prints where the server is; the one-time link only while no administrator exists.
func announce(e env, n *node.Node) {
	fmt.Fprintf(e.stdout, "edgeward %s is listening on %s\n", release, n.URL())
	if a := n.MQTTAddress(); a != "" {
		fmt.Fprintf(e.stdout, "MQTT broker on %s\n", a)
	}
	if link := n.SetupLink(); link != "" {
		fmt.Fprintf(e.stdout, "Open this link to make the first administrator (it works once):\n\n  %s\n\n", link)
	}
}
