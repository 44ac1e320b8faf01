package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node"
	"edgeward/node/client"
	"edgeward/node/demo"
)

// fleetNodes are the servers of the demonstration beside the hub.
var fleetNodes = []struct{ name, site string }{{"north-1", "north"}, {"north-2", "north"}, {"south-1", "south"}, {"south-2", "south"}}

func newDemoFleetCommand(e env) *cobra.Command {
	var dir string
	var asJSON, keep bool
	var soak, gone time.Duration
	cmd := &cobra.Command{
		Use:   "fleet",
		Short: "Show a fleet of five servers on this machine: join, rollout in waves, a bad version, a dead hub",
		Long: "fleet starts a hub and four nodes in two sites, each a process of its own with a directory of its own, on free ports of this\n" +
			"machine. The nodes join; a version signed by two persons reaches them in waves; its successor comes as a difference; a version that\n" +
			"learned from wrong labels is stopped by the first node; the hub is killed while all go on answering, and comes back. It prints a\n" +
			"report and ends, with 0 only if every stage happened and no request failed. To watch it in the browser: --keep, and open the link.",
		Example: "  edgeward demo fleet\n  edgeward demo fleet --keep --data /tmp/fleet\n  edgeward demo fleet --json > report.json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runFleetDemo(cmd.Context(), e, dir, soak, gone, keep, asJSON)
		},
	}
	cmd.Flags().StringVar(&dir, "data", "", "empty `directory` for the five servers (default: a temporary one, removed at the end)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as one JSON document; progress goes to standard error")
	cmd.Flags().BoolVar(&keep, "keep", false, "let the servers run on until Ctrl-C, to look at them in the browser")
	cmd.Flags().DurationVar(&soak, "soak", 2*time.Second, "how long each wave is watched")
	cmd.Flags().DurationVar(&gone, "gone", 10*time.Second, "how long the hub is dead")
	return cmd
}

// yard is the five processes.
type yard struct {
	e       env
	program string
	dir     string
	hub     string // address that nodes call
	page    string // address of the hub's page
	keys    string
	procs   map[string]*exec.Cmd
	links   map[string]string
}

func runFleetDemo(ctx context.Context, e env, dir string, soak, gone time.Duration, keep, asJSON bool) error {
	if dir == "" {
		tmp, err := os.MkdirTemp("", "edgeward-fleet-")
		if err != nil {
			return edgeward.Wrap("demo", err)
		}
		defer os.RemoveAll(tmp)
		dir = tmp
	} else if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return edgeward.E("demo", edgeward.Conflict, "demo.fleet_dir", "%s is not empty", dir).WithHint("the fleet's demonstration begins anew each time: give an empty directory")
	}
	program, err := os.Executable()
	if err != nil {
		return edgeward.Wrap("demo", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return edgeward.Wrap("demo", err)
	}
	hub, err := freeAddress()
	if err != nil {
		return err
	}
	page, err := freeAddress()
	if err != nil {
		return err
	}
	y := &yard{e: e, program: program, dir: dir, hub: hub, page: page, keys: filepath.Join(dir, "keys"), procs: map[string]*exec.Cmd{}, links: map[string]string{}}
	defer y.stop()
	o := demo.FleetOptions{Now: time.Now, Say: func(f string, a ...any) { fmt.Fprintf(e.stderr, f+"\n", a...) }, Soak: soak, Gone: gone,
		Found: y.found, Sign: y.sign, KillHub: y.killHub, StartHub: func(ctx context.Context) error { _, err := y.start(ctx, "hub", "north"); return err }}
	if o.Hub, err = y.start(ctx, "hub", "north"); err != nil {
		return err
	}
	for _, n := range fleetNodes {
		c, err := y.start(ctx, n.name, n.site)
		if err != nil {
			return err
		}
		o.Nodes = append(o.Nodes, demo.FleetServer{Name: n.name, Site: n.site, Client: c})
	}
	if link := y.links["hub"]; link != "" {
		fmt.Fprintf(e.stderr, "The hub's page, to watch it (the link works once):\n\n  %s\n\n", link)
	}
	report, err := demo.RunFleet(ctx, o)
	if err != nil {
		return err
	}
	if err := printDemo(e, played{report, report.Says, report.TotalSeconds}, asJSON); err != nil {
		return err
	}
	if keep {
		if link := y.links["hub"]; link != "" {
			fmt.Fprintf(e.stderr, "The hub's page (the link works once):\n\n  %s\n\n", link)
		} else {
			fmt.Fprintf(e.stderr, "The hub's page: http://%s/fleet\n", y.page)
		}
		fmt.Fprintln(e.stderr, "The five servers run on; Ctrl-C ends them.")
		<-ctx.Done()
	}
	return nil
}

// freeAddress is a loopback address that is free now. The hub keeps its own over its death, so they cannot be port 0.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", edgeward.Wrap("demo", err)
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// start runs a server and waits until it answers over its socket.
func (y *yard) start(ctx context.Context, name, site string) (*client.Client, error) {
	dir := filepath.Join(y.dir, name)
	fleet, page, gossip := "off", "127.0.0.1:0", "127.0.0.1:0"
	if name == "hub" {
		fleet, page, gossip = y.hub, y.page, "off"
	}
	cmd := exec.Command(y.program, "serve", "--data-dir", dir, "--http-address", page, "--mqtt-address", "127.0.0.1:0", "--grpc-address", "off",
		"--set", "node.name="+name, "--set", "site="+site, "--set", "fleet.address="+fleet, "--set", "gossip.address="+gossip, "--set", "log.level=warn", "--set", "workers.threads=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM} // our Ctrl-C is not theirs; they end with us
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, edgeward.Wrap("demo", err)
	}
	log, err := os.OpenFile(dir+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, edgeward.Wrap("demo", err)
	}
	defer log.Close()
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		return nil, edgeward.Wrap("demo", err)
	}
	y.procs[name] = cmd
	link := make(chan string, 1)
	go readLink(out, link)
	c, err := client.New(client.Options{Socket: filepath.Join(dir, node.SocketName)})
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(time.Minute); ; {
		if _, err = c.Fleet(ctx); err == nil {
			break
		}
		if ctx.Err() != nil || time.Now().After(until) {
			return nil, edgeward.E("demo", edgeward.Unavailable, "demo.fleet_start", "server %s did not start: %w", name, err).WithHint("its log is %s.log", dir)
		}
		time.Sleep(100 * time.Millisecond)
	}
	delete(y.links, name)
	if setup, err := c.Health(ctx); err == nil && setup.Setup {
		select {
		case y.links[name] = <-link:
		case <-time.After(5 * time.Second):
		}
	}
	return c, nil
}

// readLink finds the one-time link among what a server prints.
func readLink(r io.Reader, link chan<- string) {
	s := bufio.NewScanner(r)
	for s.Scan() {
		if t := strings.TrimSpace(s.Text()); strings.Contains(t, "/setup#") {
			link <- t
		}
	}
}

// found makes the hub one, with the keys of three persons, as edgeward fleet init does.
func (y *yard) found(ctx context.Context) error {
	if err := y.command(ctx, "group", "create", "main", "--reason", "demonstration"); err != nil {
		return err
	}
	return y.command(ctx, "fleet", "init", "demonstration", "--keys", y.keys, "--hub-url", "https://"+y.hub)
}

// sign signs as a person, with the person's key file.
func (y *yard) sign(ctx context.Context, person, model string, version int) error {
	return y.command(ctx, "fleet", "sign", fmt.Sprintf("%s/%d", model, version), "--key", filepath.Join(y.keys, person+".key"), "--yes")
}

// command runs one of our own commands against the hub.
func (y *yard) command(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, y.program, append([]string{"--data-dir", filepath.Join(y.dir, "hub")}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return edgeward.E("demo", edgeward.Unavailable, "demo.fleet_command", "edgeward %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (y *yard) killHub() error {
	cmd := y.procs["hub"]
	if err := cmd.Process.Kill(); err != nil {
		return edgeward.Wrap("demo", err)
	}
	_ = cmd.Wait() // killed
	return nil
}

// stop ends all servers in good order.
func (y *yard) stop() {
	for _, c := range y.procs {
		_ = c.Process.Signal(syscall.SIGTERM)
	}
	for _, c := range y.procs {
		done := make(chan struct{})
		go func() { _ = c.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			_ = c.Process.Kill()
		}
	}
}
