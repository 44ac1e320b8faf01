package wire

import "edgeward/runtime/serve"

// BenchRequest says how a version is measured: each number of rows by each number of clients, for so long.
type BenchRequest struct {
	Rows    []int   `json:"rows,omitempty" maxItems:"8"`    // of a call, 1 to 1024; default 1 and 16. A model with a fixed number is asked with that only
	Clients []int   `json:"clients,omitempty" maxItems:"4"` // that call at the same time, 1 to 64; default 1 and 4
	Seconds float64 `json:"seconds,omitempty"`              // for each of both, 0.1 to 5; default 1. All together at most 30
}

// Bench is what a version does by itself on this server: through a worker, without queue, protocol or record.
type Bench struct {
	Model   string        `json:"model"`
	Version int           `json:"version"`
	Engine  string        `json:"engine"`
	Device  string        `json:"device"`
	Threads int           `json:"threads"`                // that one call takes
	Bytes   int64         `json:"memory_bytes,omitempty"` // that it takes when it is loaded, as measured
	LoadMS  float64       `json:"load_ms"`                // with proving, where it was not proved before
	Points  []BenchPoint  `json:"points"`
	Choice  *serve.Choice `json:"choice,omitempty"` // what else was tried, and why it was not taken
}

// BenchPoint is one number of rows by one number of clients. Times are those of a call.
type BenchPoint struct {
	Rows    int     `json:"rows"`
	Clients int     `json:"clients"`
	Calls   int     `json:"calls"`
	PerS    float64 `json:"calls_per_s"`
	RowsS   float64 `json:"rows_per_s"`
	P50US   float64 `json:"p50_us"`
	P95US   float64 `json:"p95_us"`
	P99US   float64 `json:"p99_us"`
}
