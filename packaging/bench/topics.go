package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"edgeward/node/client"
)

// settle is how long a server is left alone before its memory is read.
const settle = 5 * time.Second

// start measures the time from starting a program to its first 200, and its memory when idle.
func (b *bench) start(ctx context.Context) error {
	full, err := b.demoDirectory(ctx)
	if err != nil {
		return err
	}
	plain, _, _ := question("features", []int64{1, 14}, row)
	asked := post("er-attendance", plain, 0)
	t := newTable("start s", "start / ours empty", "first answer s", "supervisor RSS MiB", "supervisor PSS MiB", "all processes PSS MiB", "processes")
	workers := newTable("RSS MiB", "PSS MiB")
	const withDemo = "edgeward, four endpoints of the demo"
	for round := range b.rounds {
		first, at := 0.0, ""
		measure := func(name string, run func() (*process, error)) error {
			began := time.Now()
			p, err := run()
			if err != nil {
				return err
			}
			if name == withDemo {
				if err := answers(at, asked); err != nil {
					return errors.Join(err, p.stop())
				}
				t.add(name, "first answer s", time.Since(began).Seconds())
			}
			if first == 0 {
				first = p.ready.Seconds()
			}
			t.add(name, "start s", p.ready.Seconds())
			t.add(name, "start / ours empty", p.ready.Seconds()/first)
			select {
			case <-p.done:
				return fmt.Errorf("%s ended by itself or by another's hand", name)
			case <-time.After(settle):
			}
			all, sum := p.tree(), 0.0
			for i, pid := range all {
				rss, pss := memory(pid)
				sum += pss
				if i == 0 {
					t.add(name, "supervisor RSS MiB", rss)
					t.add(name, "supervisor PSS MiB", pss)
				} else if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); name == withDemo {
					kind := fmt.Sprintf("process %d: %s", i+1, strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " ")))
					workers.add(kind, "RSS MiB", rss)
					workers.add(kind, "PSS MiB", pss)
				}
			}
			t.add(name, "all processes PSS MiB", sum)
			t.add(name, "processes", float64(len(all)))
			return p.stop()
		}
		ours := func(dir string) func() (*process, error) {
			return func() (p *process, err error) { p, at, err = b.node(ctx, dir); return p, err }
		}
		empty := filepath.Join(b.dir, fmt.Sprint("empty", round))
		steps := []func() error{
			func() error { return measure("edgeward, empty directory", ours(empty)) },
			func() error { return measure("edgeward, the same again", ours(empty)) },
			func() error { return measure(withDemo, ours(full)) },
		}
		for _, workers := range []string{"1", ""} {
			home := filepath.Join(b.dir, fmt.Sprint("mlflow", workers, round))
			for _, when := range []string{"empty directory", "the same again"} {
				name := "mlflow server, default workers, " + when
				if workers != "" {
					name = "mlflow server, " + workers + " worker, no job processes, " + when
				}
				steps = append(steps, func() error { return measure(name, func() (*process, error) { return b.mlflow(ctx, home, workers) }) })
			}
		}
		if b.python == "" {
			steps = steps[:3]
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
	}
	t.print()
	workers.print()
	return nil
}

// answers returns when the first question has been answered.
func answers(address string, raw []byte) (err error) {
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(5 * time.Millisecond) {
		if _, err = ask(address, raw, time.Nanosecond, nil); err == nil {
			return nil
		}
	}
	return err
}

func (b *bench) mlflow(ctx context.Context, home, workers string) (*process, error) {
	if err := os.MkdirAll(home, 0o700); err != nil {
		return nil, err
	}
	at := freeAddress()
	args := []string{"-m", "mlflow", "server", "--host", "127.0.0.1", "--port", at[strings.LastIndexByte(at, ':')+1:],
		"--backend-store-uri", "sqlite:///" + home + "/mlflow.db", "--artifacts-destination", home + "/artifacts"}
	env := []string{"MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true"}
	if workers != "" { // as little as it can be: one worker, no processes for background jobs
		args, env = append(args, "--workers", workers), append(env, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false")
	}
	return start(ctx, "http://"+at+"/health", env, b.python, args...)
}

// row is a day's features as the demonstration's model of attendances wants them.
var row = []float32{231, 219, 224, 240, 236, 229, 233, 228, 230, 232, 3, 10, 285, 1}

// question is a body of the Open Inference Protocol for one row.
func question(input string, shape []int64, values []float32) (plain, binaryBody []byte, header int) {
	in := map[string]any{"name": input, "shape": shape, "datatype": "FP32", "data": values}
	plain, _ = json.Marshal(map[string]any{"inputs": []any{in}})
	delete(in, "data")
	in["parameters"] = map[string]int{"binary_data_size": 4 * len(values)}
	binaryBody, _ = json.Marshal(map[string]any{"inputs": []any{in}, "parameters": map[string]bool{"binary_data_output": true}})
	header = len(binaryBody)
	for _, v := range values {
		binaryBody = binary.LittleEndian.AppendUint32(binaryBody, math.Float32bits(v))
	}
	return plain, binaryBody, header
}

// serve asks the product and the floor for the same answers of the same model files.
func (b *bench) serve(ctx context.Context) (err error) {
	floor := filepath.Join(b.dir, "floor")
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", floor, "./packaging/bench/floor").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	dir, err := b.demoDirectory(ctx)
	if err != nil {
		return err
	}
	ours, address, err := b.node(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.stop()) }()
	c, err := client.New(client.Options{URL: "http://" + address, Token: token})
	if err != nil {
		return err
	}
	libs, err := filepath.Glob(filepath.Join(dir, "native", "onnxruntime-*", "libonnxruntime.so*"))
	if err != nil || len(libs) == 0 {
		return fmt.Errorf("no ONNX Runtime below %s (%v)", dir, err)
	}
	picture := make([]float32, 64)
	for i := range picture {
		picture[i] = float32(i%17) / 16
	}
	type model struct {
		name, file string
		plain, bin []byte
		floor      *process
		floorAt    string
	}
	var all []*model
	for _, m := range []struct {
		name, input string
		shape       []int64
		values      []float32
	}{{"er-attendance", "features", []int64{1, 14}, row}, {"digits", "image", []int64{1, 1, 8, 8}, picture}} {
		plain, bin, header := question(m.input, m.shape, m.values)
		x := &model{name: m.name, file: filepath.Join(b.dir, m.name+".onnx"), plain: post(m.name, plain, 0), bin: post(m.name, bin, header), floorAt: freeAddress()}
		if err := fetchModel(ctx, c, m.name, x.file); err != nil {
			return err
		}
		if x.floor, err = start(ctx, "http://"+x.floorAt+"/v2/health/ready", nil, floor, libs[0], x.file, x.floorAt); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, x.floor.stop()) }()
		all = append(all, x)
	}
	t := newTable("p50 us", "p99 us", "requests/s", "CPU us/request", "CPU / floor")
	for range b.rounds {
		for _, m := range all {
			for _, body := range []struct {
				name string
				raw  []byte
			}{{"JSON", m.plain}, {"binary", m.bin}} {
				for _, n := range []int{1, 16} {
					floorCPU := 0.0
					for _, side := range []struct {
						name, address string
						p             *process
					}{{"floor", m.floorAt, m.floor}, {"edgeward", address, ours}} {
						p, err := drive(side.p, side.address, body.raw, n, b.pointLength)
						if err != nil {
							return err
						}
						name, cpu := fmt.Sprintf("%s, %s, %d clients, %s", m.name, body.name, n, side.name), micros(p.cpu)
						if side.p == m.floor {
							floorCPU = cpu
						}
						t.add(name, "p50 us", micros(p.p50))
						t.add(name, "p99 us", micros(p.p99))
						t.add(name, "requests/s", p.perSecond)
						t.add(name, "CPU us/request", cpu)
						t.add(name, "CPU / floor", cpu/floorCPU)
					}
				}
			}
		}
	}
	t.print()
	return nil
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// fetchModel waits until the endpoint of that name answers and writes the live version's ONNX file.
func fetchModel(ctx context.Context, c *client.Client, name, path string) error {
	e, err := c.Endpoint(ctx, name)
	if err != nil {
		return err
	}
	live := e.Spec.Targets[0].Version
	if _, err := c.AwaitLive(ctx, name, live); err != nil {
		return err
	}
	v, err := c.ModelVersion(ctx, name, live)
	if err != nil {
		return err
	}
	file, ok := v.Manifest.File("model")
	if !ok {
		return fmt.Errorf("%s/%d has no model file", name, live)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(c.ModelFile(ctx, name, live, file.Name, f), f.Close())
}

// demo plays the demonstration from an empty directory.
func (b *bench) demo(ctx context.Context) error {
	t := newTable("seconds")
	peak := newTable("MiB")
	for round := range b.rounds {
		cmd := exec.CommandContext(ctx, b.program, "demo", "--json", "--data", filepath.Join(b.dir, fmt.Sprint("demo", round)))
		began := time.Now()
		out, err := cmd.Output()
		if err != nil {
			return err
		}
		wall := time.Since(began).Seconds()
		var r struct {
			Total  float64 `json:"total_seconds"`
			Stages []struct {
				Name    string
				Seconds float64
			}
		}
		if err := json.Unmarshal(out, &r); err != nil {
			return err
		}
		t.add("command, start to end", "seconds", wall)
		t.add("total_seconds of the report", "seconds", r.Total)
		for _, s := range r.Stages {
			t.add("stage "+s.Name, "seconds", s.Seconds)
		}
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			peak.add("largest RSS of the supervisor", "MiB", float64(u.Maxrss)/1024)
		}
	}
	t.print()
	peak.print()
	return nil
}
