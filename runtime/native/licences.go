package native

import (
	"encoding/json"
	"io"

	"github.com/klauspost/compress/zstd"

	"edgeward"
)

// A Licence is one text that goes with a component of the pack.
type Licence struct {
	Component string `json:"component"` // "onnxruntime", "libgomp"
	Version   string `json:"version"`   // of the wheel it was cut from
	Licence   string `json:"licence"`   // SPDX expression
	From      string `json:"from"`      // wheel file
	File      string `json:"file"`      // "ThirdPartyNotices.txt"
	Text      string `json:"text"`
}

// maxTexts bounds the unpacked licence texts, which are half a megabyte today.
const maxTexts = 16 << 20

// Licences returns the licence texts of all embedded libraries, third-party notices included. Errors are Locate's.
func Licences() ([]Licence, error) {
	if _, err := load(); err != nil {
		return nil, err
	}
	f, err := embedded.Open("pack/licences.json.zst")
	if err != nil {
		return nil, missing("this program was built without the licence texts of its native libraries")
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, edgeward.Wrap("native.Licences", err)
	}
	defer z.Close()
	raw, err := io.ReadAll(io.LimitReader(z, maxTexts))
	if err != nil {
		return nil, edgeward.Wrap("native.Licences", err)
	}
	var all []Licence
	return all, edgeward.Wrap("native.Licences", json.Unmarshal(raw, &all))
}
