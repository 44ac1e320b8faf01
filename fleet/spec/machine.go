package spec

import "time"

// Machine is a server as its node page shows it. Sizes are bytes. All of it may be missing: an older node sends none.
type Machine struct {
	System     string    `json:"system,omitempty"` // "debian 12.7"
	Kernel     string    `json:"kernel,omitempty"`
	Features   []string  `json:"features,omitempty"` // of the processor, those that engines use: "avx2", "amx_int8"
	MemoryFree int64     `json:"memory_free,omitempty"`
	Resident   int64     `json:"resident,omitempty"` // of this process
	Disk       int64     `json:"disk,omitempty"`     // the data directory's file system
	FileSystem string    `json:"file_system,omitempty"`
	Load       float64   `json:"load,omitempty"`   // mean number of runnable tasks in the last minute
	Uptime     int64     `json:"uptime,omitempty"` // of the machine, seconds
	Started    time.Time `json:"started,omitzero"` // of this process
	Health     string    `json:"health,omitempty"`
	Reasons    []string  `json:"reasons,omitempty"` // why it is not ready, for people
	Devices    []Device  `json:"devices,omitempty"`
	Packs      []string  `json:"packs,omitempty"` // runtime packs: "onnxruntime-cuda@1.31.1"
	Loaded     []Loaded  `json:"loaded,omitempty"`
	Others     int       `json:"others,omitempty"`  // endpoints that are not the fleet's
	Running    int       `json:"running,omitempty"` // jobs
	Waiting    int       `json:"waiting,omitempty"`
}

// Device is something models run on besides the processors.
type Device struct {
	Name   string `json:"name"`
	Wish   string `json:"wish"`             // how an endpoint asks for it: "cuda:0"
	Driver string `json:"driver,omitempty"` // its version
	Ready  bool   `json:"ready"`
	Lacks  string `json:"lacks,omitempty"`
}

// Loaded is a version behind an endpoint of the fleet.
type Loaded struct {
	Group    string `json:"group"`
	Endpoint string `json:"endpoint"`
	Model    string `json:"model"`
	Version  int    `json:"version"`
	Role     string `json:"role,omitempty"`
	Engine   string `json:"engine,omitempty"`
	Device   string `json:"device,omitempty"`
	Memory   int64  `json:"memory,omitempty"`
	InFlight int64  `json:"in_flight,omitempty"` // requests now
	Requests uint64 `json:"requests,omitempty"`  // since the process started
	Error    string `json:"error,omitempty"`
}

// maxListed bounds the lists of a Machine.
const maxListed = 500

func (m *Machine) check() error {
	if len(m.Features) > maxListed || len(m.Reasons) > maxListed || len(m.Devices) > maxListed || len(m.Packs) > maxListed || len(m.Loaded) > maxListed {
		return invalid("reported", "the machine's lists are too long")
	}
	return nil
}
