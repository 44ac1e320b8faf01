package native

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"

	"edgeward"
)

// made returns a Pack over files instead of the embedded ones.
func made(dir string, files fstest.MapFS) *Pack {
	return &Pack{dir: dir, from: files, load: func() (index, error) { return readIndex(files) }}
}

func indexFile(t *testing.T, platform string, f File) *fstest.MapFile {
	t.Helper()
	raw, err := json.Marshal(index{Platform: platform, Sets: []Set{{Name: LightGBM, Version: "1", Files: []File{f}}}})
	if err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: raw}
}

func TestWhatCannotBeUnpackedSaysWhy(t *testing.T) {
	here := runtime.GOOS + "/" + runtime.GOARCH
	f := File{Name: "lib.so", Digest: edgeward.DigestOf([]byte("four")), Size: 4}
	packed := "pack/" + f.Digest.Hex() + ".zst"
	four := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x21, 0, 0, 'f', 'o', 'u', 'r'}        // a frame of one raw block
	other := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 4, 0x21, 0, 0, 'f', 'i', 'v', 'e'}       //
	longer := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x20, 5, 0x29, 0, 0, 'f', 'o', 'u', 'r', 's'} //
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		kind  edgeward.Kind
		code  string
	}{
		{"nothing was fetched", fstest.MapFS{"pack/README.md": {}}, edgeward.Unavailable, "native.missing"},
		{"the index is no JSON", fstest.MapFS{"pack/index.json": {Data: []byte("{")}}, edgeward.Unavailable, "native.missing"},
		{"made for another machine", fstest.MapFS{"pack/index.json": indexFile(t, "plan9/mips", f)}, edgeward.Unavailable, "native.missing"},
		{"a packed file is not there", fstest.MapFS{"pack/index.json": indexFile(t, here, f)}, edgeward.Unavailable, "native.missing"},
		{"other bytes", fstest.MapFS{"pack/index.json": indexFile(t, here, f), packed: {Data: other}}, edgeward.Internal, "native.damaged"},
		{"more bytes", fstest.MapFS{"pack/index.json": indexFile(t, here, f), packed: {Data: longer}}, edgeward.Internal, "native.damaged"},
		{"no zstd", fstest.MapFS{"pack/index.json": indexFile(t, here, f), packed: {Data: []byte("junk")}}, edgeward.Internal, "native.damaged"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := made(dir, c.files).Locate(t.Context(), LightGBM)
			if edgeward.KindOf(err) != c.kind || edgeward.CodeOf(err) != c.code || edgeward.HintOf(err) == "" {
				t.Fatalf("got %v (kind %v, code %q, hint %q); want %v %q and a hint", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err), c.kind, c.code)
			}
			filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					t.Errorf("%s was left behind", p)
				}
				return nil
			})
		})
	}
	t.Run("and what is whole is unpacked", func(t *testing.T) {
		at, err := made(t.TempDir(), fstest.MapFS{"pack/index.json": indexFile(t, here, f), packed: {Data: four}}).Locate(t.Context(), LightGBM)
		if err != nil {
			t.Fatal(err)
		}
		if raw, err := os.ReadFile(at.Files["lib.so"]); err != nil || string(raw) != "four" {
			t.Fatalf("got %q, %v", raw, err)
		}
	})
}
