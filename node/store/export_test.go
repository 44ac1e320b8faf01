package store

import "go.etcd.io/bbolt"

// Buckets are the names of all buckets, for the test of the drawing.
func Buckets() []string { return bucketNames() }

// SetFormat writes another format number into a store file, as another edgeward would have.
func SetFormat(path, format string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bbolt.Tx) error {
		key := []byte("format")
		return tx.Bucket([]byte(bucketMeta)).Put(key, seal(bucketMeta, key, 1, []byte(`{"format":`+format+`}`)))
	})
}

// DropBucket removes a bucket from a store file, as an edgeward that did not know it would have left it.
func DropBucket(path, bucket string) error {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer db.Close()
	return db.Update(func(tx *bbolt.Tx) error { return tx.DeleteBucket([]byte(bucket)) })
}

// MarkFormat writes the format record as another edgeward would.
func MarkFormat(db *DB, format, readable int) error {
	return db.commit(func(tx *Tx) error {
		m, _, err := getMeta(tx)
		if err != nil {
			return err
		}
		m.Format, m.Readable = format, readable
		return putMeta(tx, m)
	})
}
