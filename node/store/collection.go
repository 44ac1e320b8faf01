package store

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"time"

	"edgeward"
)

// Collection keeps the values of one noun. It is a description without state; declare it once as a package variable and
// list it in catalogue.go. T is stored as JSON.
type Collection[T any] struct {
	Noun    string                               // in error codes: "dataset" gives dataset.not_found, dataset.exists, dataset.changed
	Bucket  string                               // "datasets"
	Schema  uint16                               // of the JSON; starts at 1
	Key     func(*T) (group, id string)          // group "" is the node itself; neither may hold a zero byte
	Indexes []Index[T]                           // written and removed with the value
	Quiet   bool                                 // bookkeeping whose changes need no event (last used, counters)
	Max     int                                  // largest JSON of a value in bytes; 0: MaxRecord
	Upgrade func(uint16, []byte) ([]byte, error) // makes JSON of an older schema into the current one; nil when there is none
}

// Index finds values by something else than their id. Keys returns the values to be found by; none means not indexed.
type Index[T any] struct {
	Name   string
	Unique bool // at most one value per group and key, else <noun>.exists
	Global bool // one key space for all groups, such as token hashes
	Keys   func(*T) []string
}

// Page asks for a part of a list. The zero Page is the first hundred, oldest first (ULIDs sort by time).
type Page struct {
	Cursor string // Next of the page before; empty: the beginning
	Limit  int    // 1 to 1000; 0 means 100
	Newest bool   // descending order of ids
}

func (p Page) limit() int {
	if p.Limit <= 0 {
		return 100
	}
	return min(p.Limit, 1000)
}

// TimeKey is t as an index key that sorts by time.
func TimeKey(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000000Z") }

// ETag names the stored state of a value: 16 hex digits of the SHA-256 of its JSON.
func ETag(v any) string {
	data, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:8])
}

func joinKey(parts ...string) []byte { return []byte(strings.Join(parts, "\x00")) }

func (c *Collection[T]) key(v *T) (string, []byte, error) {
	group, id := c.Key(v)
	if id == "" || len(id) > 512 || strings.ContainsRune(group, 0) || strings.ContainsRune(id, 0) {
		return "", nil, edgeward.E("store.put", edgeward.Invalid, c.Noun+".id_invalid", "%s id %.80q cannot be stored", c.Noun, id)
	}
	return group, joinKey(group, id), nil
}

func (c *Collection[T]) notFound(what string) error {
	return edgeward.E("store.get", edgeward.NotFound, c.Noun+".not_found", "no %s %.120q", c.Noun, what).With("id", what)
}

func (c *Collection[T]) decode(key []byte, schema uint16, data []byte) (T, error) {
	var v T
	if schema != c.Schema {
		if c.Upgrade == nil || schema > c.Schema {
			return v, edgeward.E("store.read", edgeward.Conflict, "store.newer", "record %q of %s has schema %d, this edgeward reads %d", key, c.Bucket, schema, c.Schema).
				WithHint("use the edgeward version that wrote this data directory, or a newer one")
		}
		var err error
		if data, err = c.Upgrade(schema, data); err != nil {
			return v, edgeward.Wrap("store.upgrade", err)
		}
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, edgeward.E("store.read", edgeward.Internal, "store.damaged", "record %q of %s: %w", key, c.Bucket, err)
	}
	return v, nil
}

func (c *Collection[T]) load(tx *Tx, key []byte) (v T, found bool, err error) {
	schema, data, found, err := tx.get(c.Bucket, key)
	if err != nil || !found {
		return v, false, err
	}
	v, err = c.decode(key, schema, data)
	return v, err == nil, err
}

// Get returns a value by its id, or NotFound <noun>.not_found.
func (c *Collection[T]) Get(tx *Tx, group, id string) (T, error) {
	v, found, err := c.load(tx, joinKey(group, id))
	if err == nil && !found {
		err = c.notFound(id)
	}
	return v, err
}

// Put creates or replaces a value and its index entries.
func (c *Collection[T]) Put(tx *Tx, v T) error {
	group, key, err := c.key(&v)
	if err != nil {
		return err
	}
	if len(c.Indexes) == 0 { // what was there matters only if it may not be replaced
		schema, data, found, err := tx.get(c.Bucket, key)
		if found && schema > c.Schema {
			_, err = c.decode(key, schema, data)
		}
		if err != nil {
			return err
		}
		return c.write(tx, group, key, v, v, false)
	}
	old, found, err := c.load(tx, key)
	if err != nil {
		return err
	}
	return c.write(tx, group, key, v, old, found)
}

// Create is Put for a value that may not exist yet: Conflict <noun>.exists when it does.
func (c *Collection[T]) Create(tx *Tx, v T) error {
	group, key, err := c.key(&v)
	if err != nil {
		return err
	}
	old, found, err := c.load(tx, key)
	if err != nil {
		return err
	}
	if found {
		_, id := c.Key(&v)
		return c.exists(id)
	}
	return c.write(tx, group, key, v, old, false)
}

// PutIf replaces a value only when its stored state still has the given ETag: Conflict <noun>.changed when not, NotFound
// when it is gone. An empty etag matches any state.
func (c *Collection[T]) PutIf(tx *Tx, v T, etag string) error {
	group, key, err := c.key(&v)
	if err != nil {
		return err
	}
	old, found, err := c.load(tx, key)
	if err != nil {
		return err
	}
	_, id := c.Key(&v)
	if !found {
		return c.notFound(id)
	}
	if etag != "" && ETag(old) != etag {
		return c.changed(id)
	}
	return c.write(tx, group, key, v, old, true)
}

// Delete removes a value and its index entries, or answers NotFound.
func (c *Collection[T]) Delete(tx *Tx, group, id string) error {
	key := joinKey(group, id)
	old, found, err := c.load(tx, key)
	if err != nil {
		return err
	}
	if !found {
		return c.notFound(id)
	}
	for i := range c.Indexes {
		for _, entry := range c.entries(&c.Indexes[i], group, id, &old) {
			if err := tx.drop(c.indexBucket(&c.Indexes[i]), entry); err != nil {
				return err
			}
		}
	}
	if err := tx.drop(c.Bucket, key); err != nil {
		return err
	}
	c.note(tx)
	return nil
}

// Find returns the value a unique index points to, or NotFound. For a Global index group is ignored.
func (c *Collection[T]) Find(tx *Tx, index, group, value string) (T, error) {
	var none T
	ix := c.named(index)
	if ix.Global {
		group = ""
	}
	_, primary, found, err := tx.get(c.indexBucket(ix), joinKey(group, value))
	if err != nil {
		return none, err
	}
	if !found {
		return none, c.notFound(value)
	}
	v, found, err := c.load(tx, primary)
	if err == nil && !found {
		err = damaged(c.indexBucket(ix), joinKey(group, value))
	}
	return v, err
}

// List returns one page of a group's values and the cursor of the next page, which is empty after the last one.
func (c *Collection[T]) List(tx *Tx, group string, page Page) (items []T, next string, err error) {
	prefix := joinKey(group, "")
	var from []byte
	if page.Cursor != "" {
		from = joinKey(group, page.Cursor)
	}
	var last string
	err = tx.scan(c.Bucket, prefix, from, page.Newest, func(key []byte, schema uint16, data []byte) (bool, error) {
		if len(items) == page.limit() {
			next = last
			return false, nil
		}
		v, err := c.decode(key, schema, data)
		items, last = append(items, v), string(key[len(prefix):])
		return true, err
	})
	return items, next, err
}

// ListBy is List for the values that a non-unique index holds under value.
func (c *Collection[T]) ListBy(tx *Tx, index, group, value string, page Page) (items []T, next string, err error) {
	ix := c.named(index)
	if ix.Global {
		group = ""
	}
	prefix := joinKey(group, value, "")
	var from []byte
	if page.Cursor != "" {
		from = joinKey(group, value, page.Cursor)
	}
	var last string
	err = tx.scan(c.indexBucket(ix), prefix, from, page.Newest, func(key []byte, _ uint16, primary []byte) (bool, error) {
		if len(items) == page.limit() {
			next = last
			return false, nil
		}
		v, found, err := c.load(tx, primary)
		if err == nil && !found {
			err = damaged(c.indexBucket(ix), key)
		}
		items, last = append(items, v), string(key[len(prefix):])
		return true, err
	})
	return items, next, err
}

// Below returns at most limit values whose key in the index sorts before bound: what has expired, by TimeKey.
func (c *Collection[T]) Below(tx *Tx, index, group, bound string, limit int) (items []T, err error) {
	ix := c.named(index)
	if ix.Global {
		group = ""
	}
	prefix := joinKey(group, "")
	err = tx.scan(c.indexBucket(ix), prefix, nil, false, func(key []byte, _ uint16, primary []byte) (bool, error) {
		value, _, _ := bytes.Cut(key[len(prefix):], []byte{0})
		if len(items) == limit || string(value) >= bound {
			return false, nil
		}
		v, found, err := c.load(tx, primary)
		if err == nil && !found {
			err = damaged(c.indexBucket(ix), key)
		}
		items = append(items, v)
		return true, err
	})
	return items, err
}

// Each calls fn for every value of every group in key order until fn returns an error. fn may not change this collection:
// collect first, then change. It is for start-up and sweeps;
// answers to users are pages.
func (c *Collection[T]) Each(tx *Tx, fn func(T) error) error {
	return tx.scan(c.Bucket, nil, nil, false, func(key []byte, schema uint16, data []byte) (bool, error) {
		v, err := c.decode(key, schema, data)
		if err != nil {
			return false, err
		}
		return true, fn(v)
	})
}

func (c *Collection[T]) write(tx *Tx, group string, key []byte, v, old T, replace bool) error {
	data, err := json.Marshal(v)
	if err != nil {
		return edgeward.E("store.put", edgeward.Internal, "", "%s: %w", c.Noun, err)
	}
	_, id := c.Key(&v)
	for i := range c.Indexes {
		ix := &c.Indexes[i]
		bucket := c.indexBucket(ix)
		if replace {
			for _, entry := range c.entries(ix, group, id, &old) {
				if err := tx.drop(bucket, entry); err != nil {
					return err
				}
			}
		}
		for _, entry := range c.entries(ix, group, id, &v) {
			if ix.Unique {
				_, taken, found, err := tx.get(bucket, entry)
				if err != nil {
					return err
				}
				if found && !bytes.Equal(taken, key) {
					return c.exists(string(entry[bytes.LastIndexByte(entry, 0)+1:]))
				}
			}
			if err := tx.put(bucket, entry, 1, key); err != nil {
				return err
			}
		}
	}
	if err := tx.putUpTo(cmp.Or(c.Max, MaxRecord), c.Bucket, key, c.Schema, data); err != nil {
		return err
	}
	c.note(tx)
	return nil
}

func (c *Collection[T]) note(tx *Tx) {
	if !c.Quiet {
		tx.wrote(c.Bucket)
	}
}

func (c *Collection[T]) exists(what string) error {
	return edgeward.E("store.put", edgeward.Conflict, c.Noun+".exists", "there is already a %s %.120q", c.Noun, what).
		With("id", what).WithHint("choose another name")
}

// entries are the keys that v has in an index. A value with a zero byte is left out: it could not be told apart.
func (c *Collection[T]) entries(ix *Index[T], group, id string, v *T) [][]byte {
	if ix.Global {
		group, id = "", joinGlobal(group, id)
	}
	var keys [][]byte
	for _, value := range ix.Keys(v) {
		switch {
		case value == "" || len(value) > 512 || strings.ContainsRune(value, 0):
		case ix.Unique:
			keys = append(keys, joinKey(group, value))
		default:
			keys = append(keys, joinKey(group, value, id))
		}
	}
	return keys
}

// joinGlobal keeps equal ids of two groups apart in an index over all groups.
func joinGlobal(group, id string) string { return group + "/" + id }

func (c *Collection[T]) named(name string) *Index[T] {
	for i := range c.Indexes {
		if c.Indexes[i].Name == name {
			return &c.Indexes[i]
		}
	}
	panic("store: " + c.Bucket + " has no index " + name) // a mistake in our code, found by the first test
}

func (c *Collection[T]) indexBucket(ix *Index[T]) string { return "ix/" + c.Bucket + "/" + ix.Name }

func (c *Collection[T]) buckets() []string {
	names := []string{c.Bucket}
	for i := range c.Indexes {
		names = append(names, c.indexBucket(&c.Indexes[i]))
	}
	return names
}

// index fills an index bucket that did not exist when the values were written; other buckets are none of its business.
func (c *Collection[T]) index(tx *Tx, bucket string) error {
	for i := range c.Indexes {
		ix := &c.Indexes[i]
		if c.indexBucket(ix) != bucket {
			continue
		}
		return tx.scan(c.Bucket, nil, nil, false, func(key []byte, schema uint16, data []byte) (bool, error) {
			v, err := c.decode(key, schema, data)
			if err != nil {
				return false, err
			}
			group, id := c.Key(&v)
			for _, entry := range c.entries(ix, group, id, &v) {
				if err := tx.put(bucket, entry, 1, key); err != nil {
					return false, err
				}
			}
			return true, nil
		})
	}
	return nil
}

// check compares values with index entries: every entry a value should have exists, and there are no others.
func (c *Collection[T]) check(tx *Tx, problem func(bucket string, key []byte, what string)) error {
	present := map[string]bool{}
	for _, bucket := range c.buckets() {
		yes, err := tx.has(bucket)
		if err != nil {
			return err
		}
		present[bucket] = yes
	}
	if !present[c.Bucket] {
		return nil // the file is older than the noun
	}
	want := map[string]int{}
	err := tx.scanAll(c.Bucket, func(key []byte, schema uint16, data []byte) {
		v, err := c.decode(key, schema, data)
		if err != nil {
			problem(c.Bucket, key, err.Error())
			return
		}
		group, own, err := c.key(&v)
		if err != nil || !bytes.Equal(own, key) {
			problem(c.Bucket, key, "the record belongs under another key")
			return
		}
		_, id := c.Key(&v)
		for i := range c.Indexes {
			ix := &c.Indexes[i]
			if !present[c.indexBucket(ix)] {
				continue // the file is older than the index; Open fills it
			}
			for _, entry := range c.entries(ix, group, id, &v) {
				want[c.indexBucket(ix)]++
				_, primary, found, err := tx.get(c.indexBucket(ix), entry)
				if err != nil || !found || !bytes.Equal(primary, key) {
					problem(c.indexBucket(ix), entry, "the index entry is missing or wrong")
				}
			}
		}
	})
	if err != nil {
		return err
	}
	for i := range c.Indexes {
		bucket, have := c.indexBucket(&c.Indexes[i]), 0
		if !present[bucket] {
			continue
		}
		if err := tx.scanAll(bucket, func([]byte, uint16, []byte) { have++ }); err != nil {
			return err
		}
		if have != want[bucket] {
			problem(bucket, nil, "the index has entries without a record")
		}
	}
	return nil
}
