package systemtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/engine/enginetest"
)

// TestAnEndpointLeavesAsAnImage exports an endpoint of one engine, and one of a graph whose parts are answered by another each, has other people's tools read an image, and runs its
// file system where nothing else is.
func TestAnEndpointLeavesAsAnImage(t *testing.T) {
	needNative(t)
	_, c := serve(t, dataDir(t))
	ctx := within(t, 9*time.Minute)
	uses := []string{"the first", "the second"} // the image must keep the number
	for _, use := range uses {
		must[client.ImportedVersion](t)(c.ImportModel(ctx, "leak-finder", tarred(t, "openvino"), client.ModelUpload{IntendedUse: use}))
		must[client.ImportedVersion](t)(c.ImportModel(ctx, "defect-finder", tarred(t, "trees/lightgbm.txt"), client.ModelUpload{IntendedUse: use}))
		var q client.GraphRequest
		unmarshal(t, []byte(`{"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
			"nodes": [{"name": "leak", "model": "leak-finder/1", "inputs": {"x": "x"}}, {"name": "defect", "model": "defect-finder/1", "inputs": {"features": "x"}}],
			"outputs": [{"name": "leak", "from": "leak.y"}, {"name": "defect", "from": "defect.prediction"}], "intended_use": "`+use+`"}`), &q)
		must[client.ImportedVersion](t)(c.ApplyGraph(ctx, "both", q))
	}
	for _, x := range []asking{{"leak-finder", "openvino", "x"}, {"both", "graph:", "x"}} {
		t.Run(x.endpoint, func(t *testing.T) {
			deployed(t, c, x.endpoint, 2)
			leaves(t, c, x)
		})
	}
}

// asking is an endpoint that an engine answers, and the name of its input.
type asking struct{ endpoint, engine, input string }

func leaves(t *testing.T, c *client.Client, x asking) {
	ctx := within(t, 5*time.Minute)
	first, again := filepath.Join(t.TempDir(), "leak.tar"), filepath.Join(t.TempDir(), "again.tar")
	for _, path := range []string{first, again} {
		save(t, path, func(w io.Writer) error { return c.EndpointImage(ctx, x.endpoint, w) })
	}
	a, b := must[[]byte](t)(os.ReadFile(first)), must[[]byte](t)(os.ReadFile(again))
	if !bytes.Equal(a, b) {
		t.Errorf("two exports of one endpoint have %d and %d bytes, %s and %s", len(a), len(b), edgeward.DigestOf(a), edgeward.DigestOf(b))
	}
	layout := untar(t, first, "")
	root := filepath.Join(t.TempDir(), "root")
	flatten(t, layout, root)
	t.Run("its bill of materials", func(t *testing.T) { materials(t, root) })
	if x.engine == "openvino" { // the other is of the same kind
		t.Run("the tools of others", func(t *testing.T) { crane(t, layout) })
	}
	t.Run("its answers", func(t *testing.T) { alone(t, c, x, layout, root) })
}

func save(t *testing.T, path string, write func(io.Writer) error) {
	t.Helper()
	f := must[*os.File](t)(os.Create(path))
	if err := errors.Join(write(f), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// untar unpacks a tar into a folder, and returns that folder.
func untar(t *testing.T, path, into string) string {
	t.Helper()
	if into == "" {
		into = t.TempDir()
	}
	f := must[*os.File](t)(os.Open(path))
	defer f.Close()
	var r io.Reader = f
	if z, err := gzip.NewReader(f); err == nil {
		r = z
	} else {
		must[int64](t)(f.Seek(0, io.SeekStart))
	}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return into
		}
		if err != nil {
			t.Fatal(err)
		}
		if !h.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("%s has the time %v", h.Name, h.ModTime)
		}
		at := filepath.Join(into, h.Name)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		mode := h.FileInfo().Mode()
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(at, 0o755)
		} else {
			out := must[*os.File](t)(os.Create(at))
			_, err = io.Copy(out, tr)
			err = errors.Join(err, out.Close())
		}
		if os.Geteuid() == 0 && h.Uid != 0 {
			err = errors.Join(err, os.Chown(at, h.Uid, h.Gid))
		}
		if err := errors.Join(err, os.Chmod(at, mode)); err != nil {
			t.Fatal(err)
		}
	}
}

type descriptor struct {
	Digest       edgeward.Digest `json:"digest"`
	MediaType    string          `json:"mediaType"`
	ArtifactType string          `json:"artifactType"`
}

type manifest struct {
	Config descriptor   `json:"config"`
	Layers []descriptor `json:"layers"`
}

// manifestOf reads the one manifest of a layout.
func manifestOf(t *testing.T, layout string) (m manifest) {
	t.Helper()
	var index struct{ Manifests []descriptor }
	unmarshal(t, must[[]byte](t)(os.ReadFile(filepath.Join(layout, "index.json"))), &index)
	if len(index.Manifests) != 1 {
		t.Fatalf("%d manifests", len(index.Manifests))
	}
	unmarshal(t, must[[]byte](t)(os.ReadFile(blobOf(layout, index.Manifests[0].Digest))), &m)
	return m
}

func blobOf(layout string, d edgeward.Digest) string {
	return filepath.Join(layout, "blobs", "sha256", d.Hex())
}

// flatten lays the layers of an image over each other.
func flatten(t *testing.T, layout, root string) {
	t.Helper()
	for _, l := range manifestOf(t, layout).Layers {
		untar(t, blobOf(layout, l.Digest), root)
	}
}

// materials holds the bill of materials against the files.
func materials(t *testing.T, root string) {
	var doc struct {
		BOMFormat  string
		Components []struct {
			Name, Type string
			Hashes     []struct{ Content string }
			Licenses   []struct{ Expression string }
		}
	}
	unmarshal(t, must[[]byte](t)(os.ReadFile(filepath.Join(root, "usr/share/doc/edgeward/sbom.cdx.json"))), &doc)
	hashes, seen := map[string]string{}, map[string]bool{}
	for _, c := range doc.Components {
		seen[c.Type] = true
		if len(c.Hashes) == 1 {
			hashes[c.Name] = c.Hashes[0].Content
		}
	}
	if doc.BOMFormat != "CycloneDX" || !seen["application"] || !seen["library"] || !seen["machine-learning-model"] {
		t.Errorf("%s with %v", doc.BOMFormat, seen)
	}
	if got := edgeward.DigestOf(must[[]byte](t)(os.ReadFile(filepath.Join(root, "usr/bin/edgeward")))); got.Hex() != hashes["edgeward"] || got != edgeward.DigestOf(must[[]byte](t)(os.ReadFile(program(t)))) {
		t.Errorf("the program is %s, its entry %s", got, hashes["edgeward"])
	}
	host := 0
	for name, sum := range hashes {
		_, path, ok := strings.Cut(name, ": ")
		if !ok {
			continue
		}
		host++
		if got := edgeward.DigestOf(must[[]byte](t)(os.ReadFile(filepath.Join(root, path)))); got.Hex() != sum {
			t.Errorf("%s is %s, its entry %s", name, got, sum)
		}
	}
	texts, _ := filepath.Glob(filepath.Join(root, "usr/share/doc/edgeward/licences/*/*"))
	if host < 5 || len(texts) < 2 {
		t.Errorf("%d libraries of the machine, licence texts %v", host, texts)
	}
}

// registryTools are the programs that read what we write, pinned.
const (
	craneTool = "github.com/google/go-containerregistry/cmd/crane@v0.20.8"
	orasTool  = "oras.land/oras/cmd/oras@v1.3.6"
)

// tool builds a program of another module, or skips the test where that cannot be fetched.
func tool(t *testing.T, module string) string {
	t.Helper()
	dir := filepath.Join(shared, "tools")
	cmd := exec.CommandContext(within(t, 4*time.Minute), needtest.Tool(t, "go")[0], "install", module)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=-mod=mod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Logf("go install %s: %v\n%s", module, err, out)
		needtest.Missing(t, module)
	}
	name, _, _ := strings.Cut(filepath.Base(module), "@")
	return filepath.Join(dir, name)
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(within(t, 2*time.Minute), name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, stderr.String())
	}
	return string(out)
}

// crane pushes the layout to a registry, validates it there and reads its configuration.
func crane(t *testing.T, layout string) {
	path, registry := tool(t, craneTool), registry(t)
	ref := registry + "/leak-finder:2"
	output(t, path, "push", "--insecure", layout, ref)
	output(t, path, "validate", "--insecure", "--remote", ref)
	var config struct {
		Architecture, OS string
		Config           struct {
			Entrypoint   []string
			User         string
			ExposedPorts map[string]any
			Labels       map[string]string
		}
	}
	unmarshal(t, []byte(output(t, path, "config", "--insecure", ref)), &config)
	c := config.Config
	if config.OS != "linux" || c.User != "65532:65532" || len(c.ExposedPorts) != 2 || c.Labels["edgeward.model"] != "leak-finder/2" || len(c.Entrypoint) != 1 {
		t.Errorf("%+v", config)
	}
}

// registry runs crane's own registry and returns its address.
func registry(t *testing.T) string {
	t.Helper()
	log := &lockedBuffer{}
	cmd := exec.Command(tool(t, craneTool), "registry", "serve", "--address", "127.0.0.1:0")
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port := regexp.MustCompile(`127\.0\.0\.1:[1-9]\d*|port ([1-9]\d*)`)
	var at string
	eventually(t, 20*time.Second, "the registry says where it listens", func() bool {
		at = strings.Replace(port.FindString(log.String()), "port ", "127.0.0.1:", 1)
		return at != ""
	})
	return at
}

var predictionID = regexp.MustCompile(`"edgeward_prediction_id":"[0-9A-Z]{26}"`)

// alone runs the image's file system by itself and asks it what the server was asked.
func alone(t *testing.T, live *client.Client, x asking, layout, root string) {
	if os.Geteuid() != 0 {
		needtest.Missing(t, "right:chroot")
	}
	mount := needtest.Tool(t, "unshare", "mount", "chroot")
	const token = "image-bootstrap-token-0123456789abc"
	log, said := &lockedBuffer{}, &lockedBuffer{}
	script := `set -e; mount --bind /proc "$1/proc"; mount --bind /dev "$1/dev"; exec chroot --userspec=65532:65532 "$@"`
	var config struct {
		Config struct{ Entrypoint, Cmd, Env []string }
	}
	unmarshal(t, must[[]byte](t)(os.ReadFile(blobOf(layout, manifestOf(t, layout).Config.Digest))), &config)
	args := append([]string{"-m", "sh", "-c", script, "sh", root}, append(config.Config.Entrypoint, config.Config.Cmd...)...)
	cmd := exec.Command(mount[0], args...)
	cmd.Env = append(config.Config.Env, "EDGEWARD_BOOTSTRAP_TOKEN="+token, "EDGEWARD_HTTP_ADDRESS=127.0.0.1:0", "EDGEWARD_GRPC_ADDRESS=127.0.0.1:0", "PATH="+os.Getenv("PATH"))
	cmd.Stdout, cmd.Stderr = said, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
		if t.Failed() {
			t.Logf("the image said:\n%s\n%s", said.tail(10), log.tail(40))
		}
	})
	var url string
	eventually(t, 60*time.Second, "the image says where it listens", func() bool {
		_, after, ok := strings.Cut(said.String(), "listening on ")
		url, _, _ = strings.Cut(after, "\n")
		return ok && url != ""
	})
	c := must[*client.Client](t)(client.New(client.Options{URL: url, Token: token, Through: conforming(t)}))
	if _, err := c.AwaitReady(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	var e client.EndpointView
	eventually(t, 60*time.Second, "the image's endpoint is ready", func() (ready bool) {
		var err error
		e, err = c.Endpoint(within(t, 10*time.Second), x.endpoint)
		return err == nil && e.Status.State == "ready"
	})
	if v := e.Status.Versions; len(v) != 1 || !strings.HasPrefix(v[0].Engine, x.engine+" ") || v[0].Version != 2 {
		t.Errorf("behind the image's endpoint: %+v", v)
	}
	for i := range 20 {
		body := fmt.Sprintf(`{"id":"q%d","inputs":[{"name":"%s","datatype":"FP32","shape":[2,2],"data":[%d.25,-0.1,3e-3,%d]}]}`, i, x.input, i, i*i)
		path := "/v2/models/" + x.endpoint + "/infer"
		if i%2 == 1 {
			path = "/v2/models/" + x.endpoint + "/versions/2/infer"
		}
		want, got := asked(t, live, path, body), asked(t, c, path, body)
		if want != got || !strings.Contains(got, `"model_version":"2"`) {
			t.Errorf("the image answers\n%s\nthe server\n%s", got, want)
		}
	}
}

// asked is an answer without the id that every prediction gets.
func asked(t *testing.T, c *client.Client, path, body string) string {
	t.Helper()
	var out []byte
	if err := c.Do(within(t, time.Minute), client.Request{Method: "POST", Path: path, Body: strings.NewReader(body)}, &out); err != nil {
		t.Fatal(err)
	}
	if !predictionID.Match(out) {
		t.Errorf("no prediction id: %s", out)
	}
	return string(predictionID.ReplaceAll(out, nil))
}

// TestAModelLeavesAsAnArtifact has oras take the artifact apart again.
func TestAModelLeavesAsAnArtifact(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 5*time.Minute)
	model := enginetest.ONNX(t, "affine").Bytes
	v := must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak-finder", bytes.NewReader(model), client.ModelUpload{Filename: "leak.onnx"}))
	path := filepath.Join(t.TempDir(), "leak.tar")
	save(t, path, func(w io.Writer) error { return s.ModelArtifact(ctx, "leak-finder", 0, w) })
	layout := untar(t, path, "")
	m := manifestOf(t, layout)
	config := must[[]byte](t)(os.ReadFile(blobOf(layout, m.Config.Digest)))
	if edgeward.DigestOf(config) != v.Digest || m.Config.Digest != v.Digest {
		t.Errorf("the configuration is %s, the version %s", m.Config.Digest, v.Digest)
	}
	oras := tool(t, orasTool)
	var fetched struct{ ArtifactType string }
	unmarshal(t, []byte(output(t, oras, "manifest", "fetch", "--oci-layout", path+":1")), &fetched)
	if fetched.ArtifactType != "application/vnd.edgeward.model.v1" {
		t.Errorf("artifact type %q", fetched.ArtifactType)
	}
	out := t.TempDir()
	output(t, oras, "pull", "--oci-layout", "--output", out, path+":1")
	if got := must[[]byte](t)(os.ReadFile(filepath.Join(out, v.Manifest.Files[0].Name))); !bytes.Equal(got, model) {
		t.Errorf("oras wrote %d bytes, the model has %d", len(got), len(model))
	}
	_, err := s.as(t, token(t, s.Client, "service"), "").ModelVersion(ctx, "leak-finder", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{s.as(t, token(t, s.Client, "service"), "").ModelArtifact(ctx, "leak-finder", 1, io.Discard), s.as(t, token(t, s.Client, "reviewer"), "").EndpointImage(ctx, "leak-finder", io.Discard)} {
		if edgeward.KindOf(err) != edgeward.Forbidden {
			t.Errorf("got %v, want forbidden", err)
		}
	}
	if err := s.EndpointImage(ctx, "no-finder", io.Discard); edgeward.CodeOf(err) != "endpoint.not_found" {
		t.Errorf("got %v, want endpoint.not_found", err)
	}
}
