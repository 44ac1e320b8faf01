package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"edgeward"
	"edgeward/node/events"

	"go.etcd.io/bbolt"
	"golang.org/x/mod/sumdb/tlog"
)

// Problem is one thing Check found.
type Problem struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key,omitempty"` // quoted
	What   string `json:"what"`
}

// maxProblems bounds a report; more are counted, not listed.
const maxProblems = 200

// Report is what Check saw. The store is sound when Problems is empty.
type Report struct {
	Format   int            `json:"format"`
	Created  time.Time      `json:"created"`
	Bytes    int64          `json:"bytes"`   // of the file
	Records  map[string]int `json:"records"` // sound ones by bucket
	Events   events.Head    `json:"events"`  // recomputed from the events, not read
	Found    int            `json:"found"`   // number of problems
	Problems []Problem      `json:"problems,omitempty"`
}

func (r *Report) problem(bucket string, key []byte, what string) {
	r.Found++
	if len(r.Problems) < maxProblems {
		p := Problem{Bucket: bucket, What: what}
		if key != nil {
			p.Key = fmt.Sprintf("%.200q", key)
		}
		r.Problems = append(r.Problems, p)
	}
}

// Check reads the whole store file (a data directory or a backup) without changing it: the CRC of every record, every
// index against its records, the chain of events against its tree and head, and bbolt's own page check. No other process
// may have the store open for writing ("store.locked"). The error says that it could not be checked at all.
func Check(ctx context.Context, path string) (r Report, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, File)
	}
	r.Records = map[string]int{}
	info, err := os.Stat(path)
	if err != nil {
		return r, edgeward.E("store.Check", edgeward.NotFound, "store.missing", "no store at %s: %w", path, err).
			WithHint("name the data directory or a backup file")
	}
	r.Bytes = info.Size()
	b, err := openBolt(path, &bbolt.Options{ReadOnly: true, Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if edgeward.CodeOf(err) == "store.damaged" {
		r.problem(File, nil, err.Error())
		return r, nil
	}
	if err != nil {
		return r, err
	}
	defer b.Close()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	t, err := b.Begin(false)
	if err != nil {
		return r, edgeward.Wrap("store.Check", err)
	}
	defer t.Rollback()
	return r, r.run(ctx, &Tx{bolt: t})
}

func (r *Report) run(ctx context.Context, tx *Tx) error {
	m, found, err := getMeta(tx)
	switch {
	case err != nil || !found:
		r.problem(bucketMeta, nil, "the format record is missing or damaged")
	case m.Format > Format:
		return edgeward.E("store.Check", edgeward.Conflict, "store.newer", "store format %d, this edgeward reads up to %d", m.Format, Format).
			WithHint("check it with the edgeward that wrote it")
	}
	r.Format, r.Created = m.Format, m.Created
	for _, bucket := range bucketNames() {
		if err := ctx.Err(); err != nil {
			return err
		}
		yes, err := tx.has(bucket)
		if err == nil && !yes {
			continue // the file is older than what is kept there; Open makes it
		}
		if err := tx.scanEvery(bucket, func(key []byte, ok bool) {
			if ok {
				r.Records[bucket]++
			} else {
				r.problem(bucket, key, "the record is damaged (CRC)")
			}
		}); err != nil {
			r.problem(bucket, nil, err.Error())
		}
	}
	for _, n := range catalogue() {
		if err := n.check(tx, r.problem); err != nil {
			r.problem(n.buckets()[0], nil, err.Error())
		}
	}
	if count, err := tx.outboxCount(); err != nil || count.Waiting != r.Records[bucketOutbox] {
		r.problem(bucketOutbox, nil, fmt.Sprintf("%d messages wait, the count says %d", r.Records[bucketOutbox], count.Waiting))
	}
	r.chain(tx)
	if _, err := tx.walk(); err != nil {
		r.problem(File, nil, err.Error())
	} else {
		for err := range tx.bolt.Check() {
			r.problem(File, nil, err.Error())
		}
	}
	return ctx.Err()
}

// walk visits every page and record on this goroutine, where a fault is an error: bbolt itself walks the pages on a
// goroutine of its own, when it opens a file for writing and when it checks, and there a damaged page ends the process.
// It returns how many records have a wrong CRC; the error is a page that cannot be read.
func (tx *Tx) walk() (wrong int, err error) {
	var buckets []string
	if err := tx.names(&buckets); err != nil {
		return 0, err
	}
	for _, bucket := range buckets {
		if err := tx.scanEvery(bucket, func(_ []byte, ok bool) {
			if !ok {
				wrong++
			}
		}); err != nil {
			return wrong, err
		}
		// Seeking each key reads the keys of the branch pages, too.
		c, err := tx.cursor(bucket, nil, nil, false)
		if err != nil {
			return wrong, err
		}
		search, err := tx.cursor(bucket, nil, nil, false)
		for err == nil && c.key != nil {
			if err = search.seek(c.key); err == nil {
				err = c.step()
			}
		}
		if err != nil {
			return wrong, err
		}
	}
	return wrong, nil
}

func (tx *Tx) names(into *[]string) (err error) {
	defer fault(File, &err)
	return tx.bolt.ForEach(func(name []byte, _ *bbolt.Bucket) error {
		*into = append(*into, string(name))
		return nil
	})
}

// chain recomputes the tree of events and compares it with what is stored beside them.
func (r *Report) chain(tx *Tx) {
	var v events.Verifier
	err := tx.scan(bucketEvents, nil, nil, false, func(key []byte, _ uint16, raw []byte) (bool, error) {
		if len(key) != 8 || binary.BigEndian.Uint64(key) != v.Head().Size+1 {
			return false, fmt.Errorf("event %d is missing", v.Head().Size+1)
		}
		n := int64(v.Head().Size)
		if err := v.Add(raw); err != nil {
			return false, err
		}
		stored, err := tx.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
		if err == nil && stored[0] != events.Hash(raw) {
			err = fmt.Errorf("event %d is not the one in the tree", n+1)
		}
		return true, err
	})
	r.Events = v.Head()
	if err != nil {
		r.problem(bucketEvents, nil, err.Error())
		return
	}
	head, err := tx.Head()
	if err == nil {
		err = v.Matches(head)
	}
	if err == nil {
		root, rootErr := tlog.TreeHash(int64(head.Size), tx)
		if err = rootErr; err == nil && fmt.Sprintf("%x", root[:]) != head.Root {
			err = errors.New("the stored tree does not lead to the stored root")
		}
	}
	if err != nil {
		r.problem(bucketHead, nil, err.Error())
	}
}

// scanEvery visits every record, damaged ones too. The key is a copy of at most 200 bytes.
func (tx *Tx) scanEvery(bucket string, fn func(key []byte, ok bool)) error {
	c, err := tx.cursor(bucket, nil, nil, false)
	for err == nil && c.key != nil {
		_, _, ok, readErr := c.read(nil)
		fn(c.name(), ok && readErr == nil)
		err = c.step()
	}
	return err
}

// scanAll visits every sound record.
func (tx *Tx) scanAll(bucket string, fn func(key []byte, schema uint16, data []byte)) error {
	c, err := tx.cursor(bucket, nil, nil, false)
	for err == nil && c.key != nil {
		if schema, data, ok, readErr := c.read(nil); ok && readErr == nil {
			fn(c.key, schema, data)
		}
		err = c.step()
	}
	return err
}
