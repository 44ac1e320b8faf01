package image

import (
	"context"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/native"
	"edgeward/sync/oci"
)

// Places in an image.
const (
	BundleDir   = "usr/share/edgeward/endpoint"
	programPath = "usr/bin/edgeward"
	docDir      = "usr/share/doc/edgeward"
	dataDir     = "data"
	user        = 65532 // nobody's on most systems, as images without root have it
)

// Program is what an image runs.
type Program struct {
	Path    string // of the file: /proc/self/exe
	Version string
	Native  *native.Pack
}

// engineSets are the native libraries of an engine.
var engineSets = map[string]string{"onnxruntime": native.ONNXRuntime, "openvino": native.OpenVINO}

// Write writes the image of b as a layout into dir and returns the digest of its manifest. blob gives the verified path of
// a blob.
//
// Errors: Invalid "image.engine" for a version, or a part of a graph, that no native engine on the CPU answers, those of native.Locate, native.Host
// and native.HostLicences, and of the disk.
func Write(ctx context.Context, dir string, b Bundle, p Program, blob func(edgeward.Digest) (string, error)) (edgeward.Digest, error) {
	const op = "image.Write"
	var libraries []string
	var engines []oci.Layer
	used := map[string]bool{}
	for _, x := range b.native() {
		set := engineSets[x.Engine.Engine]
		if set == "" || x.Engine.Device != engine.CPU {
			return "", edgeward.E(op, edgeward.Invalid, "image.engine", "the live version is answered by %s on %s", x.Engine.Engine, x.Engine.Device).
				WithHint("only what engines of this program answer on the CPU can leave as an image")
		}
		if used[set] {
			continue
		}
		used[set] = true
		at, err := p.Native.Locate(ctx, set)
		if err != nil {
			return "", err
		}
		own := path.Join(dataDir, "native", filepath.Base(at.Dir))
		l := oci.Layer{Holds: x.Engine.Engine + " " + x.Library, Entries: []oci.Entry{folder(dataDir, 0o700), folder(path.Join(dataDir, "native"), 0o755), folder(own, 0o755)}}
		for _, name := range slices.Sorted(maps.Keys(at.Files)) {
			libraries = append(libraries, at.Files[name])
			l.Entries = append(l.Entries, oci.Entry{Name: path.Join(own, name), Mode: 0o555, Owner: user, Path: at.Files[name]})
		}
		engines = append(engines, l)
	}
	slices.SortFunc(engines, func(a, b oci.Layer) int { return strings.Compare(a.Holds, b.Holds) })
	host, err := native.Host(ctx, p.Path, libraries...)
	if err != nil {
		return "", err
	}
	base, err := system(host)
	if err != nil {
		return "", err
	}
	sets := slices.DeleteFunc(native.Sets(), func(s native.Set) bool { return !used[s.Name] })
	list, err := sbom(b, p, sets, host)
	if err != nil {
		return "", edgeward.Wrap(op, err)
	}
	files, err := b.entries(BundleDir, blob)
	if err != nil {
		return "", edgeward.Wrap(op, err)
	}
	files = append(files, oci.Entry{Name: docDir + "/sbom.cdx.json", Mode: 0o444, Bytes: list})
	layers := append([]oci.Layer{
		{Holds: "dynamic loader, glibc and GCC runtime with their licences", Entries: base},
		{Holds: "edgeward " + p.Version, Entries: []oci.Entry{{Name: programPath, Mode: 0o755, Path: p.Path}}},
	}, engines...)
	layers = append(layers, oci.Layer{Holds: "endpoint " + b.Endpoint.Name + ", model " + b.Model.Name + "/" + tag(b), Entries: files})
	return oci.WriteImage(ctx, dir, oci.Image{Tag: tag(b), Arch: runtime.GOARCH, Layers: layers,
		Entrypoint: []string{"/" + programPath}, Command: []string{"serve", "--endpoint", "/" + BundleDir}, WorkDir: "/" + dataDir,
		Env:  []string{"EDGEWARD_DATA_DIR=/" + dataDir, "EDGEWARD_HTTP_ADDRESS=0.0.0.0:8080", "EDGEWARD_GRPC_ADDRESS=0.0.0.0:8001", "EDGEWARD_MQTT_BROKER=false"},
		User: strconv.Itoa(user) + ":" + strconv.Itoa(user), Ports: []string{"8080/tcp", "8001/tcp"}, Labels: labels(b)})
}

func tag(b Bundle) string { return strconv.Itoa(b.Version) }

func folder(name string, mode fs.FileMode) oci.Entry {
	return oci.Entry{Name: name, Mode: fs.ModeDir | mode, Owner: user}
}

// labels are annotations by the names that the OCI image specification gives.
func labels(b Bundle) map[string]string {
	out := map[string]string{
		"org.opencontainers.image.title":   b.Endpoint.Name,
		"org.opencontainers.image.version": tag(b),
		"edgeward.endpoint":                b.Endpoint.Name,
		"edgeward.model":                   b.Model.Name + "/" + tag(b),
		"edgeward.model.digest":            string(b.Digest),
		"edgeward.engine":                  b.engines(),
		"edgeward.sbom":                    "/" + docDir + "/sbom.cdx.json",
	}
	if b.Endpoint.Description != "" {
		out["org.opencontainers.image.description"] = b.Endpoint.Description
	}
	return out
}

// system is what the image has instead of a distribution.
func system(host []native.HostFile) ([]oci.Entry, error) {
	id := strconv.Itoa(user)
	out := []oci.Entry{
		{Name: "tmp", Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		{Name: "etc/passwd", Mode: 0o444, Bytes: []byte("root:x:0:0:root:/:/sbin/nologin\nedgeward:x:" + id + ":" + id + ":edgeward:/data:/sbin/nologin\n")},
		{Name: "etc/group", Mode: 0o444, Bytes: []byte("root:x:0:\nedgeward:x:" + id + ":\n")},
	}
	for _, dir := range []string{"dev", "proc", "sys"} { // what a runtime mounts on
		out = append(out, oci.Entry{Name: dir, Mode: fs.ModeDir | 0o755})
	}
	done := map[string]bool{}
	for _, f := range host {
		out = append(out, oci.Entry{Name: strings.TrimPrefix(f.Path, "/"), Mode: 0o755, Path: f.Path})
		if done[f.Component] {
			continue
		}
		done[f.Component] = true
		texts, err := native.HostLicences(f.Component)
		if err != nil {
			return nil, err
		}
		for _, t := range texts {
			out = append(out, oci.Entry{Name: docDir + "/licences/" + t.Component + "/" + t.File, Mode: 0o444, Bytes: []byte(t.Text)})
		}
	}
	return out, nil
}
