package wire

import (
	"time"

	"edgeward"
	"edgeward/runtime/device"
	"edgeward/runtime/packs"
)

// RuntimeView is a runtime pack that was added to the server.
type RuntimeView struct {
	packs.Ref
	Engine   string          `json:"engine"`           // whose library it is: "onnxruntime"
	Devices  []string        `json:"devices"`          // what it runs on: CPU, CUDA
	Driver   string          `json:"driver,omitempty"` // the oldest driver of the devices
	Digest   edgeward.Digest `json:"digest"`           // of the file it came in
	Bytes    int64           `json:"bytes"`            // on disk
	Files    int             `json:"files"`
	Licences []RuntimePart   `json:"licences"` // of everything in it
	Added    time.Time       `json:"added"`
	By       string          `json:"by"`
	InUse    []string        `json:"in_use,omitempty"`   // models that run on it, for people
	Existing bool            `json:"existing,omitempty"` // of the answer to adding it: it was there already
}

// RuntimePart is a component of a pack with its licence.
type RuntimePart struct {
	Component string `json:"component"`
	Version   string `json:"version"`
	Licence   string `json:"licence"` // SPDX expression
}

// DeviceView is what this server can run models on besides its processors.
type DeviceView struct {
	device.Device
	Wish    string `json:"wish"`              // how an endpoint asks for it: "cuda:1"
	Runtime string `json:"runtime,omitempty"` // the runtime pack that would be used, "" where it needs none or none is there
	Ready   bool   `json:"ready"`             // a model could run there now, as far as can be told without trying
	Lacks   string `json:"lacks,omitempty"`   // what is missing, for people
	Hint    string `json:"hint,omitempty"`
}
