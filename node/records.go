package node

import (
	"context"
	"path/filepath"
	"time"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/config"
	"edgeward/node/events"
	"edgeward/node/keys"
	"edgeward/node/wire"
	"edgeward/runtime/record"
)

// The folders that have rings of keys, by their place in keys.Options.Folders.
const (
	recordKeys = iota
	brokerKeys
)

func keyOptions(c config.Loaded, now time.Time) keys.Options {
	return keys.Options{DataDir: c.DataDir, KeyFile: c.Records.KeyFile, Credentials: c.Credentials, Now: now,
		Folders: []string{filepath.Join(c.DataDir, "records"), filepath.Join(c.DataDir, "broker", "state")}}
}

// openKeys opens the keys of what is encrypted. That they are missing is trouble, and no reason not to serve.
func (n *Node) openKeys(ctx context.Context) (err error) {
	if n.keys, err = keys.Open(keyOptions(n.o.Config, n.o.Now())); err != nil {
		return err
	}
	if n.keys.Err != nil {
		n.locked(n.keys.Err, n.keys.Cause)
	}
	if n.keys.Turned {
		return n.store.Record(ctx, n.keyEvent("system:node", ""))
	}
	return nil
}

func (n *Node) keyEvent(principal, id string) events.Event {
	return events.Event{Time: n.now(), Principal: principal, PrincipalID: id, Action: "records.key_rotated", Object: events.Object{Kind: "node", Name: n.name},
		Detail: map[string]string{"key": n.keys.Master(), "source": string(n.keys.Source)}}
}

func (n *Node) locked(err, cause error) {
	n.health.ReportCertain("records", err)
	n.log.Error("prediction records are locked: answers go on and are not recorded", "err", cause, "hint", edgeward.HintOf(cause))
}

// openRecords opens the prediction log, or stands in for it where its keys are not there.
func (n *Node) openRecords() (err error) {
	dir, why := n.dir("records"), n.keys.Err
	if why == nil {
		days := n.cfg.Retention.PredictionDays
		n.records, err = record.Open(dir, record.Options{Now: n.o.Now, RetainAge: time.Duration(days) * 24 * time.Hour, Keys: n.keys.Ring(recordKeys), Log: n.log.With("part", "records")})
		if edgeward.CodeOf(err) != "key.unknown" {
			return err
		}
		why = keys.Locked(err)
		n.locked(why, err)
	}
	n.records = record.Locked(dir, why)
	return nil
}

// RotateKey makes a new master key and new data keys. What is on the disk is encrypted anew in the background.
func (n *Node) RotateKey(ctx context.Context, who auth.Principal) (wire.RecordKeys, error) {
	if err := n.records.Locked(); err != nil {
		return wire.RecordKeys{}, err
	}
	if err := n.keys.Rotate(n.now()); err != nil {
		return wire.RecordKeys{}, err
	}
	if err := n.store.Record(ctx, n.keyEvent(who.Ref(), who.ID)); err != nil {
		return wire.RecordKeys{}, err
	}
	return n.recordKeys(), n.records.Turned()
}

// recordKeys is how the records lie on the disk.
func (n *Node) recordKeys() wire.RecordKeys {
	out := wire.RecordKeys{State: wire.KeysOn, Algorithm: "AES-256-GCM", Source: string(n.keys.Source), Path: n.keys.Path, Master: n.keys.Master()}
	if err := n.records.Locked(); err != nil {
		out.State, out.Why, out.Hint = wire.KeysLocked, err.Error(), edgeward.HintOf(err)
		return out
	}
	e := n.records.Encryption()
	out.Files, out.Older, out.Plain = e.Newest, e.Older, e.Plain
	return out
}

// CheckKeys is how the records of a stopped server lie on the disk; nothing changes.
func CheckKeys(c config.Loaded) wire.RecordKeys {
	path, source, master, err := keys.Check(keyOptions(c, time.Time{}))
	out := wire.RecordKeys{State: wire.KeysOn, Algorithm: "AES-256-GCM", Source: string(source), Path: path, Master: master}
	switch {
	case err != nil:
		out.State, out.Why, out.Hint = wire.KeysLocked, err.Error(), edgeward.HintOf(err)
	case master == "":
		out.State = wire.KeysNone
	}
	return out
}
