package main

import (
	"context"
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"edgeward/node/client"
)

// peer is the same work in Python; its first line says what it does.
//
//go:embed train_peer.py
var peer string

// train has the product train the demonstration's model again, and Python fit the same rows.
func (b *bench) train(ctx context.Context) (err error) {
	dir, err := b.demoDirectory(ctx)
	if err != nil {
		return err
	}
	p, c, _, err := b.asked(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stop()) }()
	const model = "er-attendance"
	v, err := c.ModelVersion(ctx, model, 1)
	if err != nil {
		return err
	}
	rows := filepath.Join(b.dir, "rows.csv")
	if err := writeRows(ctx, c, v, rows); err != nil {
		return err
	}
	t := newTable("seconds", "seconds / ours")
	for round := range b.rounds {
		began := time.Now()
		j, err := c.Train(ctx, "bench", client.TrainRequest{DataSet: v.Manifest.Lineage.DataSet, Recipe: v.Manifest.Recipe, To: v.Manifest.Lineage.TrainTo,
			IntendedUse: "a benchmark", Key: fmt.Sprint("bench/", round)})
		if err != nil {
			return err
		}
		if j, err = c.Wait(ctx, j.ID, nil); err != nil {
			return err
		}
		if _, err := client.Trained(j); err != nil {
			return err
		}
		ours := time.Since(began).Seconds()
		t.add("edgeward, call to registered version", "seconds", ours)
		t.add("edgeward, call to registered version", "seconds / ours", 1)
		if b.python == "" {
			continue
		}
		for _, what := range []string{"one", "all"} {
			began := time.Now()
			cmd := exec.CommandContext(ctx, b.python, "-c", peer, rows, what, v.Manifest.Lineage.Parameters["iterations"])
			cmd.Stderr = os.Stderr
			out, err := cmd.Output()
			if err != nil {
				return err
			}
			whole := time.Since(began).Seconds()
			inside, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
			if err != nil {
				return fmt.Errorf("the peer says %.200q", out)
			}
			name := map[string]string{"one": "Python, one fit of the chosen setting", "all": "Python, the same search and the final fit"}[what]
			t.add(name+", with interpreter and imports", "seconds", whole)
			t.add(name+", with interpreter and imports", "seconds / ours", whole/ours)
			t.add(name+", LightGBM alone", "seconds", inside)
			t.add(name+", LightGBM alone", "seconds / ours", inside/ours)
		}
	}
	t.print()
	return nil
}

// writeRows writes the rows that the version was trained on: day of the target, truth, features.
func writeRows(ctx context.Context, c *client.Client, v client.ModelVersion, path string) error {
	l := v.Manifest.Lineage
	f, err := c.Features(ctx, l.DataSet, l.DataSetVersion, client.FeaturesRequest{Recipe: v.Manifest.Recipe, From: *l.TrainFrom, To: *l.TrainTo})
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(out)
	for _, r := range f.Rows {
		if r.Truth == nil {
			continue
		}
		line := []string{r.Target.Format(time.DateOnly), strconv.FormatFloat(*r.Truth, 'g', -1, 64)}
		for _, x := range r.Values {
			if line = append(line, "nan"); x != nil {
				line[len(line)-1] = strconv.FormatFloat(*x, 'g', -1, 64)
			}
		}
		if err := w.Write(line); err != nil {
			return err
		}
	}
	w.Flush()
	return errors.Join(w.Error(), out.Close())
}
