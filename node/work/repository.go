package work

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/picture"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// maxConfig bounds the configuration that comes with a load.
const maxConfig = 1 << 20

// awaitEvery is how often a load looks whether its version answers.
const awaitEvery = 20 * time.Millisecond

// Override is what a load through the model repository brings.
type Override struct {
	Config string            // Triton's ModelConfig as JSON; what it says of inputs and outputs must be so
	Files  map[string][]byte // by path: "1/model.onnx"; none: nothing is imported
	Image  string            // how pictures become inputs, as ModelSpec has it; the configuration may say it instead
	Reason string
}

// Load makes the endpoint called name answer and returns when it does. With a file it is imported as the next version of
// the endpoint's model, or of a model of the endpoint's name, and promoted. Without, the version that answered last answers
// again, or else the model's newest. An endpoint that is not there is made.
func (w *Work) Load(ctx context.Context, who Who, name string, o Override) error {
	const op = "work.Load"
	if err := edgeward.CheckName("endpoint", name); err != nil {
		return err
	}
	config, err := parseConfig(name, o.Config)
	if err == nil {
		o.Image, err = config.image(o.Image)
	}
	if err != nil {
		return err
	}
	key := serve.Key{Group: who.Group, Name: name}
	d, err := w.Store.Deployment(ctx, key)
	missing := edgeward.KindOf(err) == edgeward.NotFound
	if err != nil && !missing {
		return err
	}
	model := name
	if !missing {
		model = d.Endpoint.Model
	}
	number := 0
	if len(o.Files) > 0 {
		if number, err = w.bring(ctx, who, model, o, config); err != nil {
			return edgeward.Wrap(op, err)
		}
	} else if m, err := w.Store.Model(ctx, who.Group, model); err != nil {
		return err
	} else {
		number = m.Latest
	}
	if missing {
		if _, err := w.CreateEndpoint(ctx, who, wire.EndpointRequest{Name: name, Model: model, Title: name}); err != nil {
			return err
		}
	}
	change := Promote
	if len(o.Files) == 0 {
		switch live, is := d.Spec.Live(); {
		case is:
			number, change = live.Version, ""
		case d.Spec.Previous != nil:
			number, change = d.Spec.Previous.Version, Rollback
		case number == 0:
			return edgeward.E(op, edgeward.Conflict, "model.no_version", "model %s has no version", model).WithHint("import one first, or send its file along")
		}
		v, err := w.Store.ModelVersion(ctx, who.Group, models.Ref{Model: model, Version: number})
		if err != nil {
			return err
		}
		if err := config.fits(v.Manifest.Signature); err != nil {
			return err
		}
		if err := declares(v.Manifest, o.Image); err != nil {
			return err
		}
	}
	spec := d.Spec
	if change != "" {
		if spec, err = w.ChangeSpec(ctx, who, name, change, wire.ChangeRequest{Version: number, Reason: o.Reason}); err != nil {
			return err
		}
	}
	return w.await(ctx, key, spec.Revision, number)
}

// bring imports the model files of a load as one version and returns its number. Their first folder is Triton's version, which
// is ours to count.
func (w *Work) bring(ctx context.Context, who Who, model string, o Override, config modelConfig) (int, error) {
	const op = "work.Load"
	names, version := []string{}, ""
	for name := range o.Files {
		if path.Base(name) == "config.pbtxt" {
			continue // config says it
		}
		top, _, below := strings.Cut(name, "/")
		if !below {
			top = ""
		}
		if len(names) > 0 && top != version {
			return 0, edgeward.E(op, edgeward.Invalid, "model.files", "more than one version: %.80q and %.80q", names[0], name).WithHint("load one version at a time")
		}
		names, version = append(names, name), top
	}
	if len(names) == 0 {
		return 0, edgeward.E(op, edgeward.Invalid, "model.files", "there is no model file").WithHint("send file:1/model.onnx")
	}
	slices.Sort(names)
	body, err := packed(o.Files, names, version)
	if err != nil {
		return 0, edgeward.Wrap(op, err)
	}
	v, err := w.AddModel(ctx, who, body, ModelSpec{Model: model, File: path.Base(names[0]), Image: o.Image})
	if err != nil {
		return 0, err
	}
	return v.Number, config.fits(v.Manifest.Signature)
}

// packed are files as an import takes them: one as it is, several, or one in a folder of its own, as an archive without the
// folder of their version.
func packed(files map[string][]byte, names []string, version string) (io.Reader, error) {
	if len(names) == 1 && path.Dir(names[0]) == path.Clean(version) {
		return bytes.NewReader(files[names[0]]), nil
	}
	var b bytes.Buffer
	t := tar.NewWriter(&b)
	for _, name := range names {
		h := &tar.Header{Name: strings.TrimPrefix(name, version+"/"), Mode: 0o600, Size: int64(len(files[name])), Format: tar.FormatPAX}
		if err := t.WriteHeader(h); err != nil {
			return nil, edgeward.E("work.Load", edgeward.Invalid, "model.files", "%.80q is no usable file name: %w", name, err).WithHint("send file:1/model.onnx")
		}
		if _, err := t.Write(files[name]); err != nil {
			return nil, err
		}
	}
	return &b, t.Close()
}

// await waits until a version answers, or says why it does not.
func (w *Work) await(ctx context.Context, key serve.Key, revision uint64, number int) error {
	const op = "work.Load"
	ctx, cancel := context.WithTimeout(ctx, w.Serve.LoadTimeout)
	defer cancel()
	tick := time.NewTicker(awaitEvery)
	defer tick.Stop()
	for {
		st, _ := w.Serve.Status(key)
		if st.ObservedRevision > revision {
			return edgeward.E(op, edgeward.Conflict, "endpoint.stale", "somebody changed the endpoint meanwhile").WithHint("look at it again")
		}
		if st.ObservedRevision == revision {
			if number == 0 && st.Live == 0 || number != 0 && st.Live == number {
				return nil
			}
			for _, v := range st.Versions {
				if v.Version == number && v.Error != "" {
					return edgeward.E(op, edgeward.Conflict, "model.not_loaded", "version %d does not load: %s", number, v.Error).
						WithHint("the version before goes on answering, if there was one; roll back, or load another")
				}
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Unload takes every version from an endpoint and returns when nothing answers. What answers nothing already stays so.
func (w *Work) Unload(ctx context.Context, who Who, name, reason string) error {
	key := serve.Key{Group: who.Group, Name: name}
	spec, err := w.Serve.Change(ctx, key, func(s serve.Spec) (serve.Spec, error) {
		return s.Stop(serve.Change{Revision: s.Revision, By: who.Principal, Reason: reason, At: w.Now()})
	})
	if edgeward.CodeOf(err) == "endpoint.no_live" {
		return nil
	}
	if err != nil {
		return err
	}
	w.Changed()
	return w.await(ctx, key, spec.Revision, 0)
}

// modelConfig is what we look at of a ModelConfig: what it says of the model must be so. How the model is to be run is
// decided here, not there.
type modelConfig struct {
	Name          string        `json:"name"`
	Backend       string        `json:"backend"`
	Platform      string        `json:"platform"`
	Input, Output []modelTensor `json:"-"`
	Parameters    map[string]struct {
		Text string `json:"string_value"`
	} `json:"parameters"`
}

type modelTensor struct {
	Name     string `json:"name"`
	DataType string `json:"data_type"`
}

func parseConfig(name, text string) (modelConfig, error) {
	var c modelConfig
	bad := func(format string, args ...any) error {
		return edgeward.E("work.Load", edgeward.Invalid, "model.config", format, args...).WithHint("config is Triton's ModelConfig as JSON, and says of the model what is so")
	}
	if text == "" {
		return c, nil
	}
	if len(text) > maxConfig {
		return c, bad("config has %d bytes; at most %d", len(text), maxConfig)
	}
	var more struct {
		modelConfig
		Input  []modelTensor `json:"input"`
		Output []modelTensor `json:"output"`
	}
	if err := json.Unmarshal([]byte(text), &more); err != nil {
		return c, bad("config cannot be read: %w", err)
	}
	c = more.modelConfig
	c.Input, c.Output = more.Input, more.Output
	if c.Name != "" && c.Name != name {
		return c, bad("config names model %.80q", c.Name)
	}
	switch c.Backend {
	case "", "onnxruntime", "openvino", "onnx", "tensorflow":
	default:
		return c, bad("there is no backend %.80q", c.Backend)
	}
	switch c.Platform {
	case "", "onnxruntime_onnx", "onnx", "tensorflow_savedmodel", "tensorflow_graphdef":
	default:
		return c, bad("there is no platform %.80q", c.Platform)
	}
	return c, nil
}

// image is how pictures become inputs by the configuration or as the load says beside it.
func (c modelConfig) image(said string) (string, error) {
	of := c.Parameters["edgeward_image"].Text
	if said != "" && of != "" && said != of {
		return "", edgeward.E("work.Load", edgeward.Invalid, "model.config", "config declares pictures in another way than edgeward_image").WithHint("say it once")
	}
	return cmp.Or(said, of), nil
}

// declares refuses to answer by a version that prepares pictures in another way than is said; nothing said fits any.
func declares(m models.Manifest, said string) error {
	if said == "" {
		return nil
	}
	all, err := picture.Parse(said)
	if err == nil && !m.PreparesAs(all) {
		err = edgeward.E("work.Load", edgeward.Conflict, "image.declaration", "the version prepares pictures in another way").
			WithHint("send the model's file along: with another declaration it is another version")
	}
	return err
}

// fits reports an input or output of the configuration that the model does not have so.
func (c modelConfig) fits(sig tensor.Signature) error {
	for _, x := range []struct {
		what  string
		given []modelTensor
		find  func(string) (tensor.Spec, bool)
	}{{"input", c.Input, sig.Input}, {"output", c.Output, sig.Output}} {
		for _, g := range x.given {
			spec, ok := x.find(g.Name)
			want := "TYPE_" + string(spec.Datatype)
			if spec.Datatype == tensor.Bytes {
				want = "TYPE_STRING"
			}
			if !ok || g.DataType != "" && g.DataType != want {
				return edgeward.E("work.Load", edgeward.Invalid, "model.config", "config has %s %.80q of %.20q, and the model does not", x.what, g.Name, g.DataType).
					WithHint("the model says itself what it takes and gives: leave input and output out")
			}
		}
	}
	return nil
}
