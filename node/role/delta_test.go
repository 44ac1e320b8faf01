package role

import (
	"bytes"
	"io"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/sync/blobs"
	"edgeward/sync/delta"
)

// A difference that is there waits for none that is being made, however long that takes.
func TestADifferenceThatIsThereIsGivenAtOnce(t *testing.T) {
	dir := t.TempDir()
	store, err := blobs.Open(filepath.Join(dir, "blobs"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	old := bytes.Repeat([]byte("what a model was trained to say. "), 3000)
	now := append([]byte("since then: "), old...)
	put := func(b []byte) edgeward.Digest {
		d, _, err := store.Put(t.Context(), bytes.NewReader(b), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	from, to := hub.Part{Digest: put(old)}, hub.Part{Digest: put(now)}
	d := &deltas{r: &Role{p: Parts{Dir: dir, Blobs: store}}}
	look := func() {
		f, size, err := d.Between(t.Context(), from, to)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Close()
		var out bytes.Buffer
		if err := delta.Apply(&out, bytes.NewReader(old), int64(len(old)), io.LimitReader(f, size), int64(len(now))); err != nil || !bytes.Equal(out.Bytes(), now) {
			t.Errorf("it made %d bytes: %v", out.Len(), err)
		}
	}
	var all sync.WaitGroup
	for range 4 { // before it is there
		all.Go(look)
	}
	all.Wait()
	d.mu.Lock() // another one is being made
	defer d.mu.Unlock()
	look()
}
