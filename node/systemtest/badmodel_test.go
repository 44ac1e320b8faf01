package systemtest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// entryOf is one entry of an archive that is made by hand.
type entryOf struct {
	name, link string
	kind       byte // of tar; 0: a file
	body       []byte
}

func tarOf(t *testing.T, entries ...entryOf) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Linkname: e.link, Size: int64(len(e.body)), Mode: 0o600}
		if e.kind != 0 {
			h.Typeflag = e.kind
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(e.body); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	return b.Bytes()
}

func zippedLink(t *testing.T, name, to string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: name}
	h.SetMode(fs.ModeSymlink | 0o777)
	f, err := w.CreateHeader(h)
	if err == nil {
		_, err = io.WriteString(f, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

// TestBadInputInModels imports models that reach out of their folder, need what nobody has, never end or ask for all memory:
// each is refused by name, nothing is registered or left behind, and the server and a model beside them answer all the time. One
// that never ends takes as long as both engines are given.
func TestBadInputInModels(t *testing.T) {
	needNative(t)
	t.Parallel()
	s := start(t, options{set: map[string]string{"http.max_upload": "4MiB"}})
	ctx := within(t, 4*time.Minute)
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{}))
	deployed(t, s.Client, "affine", 1)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, bytes.Repeat([]byte("secret!!"), 1024), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := func(name string) []byte {
		return must[[]byte](t)(os.ReadFile("../../runtime/modelfile/testdata/broken/" + name + ".onnx"))
	}
	bomb := tarOf(t, entryOf{name: "m.onnx", body: make([]byte, 64<<20)})
	bomb = slices.Concat(gzipped(t, bomb[:512]), bombOf(t, 64), gzipped(t, bomb[512+64<<20:])) // a member of gzip for the header, one for each MiB
	stop, ended := make(chan struct{}), make(chan error, 1)
	slowest := time.Duration(0)
	go func() { // a model beside them, asked all the time
		for {
			select {
			case <-stop:
				ended <- nil
				return
			case <-time.After(100 * time.Millisecond):
			}
			if err := affineAnswers(t, s.Client, "affine"); err != nil {
				ended <- err
				return
			}
			began := time.Now()
			if _, err := s.Health(ctx); err != nil {
				ended <- err
				return
			}
			slowest = max(slowest, time.Since(began))
		}
	}()
	missing := entryOf{name: "m.onnx", body: broken("external-missing")}
	for name, c := range map[string]struct {
		model []byte
		kind  edgeward.Kind
		code  string
	}{
		"weights above the folder":         {broken("external-outside"), edgeward.Invalid, "model.external_data"},
		"weights in a file of the system":  {broken("external-absolute"), edgeward.Invalid, "model.external_data"},
		"weights that are missing":         {broken("external-missing"), edgeward.Invalid, "model.external_data"},
		"weights that are too short":       {tarOf(t, entryOf{name: "m.onnx", body: broken("external-short")}, entryOf{name: "w.data", body: []byte("12345678")}), edgeward.Invalid, "model.external_data"},
		"weights that are a symbolic link": {tarOf(t, missing, entryOf{name: "w.data", kind: tar.TypeSymlink, link: secret}), edgeward.Invalid, "model.archive"},
		"weights that are a hard link":     {tarOf(t, missing, entryOf{name: "w.data", kind: tar.TypeLink, link: secret}), edgeward.Invalid, "model.archive"},
		"a folder that is a link":          {tarOf(t, entryOf{name: "d", kind: tar.TypeSymlink, link: filepath.Dir(secret)}, entryOf{name: "d/m.onnx", body: missing.body}), edgeward.Invalid, "model.archive"},
		"a link in a zip":                  {zippedLink(t, "m.onnx", secret), edgeward.Invalid, "model.archive"},
		"a name above the folder":          {tarOf(t, entryOf{name: "../m.onnx", body: missing.body}), edgeward.Invalid, "model.archive"},
		"a device":                         {tarOf(t, entryOf{name: "m.onnx", kind: tar.TypeChar}), edgeward.Invalid, "model.archive"},
		"a custom operator":                {broken("custom"), edgeward.Invalid, "model.custom_operator"},
		"an operator set nobody has":       {broken("opset"), edgeward.Invalid, "model.opset"},
		"a gzip bomb":                      {bomb, edgeward.TooLarge, "model.too_large"},
		"a file over the bound":            {make([]byte, 5<<20), edgeward.TooLarge, ""},
		"12 GB as it loads":                {enginetest.ONNX(t, "hugeconst").Bytes, edgeward.Exhausted, "infer.no_engine"},
		"a loop without an end":            {enginetest.ONNX(t, "loop").Bytes, edgeward.Invalid, "infer.no_engine"},
	} {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name == "a loop without an end" {
				t.Skip("it is given half a minute by each engine")
			}
			_, err := s.ImportModel(ctx, "bad", bytes.NewReader(c.model), client.ModelUpload{Filename: "model.onnx"})
			t.Log(err)
			if edgeward.KindOf(err) != c.kind || edgeward.CodeOf(err) == "" || c.code != "" && edgeward.CodeOf(err) != c.code || edgeward.HintOf(err) == "" {
				t.Errorf("%v is %v %q, hint %q", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err))
			}
		})
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Errorf("beside them: %v", err)
	}
	if slowest > 2*time.Second {
		t.Errorf("meanwhile the server took %v to say how it is", slowest)
	}
	if _, err := s.Model(ctx, "bad"); edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("something was registered: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(s.dir, "temp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind in temp: %v, %v", left, err)
	}
}
