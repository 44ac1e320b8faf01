// Command bench measures the product on the machine it runs on and prints the tables of docs/benchmarks.md.
//
//	go run ./packaging/bench [-rounds 5] [-match .] [-python PYTHON] [-only PEERS] [start|serving|train|demo|hot|swap|resident|delta|join|idle|analyzer]...
//
// Every topic runs its competitors in turn within each round, so that a busy minute of the machine hits all of them, and
// prints medians with the smallest and the largest value in brackets. Everything listens on loopback and lives in a
// temporary folder. Peers in Python are measured where -python names an interpreter that has them (mlflow for start,
// lightgbm and numpy for train); without one they are left out and the table says so. The peers of serving are set up from
// their packages (peers/*.txt) in .cache/peers, once; what is missing is left out aloud, and with EDGEWARD_REQUIRE_ALL=1 it
// is an error. The topics swap, resident, delta and idle run once, whatever the rounds, and they and join only where they are named; analyzer measures
// nothing: it sets perf_analyzer up in .cache/peers, where tests find it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"edgeward/node/client"
)

// token is the bootstrap token of every server that is started here.
const token = "bench-token-0123456789abcdef"

// bench is one run.
type bench struct {
	rounds      int
	match       string
	python      string
	program     string
	root        string        // of the source
	peers       string        // where the peers of serving are set up
	swaps, rate int           // of the topic swap: changes of the version, requests a second
	models      int           // of the topic resident
	idleFor     time.Duration // of the topic idle
	only        string        // windows of the topic serving; empty: all
	dir         string        // temporary
	kept        string        // where what is prepared for serving, and its samples, are kept; dir unless told
	pointLength time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (err error) {
	var b bench
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.IntVar(&b.rounds, "rounds", 5, "rounds of each topic")
	f.StringVar(&b.match, "match", ".", "benchmarks of the topic hot: a regular expression")
	f.StringVar(&b.python, "python", "", "Python with mlflow, lightgbm and numpy")
	f.StringVar(&b.program, "program", "bin/edgeward", "the program to measure")
	f.IntVar(&b.swaps, "swaps", 1000, "changes of the version in the topic swap")
	f.IntVar(&b.rate, "rate", 2000, "requests a second in the topic swap")
	f.IntVar(&b.models, "models", 4000, "models in the topic resident")
	f.DurationVar(&b.idleFor, "idle", 20*time.Minute, "how long the topic idle watches")
	f.StringVar(&b.only, "only", "", "windows of the topic serving (ours, or peers such as triton,litserve) or part of the names of pairs of the topic delta; empty for all")
	f.StringVar(&b.kept, "keep", "", "folder that keeps what the topic serving prepared, and its samples: later runs add to them")
	f.DurationVar(&b.pointLength, "point", 2*time.Second, "length of one measurement under load, at most 10s")
	if err := f.Parse(args); err != nil {
		return err
	}
	b.pointLength = min(b.pointLength, 10*time.Second)
	if b.program, err = filepath.Abs(b.program); err != nil {
		return err
	}
	if b.root, err = os.Getwd(); err != nil {
		return err
	}
	b.peers = filepath.Join(b.root, peersDir)
	if b.dir, err = os.MkdirTemp("", "edgeward-bench"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.kept == "" {
		b.kept = b.dir
	}
	if b.kept, err = filepath.Abs(b.kept); err != nil {
		return err
	}
	if err := os.MkdirAll(b.kept, 0o700); err != nil {
		return err
	}
	topics := map[string]func(context.Context) error{"start": b.start, "serving": b.serving, "swap": b.swap, "resident": b.resident, "train": b.train, "demo": b.demo, "hot": b.hot, "delta": b.delta, "join": b.join, "idle": b.idle, "analyzer": b.analyzer}
	wanted := f.Args()
	if len(wanted) == 0 {
		wanted = []string{"start", "serving", "train", "demo", "hot"}
	}
	for _, name := range wanted {
		topic, ok := topics[name]
		if !ok {
			return fmt.Errorf("there is no topic %q", name)
		}
		fmt.Printf("\n## %s\n\n%d rounds, %d cores, %s. Load average before: %s", name, b.rounds, runtime.NumCPU(), runtime.Version(), load())
		if err := topic(ctx); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		fmt.Printf("\nLoad average after: %s", load())
	}
	return nil
}

func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	if f := strings.Fields(string(b)); len(f) > 2 {
		return strings.Join(f[:3], " ") + "\n"
	}
	return "unknown\n"
}

// loadNow is the load average of the last minute.
func loadNow() float64 {
	v, _ := strconv.ParseFloat(strings.Fields(load())[0], 64)
	return v
}

// demoDirectory plays the demonstration once and returns its data directory.
func (b *bench) demoDirectory(ctx context.Context) (string, error) {
	dir := filepath.Join(b.dir, "demo")
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	cmd := exec.CommandContext(ctx, b.program, "demo", "--json", "--data", dir)
	if out, err := cmd.Output(); err != nil {
		return "", fmt.Errorf("the demonstration failed: %w\n%.500s", err, out)
	}
	return dir, nil
}

// node starts the product on a data directory.
func (b *bench) node(ctx context.Context, dir string) (p *process, address string, err error) {
	address = freeAddress()
	p, err = start(ctx, "http://"+address+"/api/v1/health", []string{"EDGEWARD_BOOTSTRAP_TOKEN=" + token},
		b.program, "serve", "--data-dir", dir, "--http-address", address, "--mqtt-address", "127.0.0.1:0", "--grpc-address", "off")
	return p, address, err
}

// asked is node with a client of it.
func (b *bench) asked(ctx context.Context, dir string) (p *process, c *client.Client, address string, err error) {
	if p, address, err = b.node(ctx, dir); err != nil {
		return nil, nil, "", err
	}
	if c, err = client.New(client.Options{URL: "http://" + address, Token: token}); err != nil {
		return nil, nil, "", errors.Join(err, p.stop())
	}
	return p, c, address, nil
}
