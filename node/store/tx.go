package store

import (
	"bytes"
	"fmt"

	"edgeward"
	"edgeward/node/events"

	"go.etcd.io/bbolt"
)

// Tx is one transaction: a consistent view, and in Update a change that is applied whole or not at all. It is valid only
// inside the function it was given to and only on that goroutine.
type Tx struct {
	bolt     *bbolt.Tx
	writable bool
	facts    string // bucket of a written fact that wants an event; "" when none was written
	appended []events.Event
	onCommit []func()
}

// OnCommit has fn called once after the transaction is durable, on the goroutine of Update, in the order given. It is not
// called when the outcome is not known. fn must be quick and may not open a transaction.
func (tx *Tx) OnCommit(fn func()) { tx.onCommit = append(tx.onCommit, fn) }

// fault turns a panic of the storage engine on damaged pages into an error. Panics of the caller's own code do not pass
// here, because no caller's code runs inside get, put, drop and scan except scan's callback, which scan runs outside.
func fault(bucket string, err *error) {
	if p := recover(); p != nil {
		*err = damagedPage(bucket, p)
	}
}

func damagedPage(bucket string, p any) error {
	return edgeward.E("store.read", edgeward.Internal, "store.damaged", "a page of %s is damaged: %v", bucket, p).
		With("bucket", bucket).WithHint("stop the node, run \"edgeward doctor\", then restore the last backup")
}

// has reports whether the file has the bucket: not before the edgeward that first opened it for writing knew of it.
func (tx *Tx) has(bucket string) (yes bool, err error) {
	defer fault(bucket, &err)
	return tx.bolt.Bucket([]byte(bucket)) != nil, nil
}

func (tx *Tx) bucket(name string) (*bbolt.Bucket, error) {
	b := tx.bolt.Bucket([]byte(name))
	if b == nil {
		return nil, damagedPage(name, "the bucket is missing")
	}
	return b, nil
}

// get returns a record's schema and data; found is false when there is none. The data is valid until the transaction ends.
func (tx *Tx) get(bucket string, key []byte) (schema uint16, data []byte, found bool, err error) {
	defer fault(bucket, &err)
	b, err := tx.bucket(bucket)
	if err != nil {
		return 0, nil, false, err
	}
	v := b.Get(key)
	if v == nil {
		return 0, nil, false, nil
	}
	schema, data, ok := unseal(bucket, key, v)
	if !ok {
		return 0, nil, false, damaged(bucket, key)
	}
	return schema, data, true, nil
}

func (tx *Tx) put(bucket string, key []byte, schema uint16, data []byte) error {
	return tx.putUpTo(MaxRecord, bucket, key, schema, data)
}

func (tx *Tx) putUpTo(limit int, bucket string, key []byte, schema uint16, data []byte) (err error) {
	defer fault(bucket, &err)
	if !tx.writable {
		return edgeward.E("store.put", edgeward.Internal, "", "write to %s in a read transaction", bucket)
	}
	if len(data) > limit {
		return edgeward.E("store.put", edgeward.TooLarge, "store.record_too_large", "a record of %s has %d bytes, more than %d", bucket, len(data), limit)
	}
	b, err := tx.bucket(bucket)
	if err != nil {
		return err
	}
	return b.Put(key, seal(bucket, key, schema, data))
}

func (tx *Tx) drop(bucket string, key []byte) (err error) {
	defer fault(bucket, &err)
	if !tx.writable {
		return edgeward.E("store.drop", edgeward.Internal, "", "write to %s in a read transaction", bucket)
	}
	b, err := tx.bucket(bucket)
	if err != nil {
		return err
	}
	return b.Delete(key)
}

// scan calls fn for each record whose key starts with prefix, in key order (newest first when reverse), starting after
// the key from unless that is nil, until fn returns false or an error. Key and data are valid until the transaction ends.
func (tx *Tx) scan(bucket string, prefix, from []byte, reverse bool, fn func(key []byte, schema uint16, data []byte) (bool, error)) error {
	c, err := tx.cursor(bucket, prefix, from, reverse)
	if err != nil {
		return err
	}
	for {
		schema, data, ok, err := c.read(prefix)
		if err != nil || !ok {
			return err
		}
		more, err := fn(c.key, schema, data)
		if err != nil || !more {
			return err
		}
		if err := c.step(); err != nil {
			return err
		}
	}
}

type cursor struct {
	bolt       *bbolt.Cursor
	bucket     string
	reverse    bool
	key, value []byte
}

func (tx *Tx) cursor(bucket string, prefix, from []byte, reverse bool) (c *cursor, err error) {
	defer fault(bucket, &err)
	b, err := tx.bucket(bucket)
	if err != nil {
		return nil, err
	}
	c = &cursor{bolt: b.Cursor(), bucket: bucket, reverse: reverse}
	switch {
	case !reverse && from == nil:
		c.key, c.value = c.bolt.Seek(prefix)
	case !reverse:
		if c.key, c.value = c.bolt.Seek(from); bytes.Equal(c.key, from) {
			c.key, c.value = c.bolt.Next()
		}
	default:
		if from == nil {
			from = after(prefix)
		}
		if from == nil {
			c.key, c.value = c.bolt.Last()
		} else if k, _ := c.bolt.Seek(from); k == nil {
			c.key, c.value = c.bolt.Last()
		} else {
			c.key, c.value = c.bolt.Prev()
		}
	}
	return c, nil
}

// read returns the record the cursor stands on; ok is false behind the last one with the prefix.
func (c *cursor) read(prefix []byte) (schema uint16, data []byte, ok bool, err error) {
	defer fault(c.bucket, &err)
	if c.key == nil || !bytes.HasPrefix(c.key, prefix) {
		return 0, nil, false, nil
	}
	if schema, data, ok = unseal(c.bucket, c.key, c.value); !ok {
		return 0, nil, false, damaged(c.bucket, c.key)
	}
	return schema, data, true, nil
}

func (c *cursor) step() (err error) {
	defer fault(c.bucket, &err)
	if c.reverse {
		c.key, c.value = c.bolt.Prev()
	} else {
		c.key, c.value = c.bolt.Next()
	}
	return nil
}

// name is the beginning of the key for a report; nil when not even that can be read.
func (c *cursor) name() (key []byte) {
	var err error
	defer fault(c.bucket, &err)
	return bytes.Clone(c.key[:min(len(c.key), 200)])
}

func (c *cursor) seek(key []byte) (err error) {
	defer fault(c.bucket, &err)
	if found, _ := c.bolt.Seek(key); !bytes.Equal(found, key) {
		return damagedPage(c.bucket, "a key is not where it is looked for")
	}
	return nil
}

// after returns the first key behind all keys with the prefix, nil when there is none.
func after(prefix []byte) []byte {
	end := bytes.Clone(prefix)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i] < 0xff {
			end[i]++
			return end[:i+1]
		}
	}
	return nil
}

// wrote notes that a fact was written, so that a commit without an event can be refused.
func (tx *Tx) wrote(bucket string) { tx.facts = bucket }

func (tx *Tx) finish() error {
	if tx.facts != "" && len(tx.appended) == 0 {
		return &edgeward.Error{Op: "store.Update", Kind: edgeward.Internal, Code: "store.write_without_event",
			Err: fmt.Errorf("a record of %s was changed and no event says so", tx.facts)}
	}
	return nil
}
