package store

import (
	"context"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/runtime/serve"
)

// RemoveDataset removes a data set and its versions. It is a Conflict while a model names it as its lineage.
func (db *DB) RemoveDataset(ctx context.Context, group, name, by string, at time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		d, err := Datasets.Get(tx, group, name)
		if err != nil {
			return err
		}
		models, _, err := Models.List(tx, group, Page{Limit: 1000})
		if err != nil {
			return err
		}
		for _, m := range models {
			versions, _, err := ModelVersions.ListBy(tx, "model", group, m.Name, Page{Limit: 1000})
			if err != nil {
				return err
			}
			for _, v := range versions {
				if v.Manifest.Lineage.DataSet == name {
					return edgeward.E("store.RemoveDataset", edgeward.Conflict, "dataset.in_use", "model %s was made of data set %s", v.Ref(), name).
						WithHint("remove the model first: its lineage would point at nothing")
				}
			}
		}
		versions, _, err := DatasetVersions.ListBy(tx, "data_set", group, name, Page{Limit: 1000})
		if err != nil {
			return err
		}
		for _, v := range versions {
			if err := DatasetVersions.Delete(tx, group, numbered(name, v.Number)); err != nil {
				return err
			}
		}
		if err := Datasets.Delete(tx, group, name); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: at, Principal: by, Group: group, Action: "dataset.removed", Object: events.Object{Kind: "dataset", Name: name, ID: name}, Demo: d.Demo})
		return err
	})
}

// RemoveModel removes a model and its versions. It is a Conflict while an endpoint names it.
func (db *DB) RemoveModel(ctx context.Context, group, name, by string, at time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		m, err := Models.Get(tx, group, name)
		if err != nil {
			return err
		}
		behind, _, err := Endpoints.ListBy(tx, "model", group, name, Page{Limit: 1})
		if err != nil {
			return err
		}
		if len(behind) > 0 {
			return edgeward.E("store.RemoveModel", edgeward.Conflict, "model.in_use", "model %s stands behind endpoint %s", name, behind[0].Endpoint.Name).
				WithHint("remove the endpoint first")
		}
		for {
			versions, _, err := ModelVersions.ListBy(tx, "model", group, name, Page{Limit: 1000})
			if err != nil {
				return err
			}
			if len(versions) == 0 {
				break
			}
			for _, v := range versions {
				if err := ModelVersions.Delete(tx, group, numbered(name, v.Number)); err != nil {
					return err
				}
			}
		}
		if err := Models.Delete(tx, group, name); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: at, Principal: by, Group: group, Action: "model.removed", Object: events.Object{Kind: "model", Name: name, ID: name}, Demo: m.Demo})
		return err
	})
}

// RemoveEndpoint removes an endpoint with its status, monitor and candidates.
func (db *DB) RemoveEndpoint(ctx context.Context, key serve.Key, by string, at time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		d, err := Endpoints.Get(tx, key.Group, key.Name)
		if err != nil {
			return err
		}
		candidates, _, err := Candidates.ListBy(tx, "endpoint", key.Group, key.Name, Page{Limit: 1000})
		if err != nil {
			return err
		}
		for _, c := range candidates {
			if err := Candidates.Delete(tx, key.Group, c.ID); err != nil {
				return err
			}
		}
		for _, err := range []error{statuses.Delete(tx, key.Group, key.Name), Watches.Delete(tx, key.Group, key.Name)} {
			if err != nil && edgeward.KindOf(err) != edgeward.NotFound {
				return err
			}
		}
		if err := Endpoints.Delete(tx, key.Group, key.Name); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: at, Principal: by, Group: key.Group, Action: "endpoint.removed", Object: events.Object{Kind: "endpoint", Name: key.Name, ID: key.Name}, Demo: d.Endpoint.Demo})
		return err
	})
}
