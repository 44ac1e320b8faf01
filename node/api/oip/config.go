package oip

import (
	"encoding/json"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/runtime/picture"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// MaxBatch is what max_batch_size says of a model that takes any number of rows.
const MaxBatch = 1024

// ModelConfig describes an endpoint as Triton's ModelConfig: what its clients plan their requests by. What does not exist
// here is empty.
type ModelConfig struct {
	Name          string                `json:"name"`
	Platform      string                `json:"platform"`
	Backend       string                `json:"backend"`
	VersionPolicy VersionPolicy         `json:"version_policy"`
	MaxBatchSize  int32                 `json:"max_batch_size"` // 0: the first dimension is no number of rows
	Input         []ConfigInput         `json:"input"`
	Output        []ConfigOutput        `json:"output"`
	Batching      *struct{}             `json:"dynamic_batching,omitempty"` // there if requests are joined
	InstanceGroup []struct{}            `json:"instance_group"`
	Parameters    map[string]ConfigText `json:"parameters"`
	Transaction   map[string]bool       `json:"model_transaction_policy"`
	Cache         map[string]bool       `json:"response_cache"`
}

// VersionPolicy lists the versions that answer.
type VersionPolicy struct {
	Specific struct {
		Versions []int64 `json:"versions"`
	} `json:"specific"`
}

// ConfigText is a parameter of a ModelConfig.
type ConfigText struct {
	Value string `json:"string_value"`
}

// ConfigInput describes an input; Dims are without the number of rows if MaxBatchSize is not 0.
type ConfigInput struct {
	Name          string  `json:"name"`
	DataType      string  `json:"data_type"` // "TYPE_FP32"
	Format        string  `json:"format"`
	Dims          []int64 `json:"dims"`
	IsShapeTensor bool    `json:"is_shape_tensor"`
	Ragged        bool    `json:"allow_ragged_batch"`
	Optional      bool    `json:"optional"`
}

// ConfigOutput describes an output.
type ConfigOutput struct {
	Name          string  `json:"name"`
	DataType      string  `json:"data_type"`
	Dims          []int64 `json:"dims"`
	LabelFilename string  `json:"label_filename"`
	IsShapeTensor bool    `json:"is_shape_tensor"`
}

// ModelConfig describes the version that t names.
func (s *Service) ModelConfig(t Target) (ModelConfig, error) {
	d, err := s.Serve.Describe(t.Key, t.Version)
	if err != nil {
		return ModelConfig{}, err
	}
	sig := d.Version.Manifest.Signature
	skip := 0
	if rows(sig.Inputs) && rows(sig.Outputs) {
		skip = 1
	}
	c := ModelConfig{Name: t.Name, MaxBatchSize: int32(skip * MaxBatch), InstanceGroup: []struct{}{}, Input: []ConfigInput{}, Output: []ConfigOutput{},
		Parameters:  map[string]ConfigText{"edgeward_digest": {string(d.Version.Digest)}, "edgeward_version": {strconv.Itoa(d.Version.Number)}},
		Transaction: map[string]bool{"decoupled": false}, Cache: map[string]bool{"enable": false}}
	c.VersionPolicy.Specific.Versions = []int64{}
	for _, v := range d.Versions {
		c.VersionPolicy.Specific.Versions = append(c.VersionPolicy.Specific.Versions, int64(v))
	}
	var images []picture.Preprocessing
	for _, x := range sig.Inputs {
		in := ConfigInput{Name: x.Name, DataType: configType(x.Datatype), Format: "FORMAT_NONE", Dims: append([]int64{}, x.Shape[skip:]...)}
		if p, ok := picture.Of(d.Version.Manifest.Preprocessing, x.Name); ok {
			if len(in.Dims) == 3 {
				in.Format = "FORMAT_" + strings.ToUpper(string(p.Layout))
			}
			images = append(images, p)
		}
		c.Input = append(c.Input, in)
	}
	if len(images) > 0 {
		b, err := json.Marshal(images)
		if err != nil {
			return ModelConfig{}, edgeward.Wrap("oip.ModelConfig", err)
		}
		c.Parameters["edgeward_image"] = ConfigText{string(b)} // as a load takes it
	}
	for _, x := range sig.Outputs {
		c.Output = append(c.Output, ConfigOutput{Name: x.Name, DataType: configType(x.Datatype), Dims: append([]int64{}, x.Shape[skip:]...)})
	}
	if st, ok := s.Serve.Status(t.Key); ok {
		for _, v := range st.Versions {
			if v.Version == d.Version.Number && v.Engine != "" {
				c.Backend, _, _ = strings.Cut(v.Engine, " ")
				c.Backend = strings.TrimSuffix(c.Backend, ":") // of a graph
				c.Parameters["edgeward_engine"], c.Parameters["edgeward_device"] = ConfigText{v.Engine}, ConfigText{v.Device}
			}
		}
	}
	if c.Backend == "onnxruntime" {
		c.Platform = "onnxruntime_onnx"
	}
	if m, ok := s.Serve.Metrics(t.Key); ok {
		for _, r := range m.Runs {
			if r.Version == d.Version.Number && r.Batch > 1 {
				c.Batching = &struct{}{}
			}
		}
	}
	return c, nil
}

// rows reports whether the first dimension of all is a free number of rows.
func rows(specs []tensor.Spec) bool {
	for _, s := range specs {
		if len(s.Shape) == 0 || s.Shape[0] != tensor.Any {
			return false
		}
	}
	return true
}

// configType is a datatype as ModelConfig calls it.
func configType(d tensor.Datatype) string {
	switch d {
	case tensor.Bytes:
		return "TYPE_STRING"
	case tensor.Bool, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64,
		tensor.FP16, tensor.BF16, tensor.FP32, tensor.FP64:
		return "TYPE_" + string(d)
	}
	return "TYPE_INVALID" // Triton has no name for it
}

var _ Endpoints = (*serve.Server)(nil)
