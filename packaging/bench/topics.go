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

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

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
