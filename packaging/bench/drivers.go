package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// drivers finds the load generators of others: wrk, and perf_analyzer, which is set up like a peer. One that is missing is
// left out aloud; perf_analyzer is looked for only where it is to be used.
func (b *bench) drivers(ctx context.Context, analyzed bool) (wrk, analyzer string, err error) {
	if wrk, err = exec.LookPath("wrk"); err != nil {
		wrk = ""
		if err := leftOut("wrk", errors.New("no such program; Debian has it as the package wrk")); err != nil {
			return "", "", err
		}
	}
	if !analyzed {
		return wrk, "", nil
	}
	if analyzer, err = b.setUpAnalyzer(ctx); err != nil {
		analyzer, err = "", leftOut("perf_analyzer", err)
	}
	return wrk, analyzer, err
}

// analyzer only sets perf_analyzer up, for the tests that ask by it.
func (b *bench) analyzer(ctx context.Context) error {
	program, err := b.setUpAnalyzer(ctx)
	if err == nil {
		fmt.Println(program)
	}
	return err
}

// setUpAnalyzer takes perf_analyzer out of its wheel, with the CUDA runtime that it opens before it uses shared memory of any
// kind. Where the system is older than the one it was built on, it is made to start by weaken.py and perf_analyzer.cc.
func (b *bench) setUpAnalyzer(ctx context.Context) (string, error) {
	dir := filepath.Join(b.peers, "perf_analyzer")
	program, cuda := filepath.Join(dir, "run"), filepath.Join(dir, "libcudart.so")
	works := func(path string) error {
		out, err := exec.CommandContext(ctx, path, "--version").CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s --version: %w %.300s", path, err, out)
		}
		return nil
	}
	if _, err := os.Stat(cuda); err == nil && works(program) == nil {
		return program, nil
	}
	fmt.Fprintf(os.Stderr, "bench: sets perf_analyzer up in %s, once\n", dir)
	run := func(args ...string) error {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%.1000s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := errors.Join(os.RemoveAll(dir), run("python3", "-m", "pip", "download", "-q", "--no-input", "--require-hashes", "--no-deps", "-d", dir, "--platform", "manylinux_2_38_x86_64",
		"--platform", "manylinux2014_x86_64", "--python-version", "3.12", "--only-binary", ":all:", "-r", b.script("perf_analyzer.txt"))); err != nil {
		return "", err
	}
	wheels, _ := filepath.Glob(filepath.Join(dir, "*.whl"))
	for _, w := range wheels {
		if err := run("python3", "-m", "zipfile", "-e", w, dir); err != nil {
			return "", err
		}
	}
	original := filepath.Join(dir, "perf_analyzer", "bin", "perf_analyzer")
	if err := errors.Join(os.Chmod(original, 0o700), os.Symlink("nvidia/cuda_runtime/lib/libcudart.so.12", cuda)); err != nil {
		return "", err
	}
	script := "#!/bin/sh\nat=$(dirname \"$0\")\nexport LD_LIBRARY_PATH=\"$at\"\nexec \"$at/perf_analyzer/bin/perf_analyzer\" \"$@\"\n"
	if works(original) != nil {
		script = "#!/bin/sh\nat=$(dirname \"$0\")\nexport LD_LIBRARY_PATH=\"$at\"\nLD_PRELOAD=\"$at/missing.so\" exec \"$at/weak\" \"$@\"\n"
		weak := filepath.Join(dir, "weak")
		if err := run("python3", b.script("weaken.py"), original, weak); err != nil {
			return "", err
		}
		if err := errors.Join(os.Chmod(weak, 0o700), run("g++", "-O1", "-shared", "-fPIC", "-o", filepath.Join(dir, "missing.so"), b.script("perf_analyzer.cc"))); err != nil {
			return "", err
		}
	}
	return program, errors.Join(os.WriteFile(program, []byte(script), 0o700), works(program))
}

// wrkResult is the line that the script below prints: requests, microseconds, errors, percentiles in microseconds.
var wrkResult = regexp.MustCompile(`(?m)^RESULT (\d+) (\d+) (\d+) (\d+) (\d+)$`)

// wrk asks the same question with wrk, 16 connections, JSON.
func (x *running) wrk(ctx context.Context, b *bench, r *report, program string) error {
	path, body, _ := x.body(x.model, asJSON)
	question, script := filepath.Join(x.home, "question"), filepath.Join(x.home, "wrk.lua")
	lua := fmt.Sprintf("wrk.method = \"POST\"\nlocal f = io.open(%q, \"rb\")\nwrk.body = f:read(\"*a\")\nwrk.headers[\"Content-Type\"] = \"application/json\"\nwrk.headers[\"Authorization\"] = \"Bearer %s\"\n"+
		"done = function(s, l) local e = s.errors\n"+
		"io.write(string.format(\"RESULT %%d %%d %%d %%d %%d\\n\", s.requests, s.duration, e.status + e.read + e.write + e.connect + e.timeout, l:percentile(50), l:percentile(99))) end\n", question, token)
	if err := errors.Join(os.WriteFile(question, body, 0o600), os.WriteFile(script, []byte(lua), 0o600)); err != nil {
		return err
	}
	seconds := max(1, int(b.pointLength.Seconds()))
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+30*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-t1", "-c16", fmt.Sprintf("-d%ds", seconds), "-s", script, "http://"+local(x.port[0])+path).CombinedOutput()
	f := wrkResult.FindStringSubmatch(string(out))
	if err != nil || f == nil || f[3] != "0" {
		return fmt.Errorf("wrk at %s: %w\n%.500s", x.name, err, out)
	}
	var v [6]float64
	for i := 1; i < len(f); i++ {
		v[i], _ = strconv.ParseFloat(f[i], 64)
	}
	row := x.model.title + ", " + x.name
	perSecond := v[1] / v[2] * 1e6
	r.WRK.add(row, "requests/s", perSecond)
	r.WRK.add(row, "p50 us", v[4])
	r.WRK.add(row, "p99 us", v[5])
	r.WRK.add(row, "edgeward's requests/s ÷ its", r.WRK.last(x.model.title+", "+edgewardName, "requests/s")/perSecond)
	return nil
}

// analyze has perf_analyzer ask the same question over HTTP and gRPC, one and sixteen at once. It sends tensors as binary.
// Between the colon and the token there is no space, because it would send it, and gRPC knows no such space.
func (x *running) analyze(ctx context.Context, b *bench, r *report, program string) error {
	for i, protocol := range []string{"http", "grpc"} {
		for _, n := range []int{1, 16} {
			if err := x.analyzeOnce(ctx, b, r, program, protocol, x.port[i], n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *running) analyzeOnce(ctx context.Context, b *bench, r *report, program, protocol string, port, clients int) error {
	csvFile, data := filepath.Join(x.home, "analyzer.csv"), filepath.Join(x.home, "data.json")
	if err := os.WriteFile(data, mustJSON(map[string]any{"data": []any{map[string]any{inputName: map[string]any{"content": x.model.values, "shape": x.model.shape[1:]}}}}), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-m", x.model.name, "-u", local(port), "-i", protocol, "-b", "1", "--input-data", data, "-H", "authorization:Bearer "+token,
		"--concurrency-range", strconv.Itoa(clients), "--measurement-interval", "1000", "--max-trials", "6", "--stability-percentage", "999",
		"-f", csvFile).CombinedOutput()
	if err != nil {
		return fmt.Errorf("perf_analyzer at %s, %s: %w\n%.1500s", x.name, protocol, err, out)
	}
	f, err := os.Open(csvFile)
	if err != nil {
		return err
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil || len(lines) < 2 {
		return fmt.Errorf("perf_analyzer wrote no result (%v): %.1500s", err, out)
	}
	row := fmt.Sprintf("%s, %s, %s, %d at once", x.model.title, x.name, protocol, clients)
	for column, title := range map[string]string{"inferences/s": "Inferences/Second", "p50 us": "p50 latency", "p99 us": "p99 latency"} {
		k := slices.Index(lines[0], title)
		if k < 0 {
			return fmt.Errorf("perf_analyzer has no column %q: %q", title, lines[0])
		}
		v, err := strconv.ParseFloat(lines[1][k], 64)
		if err != nil {
			return err
		}
		r.Analyzer.add(row, column, v)
	}
	return nil
}
