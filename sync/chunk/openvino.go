package chunk

import (
	"bytes"
	"encoding/xml"
	"strings"
)

var irKinds = map[string]Kind{"boolean": Int8, "i8": Int8, "u8": Int8, "i16": Int16, "u16": Int16, "i32": Int32, "u32": Int32, "i64": Int64, "u64": Int64,
	"f16": Float16, "bf16": BFloat16, "f32": Float32, "f64": Float64}

// openvino reads the constants of an intermediate representation: <layer name type="Const"><data element_type offset size shape/>. Layers that share bytes
// are one tensor. nil of another kind of file.
func openvino(b []byte) (out []Tensor) {
	if !bytes.HasPrefix(bytes.TrimLeft(b[:min(len(b), 256)], "\xef\xbb\xbf \t\r\n"), []byte("<")) {
		return nil
	}
	name := ""
	for d := xml.NewDecoder(bytes.NewReader(b)); len(out) < MaxTensors; {
		token, err := d.RawToken()
		if err != nil {
			return out
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		at := map[string]string{}
		for _, a := range e.Attr {
			at[a.Name.Local] = a.Value
		}
		switch e.Name.Local {
		case "layer":
			name = ""
			if at["type"] == "Const" {
				name = at["name"]
			}
		case "data":
			if name == "" {
				continue
			}
			var dims []int64
			for s := range strings.SplitSeq(at["shape"], ",") {
				if v := whole(strings.TrimSpace(s)); v >= 0 && len(dims) < 16 {
					dims = append(dims, v)
				}
			}
			out = append(out, Tensor{Name: name, At: whole(at["offset"]), Size: whole(at["size"]), Kind: irKinds[at["element_type"]], Row: row(dims)})
		}
	}
	return out
}
