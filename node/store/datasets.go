package store

import (
	"context"
	"fmt"

	"edgeward"
	"edgeward/node/events"
	"edgeward/runtime/datasets"
)

// Datasets keeps data sets by name, DatasetVersions their versions by "name/00000001".
var (
	Datasets = Collection[datasets.Dataset]{Noun: "dataset", Bucket: "datasets", Schema: 1,
		Key: func(d *datasets.Dataset) (string, string) { return d.Group, d.Name }}

	DatasetVersions = Collection[DatasetVersion]{Noun: "dataset.version", Bucket: "dataset_versions", Schema: 1,
		Key: func(v *DatasetVersion) (string, string) { return v.Group, numbered(v.DataSet, v.Number) },
		Indexes: []Index[DatasetVersion]{
			{Name: "data_set", Keys: func(v *DatasetVersion) []string { return []string{v.DataSet} }},
			{Name: "digest", Unique: true, Keys: func(v *DatasetVersion) []string { return []string{v.DataSet + "@" + string(v.Digest)} }},
		}}
)

// DatasetVersion is a version with the names that locate it.
type DatasetVersion struct {
	Group   string `json:"group"`
	DataSet string `json:"data_set"`
	datasets.Version
}

// numbered is the id of version n of a named thing: it sorts by number.
func numbered(name string, n int) string { return fmt.Sprintf("%s/%08d", name, n) }

var _ datasets.Store = (*DB)(nil)

// PutDataset implements datasets.Store.
func (db *DB) PutDataset(ctx context.Context, d datasets.Dataset) error {
	return db.Update(ctx, func(tx *Tx) error {
		action := "dataset.created"
		switch old, err := Datasets.Get(tx, d.Group, d.Name); {
		case err == nil:
			if d.Description == "" || d.Description == old.Description {
				return nil
			}
			old.Description, d, action = d.Description, old, "dataset.described"
			d.Description = old.Description
		case edgeward.KindOf(err) != edgeward.NotFound:
			return err
		}
		if err := Datasets.Put(tx, d); err != nil {
			return err
		}
		_, err := tx.Append(events.Event{Time: d.Created, Principal: d.CreatedBy, Group: d.Group, Action: action,
			Object: events.Object{Kind: "dataset", Name: d.Name, ID: d.Name}, Demo: d.Demo})
		return err
	})
}

// Dataset implements datasets.Store.
func (db *DB) Dataset(ctx context.Context, group, name string) (d datasets.Dataset, err error) {
	err = db.View(ctx, func(tx *Tx) error { d, err = Datasets.Get(tx, group, name); return err })
	return d, err
}

// ListDatasets returns one page of a group's data sets.
func (db *DB) ListDatasets(ctx context.Context, group string, page Page) (items []datasets.Dataset, next string, err error) {
	err = db.View(ctx, func(tx *Tx) error { items, next, err = Datasets.List(tx, group, page); return err })
	return items, next, err
}

// AddVersion implements datasets.Store.
func (db *DB) AddVersion(ctx context.Context, group, name string, v datasets.Version) (kept datasets.Version, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		d, err := Datasets.Get(tx, group, name)
		if err != nil {
			return err
		}
		if old, err := DatasetVersions.Find(tx, "digest", group, name+"@"+string(v.Digest)); err == nil {
			kept = old.Version
			return nil
		}
		last, _, err := DatasetVersions.ListBy(tx, "data_set", group, name, Page{Limit: 1, Newest: true})
		if err != nil {
			return err
		}
		v.Number = 1
		if len(last) > 0 {
			v.Number = last[0].Number + 1
		}
		kept = v
		if err := DatasetVersions.Create(tx, DatasetVersion{group, name, v}); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: v.Created, Principal: v.CreatedBy, Group: group, Action: "dataset.version.created", Reason: v.Message,
			Object: events.Object{Kind: "dataset", Name: fmt.Sprintf("%s/%d", name, v.Number), ID: name}, After: v.Digest, Demo: d.Demo,
			Detail: map[string]string{"rows": fmt.Sprint(v.Rows), "file": v.Source.File}})
		return err
	})
	return kept, err
}

// Version implements datasets.Store.
func (db *DB) Version(ctx context.Context, group, name string, number int) (v datasets.Version, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		if _, err := Datasets.Get(tx, group, name); err != nil {
			return err
		}
		if number > 0 {
			found, err := DatasetVersions.Get(tx, group, numbered(name, number))
			v = found.Version
			return versionMissing(err, "dataset", name, number)
		}
		last, _, err := DatasetVersions.ListBy(tx, "data_set", group, name, Page{Limit: 1, Newest: true})
		if err == nil && len(last) == 0 {
			err = versionMissing(edgeward.E("store.Version", edgeward.NotFound, "", "no version"), "dataset", name, 0)
		}
		if err == nil {
			v = last[0].Version
		}
		return err
	})
	return v, err
}

// DatasetVersions returns one page of a data set's versions, newest first.
func (db *DB) DatasetVersions(ctx context.Context, group, name string, page Page) (items []datasets.Version, next string, err error) {
	page.Newest = true
	err = db.View(ctx, func(tx *Tx) error {
		all, n, err := DatasetVersions.ListBy(tx, "data_set", group, name, page)
		for _, v := range all {
			items = append(items, v.Version)
		}
		next = n
		return err
	})
	return items, next, err
}

// versionMissing gives a NotFound the words a person expects.
func versionMissing(err error, noun, name string, number int) error {
	if err == nil || edgeward.KindOf(err) != edgeward.NotFound {
		return err
	}
	what := fmt.Sprintf("%s/%d", name, number)
	if number == 0 {
		what = name
	}
	command := map[string]string{"dataset": "data", "model": "model"}[noun]
	return edgeward.E("store.Version", edgeward.NotFound, noun+".version_not_found", "no version %s", what).With("id", what).
		WithHint("edgeward %s show %s lists the versions there are", command, name)
}
