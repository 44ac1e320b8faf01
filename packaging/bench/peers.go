package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// peersDir is where the peers' packages and their models' files are kept between runs.
const peersDir = ".cache/peers"

// A server is one product, or one setting of it, that serves one model from a process of its own.
type server struct {
	name     string
	packages string   // NAME: peers/NAME.txt has its packages and .cache/peers/NAME the Python with them; empty: ours
	joined   bool     // a setting for many clients: measured with 16 and 64, on the trees
	bodies   []string // "JSON", "binary"
	command  func(b *bench, m *model, home string, port [3]int) (env []string, args []string, err error)
	body     func(m *model, body string) (path string, raw []byte, header int) // the question
}

const (
	asJSON   = "JSON"
	asBinary = "binary"
)

// peers are the products beside ours. Each runs the same ONNX Runtime as we do, in one process with one thread for the
// model, writes no line for each request, and is set as its own documents advise for that.
var peers = []*server{
	{name: "Triton's Python backend", packages: "triton", bodies: []string{asJSON, asBinary}, body: inference, command: triton("")},
	{name: "Triton's Python backend, dynamic batching", packages: "triton", joined: true, bodies: []string{asJSON, asBinary}, body: inference, command: triton("dynamic_batching {}")},
	{name: "MLServer", packages: "mlserver", bodies: []string{asJSON}, body: inference, command: mlserver},
	{name: "LitServe", packages: "litserve", bodies: []string{asJSON}, body: at("/predict"), command: litserve(1)},
	{name: "LitServe, batches of 16", packages: "litserve", joined: true, bodies: []string{asJSON}, body: at("/predict"), command: litserve(16)},
	{name: "BentoML", packages: "bentoml", bodies: []string{asJSON}, body: lists("/predict", ""), command: bento(1)},
	{name: "BentoML, batches of 16", packages: "bentoml", joined: true, bodies: []string{asJSON}, body: lists("/predict", ""), command: bento(16)},
	{name: "mlflow models serve", packages: "mlflow", bodies: []string{asJSON}, body: lists("/invocations", "inputs"), command: mlflowServe},
}

// inference is a question of the Open Inference Protocol.
func inference(m *model, body string) (string, []byte, int) {
	plain, bin, header := question(inputName, m.shape, m.values)
	if body == asBinary {
		return "/v2/models/" + m.name + "/infer", bin, header
	}
	return "/v2/models/" + m.name + "/infer", plain, 0
}

// at is the same JSON at another path.
func at(path string) func(*model, string) (string, []byte, int) {
	return func(m *model, body string) (string, []byte, int) {
		_, raw, _ := inference(m, asJSON)
		return path, raw, 0
	}
}

// lists is the input as lists in lists, by its name, within an object if one is named.
func lists(path, within string) func(*model, string) (string, []byte, int) {
	return func(m *model, body string) (string, []byte, int) {
		var v any = map[string]any{inputName: m.nested()}
		if within != "" {
			v = map[string]any{within: v}
		}
		return path, mustJSON(v), 0
	}
}

// triton starts the tritonserver of the wheel nvidia-pytriton, which has the Python backend and no other.
func triton(batching string) func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	return func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
		python := b.peerPython("triton")
		out, err := exec.Command(python, "-c", "import sys,sysconfig,pytriton,os; print('%d.%d' % sys.version_info[:2]); print(sysconfig.get_config_var('LIBDIR')); print(os.path.dirname(os.path.dirname(pytriton.__file__)))").Output()
		f := strings.Fields(string(out))
		if err != nil || len(f) != 3 {
			return nil, nil, fmt.Errorf("nvidia-pytriton: %w %q", err, out)
		}
		version, lib, site := f[0], f[1], f[2]
		root := filepath.Join(site, "pytriton", "tritonserver")
		backend := filepath.Join(home, "backends", "python")
		repo := filepath.Join(home, "models", m.name)
		dims := strings.Join(strings.Fields(fmt.Sprint(m.shape[1:])), ", ")
		config := fmt.Sprintf("name: %q\nbackend: \"python\"\nmax_batch_size: 64\ninput [{name: %q data_type: TYPE_FP32 dims: %s}]\noutput [{name: %q data_type: TYPE_FP32 dims: [%d]}]\n"+
			"instance_group [{kind: KIND_CPU count: 1}]\nparameters [{key: \"onnx\" value: {string_value: %q}}]\n%s\n", m.name, inputName, dims, outputName, len(m.answer), m.file, batching)
		err = errors.Join(
			os.MkdirAll(backend, 0o700), os.MkdirAll(filepath.Join(repo, "1"), 0o700),
			copyFiles(backend, filepath.Join(root, "backends", "python"), filepath.Join(root, "python_backend_stubs", version)),
			os.Chmod(filepath.Join(backend, "triton_python_backend_stub"), 0o700),
			copyFile(filepath.Join(repo, "1", "model.py"), b.script("triton.py")), copyFile(filepath.Join(repo, "1", "engine.py"), b.script("engine.py")),
			os.WriteFile(filepath.Join(repo, "config.pbtxt"), []byte(config), 0o600))
		env := []string{"LD_LIBRARY_PATH=" + strings.Join([]string{filepath.Join(site, "nvidia_pytriton.libs"), filepath.Join(root, "external_libs"), lib}, ":"),
			"PYTHONPATH=" + site, "PATH=" + filepath.Dir(python) + ":" + os.Getenv("PATH")}
		return env, []string{filepath.Join(root, "bin", "tritonserver"), "--model-repository", filepath.Join(home, "models"), "--backend-directory", filepath.Join(home, "backends"),
			"--http-address", "127.0.0.1", "--http-port", strconv.Itoa(port[0]), "--grpc-address", "127.0.0.1", "--grpc-port", strconv.Itoa(port[1]),
			"--metrics-address", "127.0.0.1", "--metrics-port", strconv.Itoa(port[2])}, err
	}
}

// mlserver runs its model in the server's own process: with a worker process beside it, its default, it is slower here.
func mlserver(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	model := map[string]any{"name": m.name, "implementation": "mlserver_model.Model", "parameters": map[string]string{"uri": m.file}}
	settings := map[string]any{"host": "127.0.0.1", "http_port": port[0], "grpc_port": port[1], "metrics_port": port[2], "parallel_workers": 0, "debug": false}
	err := errors.Join(os.MkdirAll(filepath.Join(home, m.name), 0o700),
		os.WriteFile(filepath.Join(home, m.name, "model-settings.json"), mustJSON(model), 0o600), os.WriteFile(filepath.Join(home, "settings.json"), mustJSON(settings), 0o600))
	return []string{"PYTHONPATH=" + filepath.Dir(b.script("engine.py"))}, []string{b.peerPython("mlserver"), "-m", "mlserver.cli.main", "start", home}, err
}

func litserve(batch int) func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	return func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
		return []string{"LITSERVE_DISABLE_TELEMETRY=1", "DO_NOT_TRACK=1", "TMPDIR=" + home}, []string{b.peerPython("litserve"), b.script("lit.py"), m.file, strconv.Itoa(port[0]), strconv.Itoa(batch)}, nil
	}
}

func bento(batch int) func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	return func(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
		env := []string{"BENTOML_DO_NOT_TRACK=True", "BENTOML_HOME=" + home, "MODEL=" + m.file, "BATCH=" + strconv.Itoa(batch)}
		return env, []string{b.peerPython("bentoml"), "-m", "bentoml", "serve", "bento:Service", "--host", "127.0.0.1", "--port", strconv.Itoa(port[0]), "--working-dir", filepath.Dir(b.script("bento.py"))}, nil
	}
}

func mlflowServe(b *bench, m *model, home string, port [3]int) ([]string, []string, error) {
	python, saved := b.peerPython("mlflow"), filepath.Join(b.kept, "mlflow-"+m.name)
	env := []string{"MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true", "UVICORN_ACCESS_LOG=false", "MLFLOW_TRACKING_URI=sqlite:///" + home + "/mlflow.db", "PATH=" + filepath.Dir(python) + ":" + os.Getenv("PATH")}
	if _, err := os.Stat(saved); err != nil { // not part of the start that is measured
		cmd := exec.Command(python, b.script("mlflow_save.py"), m.file, saved)
		cmd.Env = append(os.Environ(), env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, nil, fmt.Errorf("mlflow_save.py: %w\n%.1000s", err, out)
		}
	}
	return env, []string{python, "-m", "mlflow", "models", "serve", "-m", saved, "--env-manager", "local", "-h", "127.0.0.1", "-p", strconv.Itoa(port[0]), "--workers", "1"}, nil
}

func (b *bench) peerPython(name string) string { return filepath.Join(b.peers, name, "bin", "python") }

// script is the path of a file beside this program's source.
func (b *bench) script(name string) string {
	return filepath.Join(b.root, "packaging", "bench", "peers", name)
}

// setUp makes the Python environment of a peer from its pinned packages, if it is not there already.
func (b *bench) setUp(ctx context.Context, name string) error {
	list := b.script(name + ".txt")
	raw, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	dir, stamp := filepath.Join(b.peers, name), []byte(hex.EncodeToString(sum[:])+"\n")
	mark := filepath.Join(dir, "packages.sha256")
	if old, err := os.ReadFile(mark); err == nil && bytes.Equal(old, stamp) {
		return nil
	}
	fmt.Fprintf(os.Stderr, "bench: sets %s up in %s, once\n", name, dir)
	for _, args := range [][]string{{"python3", "-m", "venv", "--clear", dir}, {b.peerPython(name), "-m", "pip", "install", "-q", "--no-input", "--no-deps", "-r", list}} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%.2000s", strings.Join(args, " "), err, out)
		}
	}
	return os.WriteFile(mark, stamp, 0o600)
}

// component says what exactly stands behind a peer's name: the first line of its list of packages, without the #.
func (b *bench) component(name string) string {
	raw, _ := os.ReadFile(b.script(name + ".txt"))
	line, _, _ := strings.Cut(string(raw), "\n")
	return strings.TrimSpace(strings.TrimPrefix(line, "#"))
}

// freePorts are three ports of loopback that were free a moment ago.
func freePorts() (out [3]int) {
	for i := range out {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			continue
		}
		defer l.Close() // only at the end, so that they differ
		out[i] = l.Addr().(*net.TCPAddr).Port
	}
	return out
}

// copyFiles copies the files of folders, not of folders within them, to a folder.
func copyFiles(to string, from ...string) (err error) {
	for _, dir := range from {
		entries, rerr := os.ReadDir(dir)
		err = errors.Join(err, rerr)
		for _, e := range entries {
			if e.Type().IsRegular() {
				err = errors.Join(err, copyFile(filepath.Join(to, e.Name()), filepath.Join(dir, e.Name())))
			}
		}
	}
	return err
}

func copyFile(to, from string) error {
	raw, err := os.ReadFile(from)
	return errors.Join(err, os.WriteFile(to, raw, 0o600))
}
