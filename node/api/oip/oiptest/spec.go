package oiptest

import (
	"context"
	"embed"
	"sync"

	"github.com/bufbuild/protocompile"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
)

//go:embed testdata/open-inference-protocol/open_inference_*
var protocol embed.FS

const folder = "testdata/open-inference-protocol/"

// Schema is a schema of the protocol's OpenAPI file by its name there, such as "inference_response".
func Schema(name string) (*jsonschema.Schema, error) {
	c, err := schemas()
	if err != nil {
		return nil, err
	}
	return c(name)
}

var schemas = sync.OnceValues(func() (func(string) (*jsonschema.Schema, error), error) {
	b, err := protocol.ReadFile(folder + "open_inference_rest.yaml")
	if err != nil {
		return nil, err
	}
	var doc any
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft6) // OpenAPI 3.0 is older and the file uses what they share
	if err := c.AddResource("oip.json", doc); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	return func(name string) (*jsonschema.Schema, error) {
		mu.Lock()
		defer mu.Unlock()
		return c.Compile("oip.json#/components/schemas/" + name)
	}, nil
})

// Proto is the protocol's gRPC file, compiled.
var Proto = sync.OnceValues(func() (protoreflect.FileDescriptor, error) {
	const name = "open_inference_grpc.proto"
	b, err := protocol.ReadFile(folder + name)
	if err != nil {
		return nil, err
	}
	c := protocompile.Compiler{Resolver: &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{name: string(b)})}}
	files, err := c.Compile(context.Background(), name)
	if err != nil {
		return nil, err
	}
	return files[0], nil
})
