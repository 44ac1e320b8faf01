package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node"
	"edgeward/node/client"
	"edgeward/node/demo"
)

func newDemoCommand(e env) *cobra.Command {
	var f serverFlags
	var asJSON bool
	var speed float64
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the whole life of a model on real hospital data, and end",
		Long: "demo runs a server of its own on free ports of this machine, takes a real emergency-department model from raw data to a\n" +
			"served, monitored, retrained and promoted version, prints a report and ends. It exits with 0 only if every stage happened.\n" +
			"On a directory whose demonstration has ended it prints that report again; one that was interrupted goes on.\n" +
			"To watch it in the browser: edgeward up --demo.\n\n" +
			"It shows a method on public aggregate data. It is not a medical device and not for staffing or care decisions.\n\n" + exitCodes,
		Example: "  edgeward demo --data /tmp/demo\n  edgeward demo --json --data /tmp/demo > report.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), e, &f, hospital, speed, asJSON)
		},
	}
	demoFlags(cmd, &f, &asJSON)
	cmd.Flags().Float64Var(&speed, "speed", 0, "days a second at most; 0: as fast as the server settles")
	cmd.AddCommand(newDemoFactoryCommand(e), newDemoBedsCommand(e), newDemoFleetCommand(e), newDemoRemoveCommand(e))
	return cmd
}

func newDemoFactoryCommand(e env) *cobra.Command {
	var f serverFlags
	var asJSON bool
	var speed float64
	cmd := &cobra.Command{
		Use:   "factory",
		Short: "Show inspection on a line with generated pictures, and end",
		Long: "factory runs a server of its own on free ports of this machine and lets generated pictures of weld seams pass a small\n" +
			"model. The lens gets dirty, what the operator says of the verdicts raises the alarm, and the lens is cleaned: nothing is\n" +
			"trained. It prints a report and ends, with 0 only if every stage happened. On a directory where it has ended it prints that\n" +
			"report again; one that was interrupted goes on. To watch it in the browser: edgeward up --demo=factory, page Line.\n\n" +
			"Every picture is generated. No camera, no factory and no person is behind them.\n\n" + exitCodes,
		Example: "  edgeward demo factory --data /tmp/factory\n  edgeward demo factory --json --data /tmp/factory > report.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), e, &f, factory, speed, asJSON)
		},
	}
	demoFlags(cmd, &f, &asJSON)
	cmd.Flags().Float64Var(&speed, "speed", 0, "parts a second at most; 0: as fast as the server settles")
	return cmd
}

// demoFlags are the flags of every demonstration.
func demoFlags(cmd *cobra.Command, f *serverFlags, asJSON *bool) {
	cmd.Flags().StringVar(&f.dataDir, "data", "", "`directory` for the demonstration's server (default: a temporary one, removed at the end)")
	cmd.Flags().BoolVar(asJSON, "json", false, "print the report as one JSON document; progress goes to standard error")
}

// story is a demonstration that can be played on a running server.
type story func(context.Context, demo.Options) (played, error)

// played is its result.
type played struct {
	report  any
	says    []string
	seconds float64
}

// stories are what up --demo takes.
var stories = map[string]story{"hospital": hospital, "factory": factory, "beds": bedsTomorrow}

func hospital(ctx context.Context, o demo.Options) (played, error) {
	r, err := demo.Run(ctx, o)
	if err != nil {
		return played{}, err
	}
	return played{r, r.Says, r.TotalSeconds}, nil
}

func factory(ctx context.Context, o demo.Options) (played, error) {
	r, err := demo.RunFactory(ctx, o)
	if err != nil {
		return played{}, err
	}
	return played{r, r.Says, r.TotalSeconds}, nil
}

func bedsTomorrow(ctx context.Context, o demo.Options) (played, error) {
	r, err := demo.RunBeds(ctx, o)
	if err != nil {
		return played{}, err
	}
	return played{r, r.Says, r.TotalSeconds}, nil
}

func newDemoBedsCommand(e env) *cobra.Command {
	var f serverFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "beds",
		Short: "Show three models joined into one endpoint, on a simulated ward, and end",
		Long: "beds runs a server of its own on free ports of this machine. A simulator lays synthetic patients into the beds of a ward,\n" +
			"to which as many come each day as were really admitted to a hospital. A condition model, a discharge model and the forecast\n" +
			"of admissions become one endpoint, beds-tomorrow, with an interval whose coverage is measured. It prints a report and ends,\n" +
			"with 0 only if every stage happened. On a directory where it has ended it prints that report again; one that was\n" +
			"interrupted goes on. To watch it in the browser: edgeward up --demo=beds.\n\n" +
			"It shows demand and occupancy of a simulated ward, not free beds. Not for care decisions.\n\n" + exitCodes,
		Example: "  edgeward demo beds --data /tmp/beds\n  edgeward demo beds --json --data /tmp/beds > report.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDemo(cmd.Context(), e, &f, bedsTomorrow, 0, asJSON)
		},
	}
	demoFlags(cmd, &f, &asJSON)
	return cmd
}

func newDemoRemoveCommand(e env) *cobra.Command {
	cmd := &cobra.Command{Use: "remove", Short: "Take everything of the demonstration away from a server", Args: cobra.NoArgs,
		Example: "  edgeward demo remove"}
	r := newRemote(e, cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		j, err := c.RemoveDemo(ctx)
		if err == nil {
			j, err = c.Wait(ctx, j.ID, nil)
		}
		if err != nil {
			return err
		}
		return r.print(j, func(w io.Writer) { fmt.Fprintln(w, "the demonstration is gone") })
	})
	return cmd
}

// runDemo runs a server and the demonstration on it, and an independent subscriber in a process of its own.
func runDemo(ctx context.Context, e env, f *serverFlags, play story, speed float64, asJSON bool) error {
	if f.dataDir == "" {
		dir, err := os.MkdirTemp("", "edgeward-demo-")
		if err != nil {
			return edgeward.Wrap("demo", err)
		}
		defer os.RemoveAll(dir)
		f.dataDir = dir
	}
	f.http, f.mqtt, f.grpc = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	f.set = append(f.set, "site=demo", "node.name=demo-1", "log.level=warn")
	n, _, err := openNode(ctx, e, f, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan error, 1)
	go func() {
		err := n.Run(ctx)
		if err != nil {
			cancel(err)
		}
		ended <- err
	}()
	report, err := demonstrate(ctx, e, n, f.dataDir, play, speed)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	cancel(nil)
	if stopped := <-ended; err == nil {
		err = stopped
	}
	if err != nil {
		return err
	}
	return printDemo(e, report, asJSON)
}

// demonstrate plays the demonstration on a running server, as its own principal over the data directory's socket.
func demonstrate(ctx context.Context, e env, n *node.Node, dir string, play story, speed float64) (played, error) {
	c, err := client.New(client.Options{Socket: filepath.Join(dir, node.SocketName), Part: "demo-policy", Group: demoGroup})
	if err != nil {
		return played{}, err
	}
	if err := ensureGroup(ctx, dir); err != nil {
		return played{}, err
	}
	o := demo.Options{Client: c, Now: time.Now, Speed: speed, Say: func(format string, args ...any) { fmt.Fprintf(e.stderr, format+"\n", args...) }}
	if a := n.MQTTAddress(); a != "" {
		s, err := listen(ctx, "tcp://"+a)
		if err != nil {
			return played{}, err
		}
		defer s.close()
		o.Reports = s.count
	}
	return play(ctx, o)
}

// demoGroup is the group the demonstration lives in: the one the first administrator owns.
const demoGroup = "main"

// ensureGroup makes the group on a server that nobody has set up yet.
func ensureGroup(ctx context.Context, dir string) error {
	c, err := client.New(client.Options{Socket: filepath.Join(dir, node.SocketName), Part: "demo-policy"})
	if err != nil {
		return err
	}
	if _, err := c.AwaitReady(ctx); err != nil {
		return err
	}
	_, err = c.CreateGroup(ctx, client.NewGroup{Name: demoGroup, Reason: "the demonstration needs a group"})
	if edgeward.KindOf(err) == edgeward.Conflict {
		return nil
	}
	return err
}

// subscriber is `edgeward mqtt watch` in a process of its own: it knows nothing of the server but the broker's address.
type subscriber struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	keys map[string]bool
	done chan struct{}
}

func listen(ctx context.Context, url string) (*subscriber, error) {
	s := &subscriber{keys: map[string]bool{}, done: make(chan struct{})}
	s.cmd = exec.CommandContext(ctx, "/proc/self/exe", "mqtt", "watch", "--url", url, "--json")
	s.cmd.Args[0] = os.Args[0] // the same program under the same name
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Cancel = func() error { return s.cmd.Process.Signal(syscall.SIGTERM) }
	s.cmd.WaitDelay = 2 * time.Second
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, edgeward.Wrap("demo", err)
	}
	go func() {
		defer close(s.done)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			var m struct{ Key, Schema string }
			if json.Unmarshal(lines.Bytes(), &m) == nil && m.Schema == "edgeward.drift/1" {
				s.mu.Lock()
				s.keys[m.Key] = true
				s.mu.Unlock()
			}
		}
	}()
	return s, nil
}

// count is how many distinct drift reports have come.
func (s *subscriber) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.keys)
}

func (s *subscriber) close() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	<-s.done
	_ = s.cmd.Wait() // it was told to end: how it ended says nothing
}

func printDemo(e env, r played, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(e.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(r.report)
	}
	for _, s := range r.says {
		fmt.Fprintln(e.stdout, s)
	}
	fmt.Fprintf(e.stdout, "%.1f seconds.\n", r.seconds)
	return nil
}
