package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a server under measurement, in a process group of its own so that its end takes its children along.
type process struct {
	cmd   *exec.Cmd
	done  chan struct{}
	ready time.Duration // from start to the first 200, or to the first right answer
}

// start runs a command and waits for a 200 at url.
func start(ctx context.Context, url string, env []string, name string, args ...string) (*process, error) {
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return launch(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := fresh.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s says %s", url, resp.Status)
		}
		return nil
	}, env, name, args...)
}

// launch runs a command and asks every two milliseconds, for at most two minutes, whether it is ready.
func launch(ctx context.Context, ready func(context.Context) error, env []string, name string, args ...string) (*process, error) {
	log, err := os.CreateTemp("", "bench-*.log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.done) }()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		last := ready(ctx)
		if last == nil {
			p.ready = time.Since(began)
			return p, os.Remove(log.Name())
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("%s ended before it answered; its log is %s", name, log.Name())
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%s is not ready: %w; its log is %s", name, last, log.Name()), p.stop())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// stop asks the process to end, and after ten seconds, or once it has ended, ends its whole group and those of its
// descendants that left the group.
func (p *process) stop() error {
	left := map[int]string{}
	for _, pid := range p.tree() {
		left[pid] = born(pid)
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
	}
	for pid, at := range left {
		if pid != p.cmd.Process.Pid && at != "" && born(pid) == at {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	<-p.done
	return nil
}

// tree returns the process and all its descendants.
func (p *process) tree() []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		if f := stat(path); f != nil {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			parent, _ := strconv.Atoi(f[1])
			children[parent] = append(children[parent], pid)
		}
	}
	all := []int{p.cmd.Process.Pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// stat returns the fields of /proc/PID/stat from the state on, nil for a process that has gone.
func stat(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(f) < 13 {
		return nil
	}
	return f
}

// born is when a process began, in ticks since the machine did; empty for one that has gone.
func born(pid int) string {
	if f := stat(fmt.Sprintf("/proc/%d/stat", pid)); len(f) > 19 {
		return f[19]
	}
	return ""
}

// cpu is the user and system time of the tree, in steps of 10 ms.
func (p *process) cpu() (sum time.Duration) {
	for _, pid := range p.tree() {
		if f := stat(fmt.Sprintf("/proc/%d/stat", pid)); f != nil {
			user, _ := strconv.Atoi(f[11])
			system, _ := strconv.Atoi(f[12])
			sum += time.Duration(user+system) * 10 * time.Millisecond
		}
	}
	return sum
}

// memory returns resident and proportional set size of a process in MiB (/proc/PID/smaps_rollup).
func memory(pid int) (rss, pss float64) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		kib, _ := strconv.ParseFloat(f[1], 64)
		switch f[0] {
		case "Rss:":
			rss = kib / 1024
		case "Pss:":
			pss = kib / 1024
		}
	}
	return rss, pss
}

// freeAddress returns a loopback address that was free a moment ago.
func freeAddress() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "127.0.0.1:18080"
	}
	defer l.Close()
	return l.Addr().String()
}
