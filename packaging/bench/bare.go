package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// bareColumn is the column of runs of so many rows in the table of the engine by itself.
func bareColumn(rows int) string { return fmt.Sprintf("%d", rows) }

func bareRow(m *model, callers int) string { return fmt.Sprintf("%s, %d at once", m.title, callers) }

// bare measures the engine without any server, by the floor: the ceiling of all that use it here.
func (c *contest) bare(ctx context.Context, m *model) error {
	_, args, err := goFloor(c.bench, m, "", [3]int{})
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, args[0], args[1], args[2], "engine").Output()
	if err != nil {
		return fmt.Errorf("the engine by itself: %w", err)
	}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var callers, rows int
		var perSecond float64
		if _, err := fmt.Sscan(lines.Text(), &callers, &rows, &perSecond); err != nil {
			return fmt.Errorf("the engine by itself: %q: %w", lines.Text(), err)
		}
		c.Bare.add(bareRow(m, callers), bareColumn(rows), perSecond)
	}
	return nil
}

// ceiling is how many requests a second a server could answer whose requests cost the floor's share of processors, with the
// engine's best batch in the place of its single row, and whose clients cost what they cost here.
func (r *report) ceiling(m *model, floor point, asking time.Duration) float64 {
	single, best := r.Bare.last(bareRow(m, 2), bareColumn(1)), 0.0
	for rows := 1; rows <= 64; rows *= 2 {
		best = max(best, r.Bare.last(bareRow(m, 2), bareColumn(rows)))
	}
	each := floor.cpu.Seconds() - 2/single + 2/best + asking.Seconds()
	return float64(runtime.NumCPU()) / each
}
