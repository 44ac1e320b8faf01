package onnxgraph_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/onnxgraph/onnxpb"
)

func TestAFileMayNameItsClasses(t *testing.T) {
	for _, c := range []struct {
		name, list string
		want       []string
	}{
		{"a list of names", `["ok","crack"]`, []string{"ok", "crack"}},
		{"a name given twice", `["ok","ok"]`, nil},
		{"an empty name", `["ok",""]`, nil},
		{"no list", `{"0":"ok"}`, nil},
		{"a name without end", `["` + strings.Repeat("x", 300) + `"]`, nil},
		{"too many", `["` + strings.Repeat(`x","`, 10_001) + `y"]`, nil},
	} {
		raw, err := proto.Marshal(&onnxpb.ModelProto{Graph: &onnxpb.GraphProto{}, OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
			MetadataProps: []*onnxpb.StringStringEntryProto{{Key: proto.String("edgeward.classes"), Value: proto.String(c.list)}}})
		if err != nil {
			t.Fatal(err)
		}
		info, err := onnxgraph.Inspect(raw)
		if err != nil || !slices.Equal(info.Classes, c.want) {
			t.Errorf("%s: %.80q, %v, want %q", c.name, info.Classes, err, c.want)
		}
	}
}
