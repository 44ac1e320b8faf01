package store

import (
	"context"
	"fmt"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/runtime/models"
)

// Models keeps models by name, ModelVersions their versions by "name/00000001".
var (
	Models = Collection[models.Model]{Noun: "model", Bucket: "models", Schema: 1,
		Key: func(m *models.Model) (string, string) { return m.Group, m.Name }}

	ModelVersions = Collection[models.Version]{Noun: "model.version", Bucket: "model_versions", Schema: 1,
		Key: func(v *models.Version) (string, string) { return v.Group, numbered(v.Model, v.Number) },
		Indexes: []Index[models.Version]{
			{Name: "model", Keys: func(v *models.Version) []string { return []string{v.Model} }},
			{Name: "digest", Unique: true, Keys: func(v *models.Version) []string { return []string{v.Model + "@" + string(v.Digest)} }},
		}}
)

// PutModel creates m or, when it exists, keeps the old one; it returns what is kept.
func (db *DB) PutModel(ctx context.Context, m models.Model) (kept models.Model, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		old, err := Models.Get(tx, m.Group, m.Name)
		if err == nil || edgeward.KindOf(err) != edgeward.NotFound {
			kept = old
			return err
		}
		kept = m
		if err := Models.Create(tx, m); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: m.Created, Principal: m.CreatedBy, Group: m.Group, Action: "model.created",
			Object: events.Object{Kind: "model", Name: m.Name, ID: m.Name}, Demo: m.Demo})
		return err
	})
	return kept, err
}

// Model returns a model, or NotFound model.not_found.
func (db *DB) Model(ctx context.Context, group, name string) (m models.Model, err error) {
	err = db.View(ctx, func(tx *Tx) error { m, err = Models.Get(tx, group, name); return err })
	return m, err
}

// ListModels returns one page of a group's models.
func (db *DB) ListModels(ctx context.Context, group string, page Page) (items []models.Model, next string, err error) {
	err = db.View(ctx, func(tx *Tx) error { items, next, err = Models.List(tx, group, page); return err })
	return items, next, err
}

// ImportedVersion finds the newest version of a model that is the same import as m (models.Manifest.SameImport), or
// answers NotFound model.version.not_found.
func (db *DB) ImportedVersion(ctx context.Context, group, model string, m models.Manifest) (v models.Version, err error) {
	err = db.View(ctx, func(tx *Tx) error { v, err = importedVersion(tx, group, model, m); return err })
	return v, err
}

func importedVersion(tx *Tx, group, model string, m models.Manifest) (models.Version, error) {
	for page := (Page{Limit: 1000, Newest: true}); ; {
		items, next, err := ModelVersions.ListBy(tx, "model", group, model, page)
		if err != nil {
			return models.Version{}, err
		}
		for _, v := range items {
			if m.SameImport(v.Manifest) {
				return v, nil
			}
		}
		if page.Cursor = next; next == "" {
			return models.Version{}, ModelVersions.notFound(model)
		}
	}
}

// AddModelVersion gives v the next number of its model and keeps it. A version with the same digest is returned as it is,
// and so is one that is the same import; then added is false.
func (db *DB) AddModelVersion(ctx context.Context, v models.Version) (kept models.Version, added bool, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		added = false
		m, err := Models.Get(tx, v.Group, v.Model)
		if err != nil {
			return err
		}
		if old, err := ModelVersions.Find(tx, "digest", v.Group, v.Model+"@"+string(v.Digest)); err == nil {
			kept = old
			return nil
		}
		if v.Manifest.Lineage.Job == "" {
			switch old, err := importedVersion(tx, v.Group, v.Model, v.Manifest); {
			case err == nil:
				kept = old
				return nil
			case edgeward.KindOf(err) != edgeward.NotFound:
				return err
			}
		}
		m.Latest++
		v.Number, v.Demo = m.Latest, m.Demo
		kept, added = v, true
		if err := Models.Put(tx, m); err != nil {
			return err
		}
		if err := ModelVersions.Create(tx, v); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: v.Created, Principal: v.CreatedBy, Group: v.Group, Action: "model.version.created",
			Object: events.Object{Kind: "model", Name: v.Ref().String(), ID: v.Model}, After: v.Digest, Demo: v.Demo,
			Detail: map[string]string{"job": v.Manifest.Lineage.Job, "data_set": v.Manifest.Lineage.DataSet}})
		return err
	})
	return kept, added && err == nil, err
}

// ModelVersion returns one version; number 0 means the newest.
func (db *DB) ModelVersion(ctx context.Context, group string, ref models.Ref) (v models.Version, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		m, err := Models.Get(tx, group, ref.Model)
		if err != nil {
			return err
		}
		n := ref.Version
		if n == 0 {
			n = m.Latest
		}
		v, err = ModelVersions.Get(tx, group, numbered(ref.Model, n))
		return versionMissing(err, "model", ref.Model, ref.Version)
	})
	return v, err
}

// ModelVersionByDigest finds a version of a model by its identity.
func (db *DB) ModelVersionByDigest(ctx context.Context, group, model string, d edgeward.Digest) (v models.Version, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		v, err = ModelVersions.Find(tx, "digest", group, model+"@"+string(d))
		return err
	})
	return v, err
}

// ModelVersions returns one page of a model's versions, newest first.
func (db *DB) ModelVersions(ctx context.Context, group, model string, page Page) (items []models.Version, next string, err error) {
	page.Newest = true
	err = db.View(ctx, func(tx *Tx) error {
		items, next, err = ModelVersions.ListBy(tx, "model", group, model, page)
		return err
	})
	return items, next, err
}

// SetVersionState changes what the registry says of a version; the version itself never changes. The same state again
// changes nothing.
func (db *DB) SetVersionState(ctx context.Context, group string, ref models.Ref, state models.State, note, by string, at time.Time) error {
	return db.Update(ctx, func(tx *Tx) error {
		v, err := ModelVersions.Get(tx, group, numbered(ref.Model, ref.Version))
		if err != nil {
			return versionMissing(err, "model", ref.Model, ref.Version)
		}
		if v.State == state {
			return nil
		}
		v.State, v.Note = state, note
		if err := ModelVersions.Put(tx, v); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: at, Principal: by, Group: group, Action: "model.version." + string(state), Reason: note,
			Object: events.Object{Kind: "model", Name: ref.String(), ID: ref.Model}, Demo: v.Demo})
		return err
	})
}

// MoveAlias points an alias at a version and keeps its history.
func (db *DB) MoveAlias(ctx context.Context, group, model, alias string, version int, by, reason string, at time.Time) (m models.Model, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		if m, err = Models.Get(tx, group, model); err != nil {
			return err
		}
		if _, err := ModelVersions.Get(tx, group, numbered(model, version)); err != nil {
			return versionMissing(err, "model", model, version)
		}
		old, had := m.Aliases[alias]
		if had && old.Version == version {
			return nil
		}
		next := models.Alias{Version: version, Since: at, By: by, Reason: reason, History: old.History}
		if had {
			next.History = append(next.History, models.AliasChange{Version: old.Version, From: old.Since, To: at, By: old.By, Reason: old.Reason})
		}
		if m.Aliases == nil {
			m.Aliases = map[string]models.Alias{}
		}
		m.Aliases[alias] = next
		if err := Models.Put(tx, m); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: at, Principal: by, Group: group, Action: "model.alias.moved", Reason: reason, Demo: m.Demo,
			Object: events.Object{Kind: "model", Name: model, ID: model}, Detail: map[string]string{"alias": alias, "version": fmt.Sprint(version)}})
		return err
	})
	return m, err
}
