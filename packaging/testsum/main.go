// Command testsum reads the events of go test -json on stdin and prints what a person wants of them: the output of what
// failed, one line per package, the slowest tests, what was skipped for want of a tool, and at last, alone on a line, how many
// tests passed and failed. It exits 1 when anything failed or nothing ran.
//
//	go test -json ./... | go run ./packaging/testsum
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"edgeward/packaging/needtest"
)

func main() {
	if !summarize(os.Stdin, os.Stdout) {
		os.Exit(1)
	}
}

// event is one line of go test -json (go doc test2json).
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

type summary struct {
	passed, failed int
	failedIn       map[string]bool // packages with a failed test
	output         map[[2]string][]string
	missing        map[[2]string]string // test -> the tool or the hardware it lacked
	slow           []event              // of tests that took a while
	w              io.Writer
}

func summarize(r io.Reader, w io.Writer) bool {
	s := summary{failedIn: map[string]bool{}, output: map[[2]string][]string{}, missing: map[[2]string]string{}, w: w}
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				w.Write(line) // of go itself
			} else {
				s.add(e)
			}
		}
		if err != nil {
			break
		}
	}
	slices.SortStableFunc(s.slow, func(a, b event) int { return cmp.Compare(b.Elapsed, a.Elapsed) })
	for _, e := range s.slow[:min(len(s.slow), 20)] {
		fmt.Fprintf(w, "slow  %s %s %.1fs\n", e.Package, e.Test, e.Elapsed)
	}
	if len(s.missing) > 0 {
		tools := slices.Compact(slices.Sorted(maps.Values(s.missing)))
		fmt.Fprintf(w, "SKIPPED %d: %s\n", len(s.missing), strings.Join(tools, ", "))
	}
	fmt.Fprintf(w, "%d passed, %d failed\n", s.passed, s.failed)
	return s.failed == 0 && s.passed > 0
}

func (s *summary) add(e event) {
	key := [2]string{e.Package, e.Test}
	switch e.Action {
	case "output":
		s.output[key] = append(s.output[key], e.Output)
		return
	case "build-output":
		fmt.Fprint(s.w, e.Output)
		return
	case "pass", "fail", "skip":
	default:
		return
	}
	if e.Test != "" {
		s.test(e, key)
		return
	}
	s.packageEnded(e, key)
}

func (s *summary) test(e event, key [2]string) {
	if e.Elapsed >= 5 {
		s.slow = append(s.slow, e)
	}
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		for _, mark := range []string{needtest.Mark, needtest.HardwareMark} {
			if _, tool, ok := strings.Cut(strings.Join(s.output[key], ""), mark+" "); ok {
				tool, _, _ = strings.Cut(tool, "\n")
				s.missing[key] = strings.Trim(strings.TrimSpace(tool), "'\"")
			}
		}
	case "fail":
		s.failed++
		s.failedIn[e.Package] = true
		fmt.Fprintf(s.w, "%s\n", strings.Join(s.output[key], ""))
	}
	delete(s.output, key)
}

func (s *summary) packageEnded(e event, key [2]string) {
	switch e.Action {
	case "pass":
		fmt.Fprintf(s.w, "ok    %s %.1fs\n", e.Package, e.Elapsed)
	case "fail":
		if !s.failedIn[e.Package] { // it did not compile, crashed or ran out of time
			s.failed++
			for k, out := range s.output {
				if k[0] == e.Package {
					fmt.Fprintf(s.w, "%s\n", strings.Join(out, ""))
				}
			}
		}
		fmt.Fprintf(s.w, "FAIL  %s %.1fs\n", e.Package, e.Elapsed)
	}
	delete(s.output, key)
}
