package store

import (
	"context"
	"encoding/json"

	"edgeward"
	"edgeward/runtime/datasets"
	"edgeward/runtime/jobs"
	"edgeward/runtime/models"
	"edgeward/runtime/score"
)

// References are the digests of all blobs that a fact points at: versions of data sets and models with all they are made
// of, the files that unfinished jobs wait for, and those of scorings: uploaded, the newest results, and what is to be
// delivered. A blob that is not among them may be swept.
func (db *DB) References(ctx context.Context) (map[edgeward.Digest]bool, error) {
	live := map[edgeward.Digest]bool{}
	err := db.View(ctx, func(tx *Tx) error {
		err := DatasetVersions.Each(tx, func(v DatasetVersion) error {
			keepDataset(live, v.Version)
			return nil
		})
		if err != nil {
			return err
		}
		err = ModelVersions.Each(tx, func(v models.Version) error {
			live[v.Digest] = true
			for _, d := range v.Manifest.Blobs() {
				live[d] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := keepScorings(tx, live); err != nil {
			return err
		}
		return Jobs.Each(tx, func(j jobs.Job) error {
			var spec struct {
				Bytes edgeward.Digest `json:"bytes"`
			}
			if !j.State.Ended() && json.Unmarshal(j.Spec, &spec) == nil && spec.Bytes != "" {
				live[spec.Bytes] = true
			}
			return nil
		})
	})
	return live, err
}

func keepDataset(live map[edgeward.Digest]bool, v datasets.Version) {
	live[v.ProfileDigest] = true
	for _, f := range v.Files {
		live[f.Digest] = true
	}
}

func keepScorings(tx *Tx, live map[edgeward.Digest]bool) error {
	err := Deliveries.Each(tx, func(d score.Delivery) error {
		if d.State == score.Waiting {
			live[d.Result.Bytes] = true
		}
		return nil
	})
	if err != nil {
		return err
	}
	return Scorings.Each(tx, func(s score.Scoring) error {
		live[s.Source.Bytes] = true
		runs, _, err := Jobs.ListBy(tx, "scoring", s.Group, s.Name, Page{Limit: score.KeptResults, Newest: true})
		for _, j := range runs {
			var r score.Result
			if json.Unmarshal(j.Result, &r) == nil {
				live[r.Bytes] = true
			}
		}
		return err
	})
}
