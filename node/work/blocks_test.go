package work

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/sync/blobs"
	"edgeward/sync/blocks"
)

// A large file beside an OpenVINO model is cut where its description says tensors lie; small files have no list.
func TestLargeFilesHaveTheirBlocksListed(t *testing.T) {
	store, err := blobs.Open(filepath.Join(t.TempDir(), "blobs"), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	w := &Work{Parts: Parts{Blobs: store}}
	put := func(b []byte) edgeward.Digest {
		d, _, err := store.Put(t.Context(), bytes.NewReader(b), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	xml := []byte(`<net><layer name="w" type="Const"><data element_type="f32" shape="1000,250" offset="300000" size="1000000"/></layer></net>`)
	bin := bytes.Repeat([]byte("0123456"), 700_000)
	m := models.Manifest{Files: []models.File{{Name: "m.xml", Size: int64(len(xml)), Digest: put(xml), Role: "model"}, {Name: "m.bin", Size: int64(len(bin)), Digest: put(bin), Role: "data"}}}
	if err := w.listBlocks(t.Context(), &m); err != nil || m.Blocks == "" {
		t.Fatal(m.Blocks, err)
	}
	raw, err := store.ReadAll(t.Context(), m.Blocks, blocks.MaxList)
	if err != nil {
		t.Fatal(err)
	}
	list, err := blocks.Parse(raw)
	if err != nil || len(list.Files) != 1 {
		t.Fatal(list, err)
	}
	at, borders := int64(0), map[int64]bool{}
	for _, k := range list.Of(m.Files[1].Digest) {
		if !k.Is(bin[at : at+k.Size]) {
			t.Fatalf("the block at %d", at)
		}
		at += k.Size
		borders[at] = true
	}
	if at != int64(len(bin)) || !borders[300_000] || !borders[1_300_000] {
		t.Errorf("%d bytes, borders %v", at, borders)
	}
	small := models.Manifest{Files: m.Files[:1]}
	if err := w.listBlocks(t.Context(), &small); err != nil || small.Blocks != "" {
		t.Error(small.Blocks, err)
	}
}
