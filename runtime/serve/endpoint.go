package serve

import (
	"time"

	"edgeward"
	"edgeward/runtime/device"
	"edgeward/runtime/record"
)

// Key names an endpoint: names are unique within a group.
type Key struct {
	Group string `json:"group"`
	Name  string `json:"name"`
}

// String returns "group/name", for logs.
func (k Key) String() string { return k.Group + "/" + k.Name }

// Kind says what an endpoint's requests look like.
type Kind string

// The kinds of endpoint.
const (
	Forecast Kind = "forecast" // rows of features of a series; answers speak of a target time
	Table    Kind = "table"    // rows of features
	Raw      Kind = "raw"      // whatever the model's signature says
)

// Defaults and bounds of an endpoint.
const (
	DefaultInFlight = 256
	MaxInFlight     = 65536
	MaxDescription  = 4096
)

// Endpoint is the stable name clients call. Group, Name, Kind and Model never change.
type Endpoint struct {
	Group       string        `json:"group"`
	Name        string        `json:"name"`
	Kind        Kind          `json:"kind"`
	Model       string        `json:"model"` // whose versions may stand behind it
	Demo        bool          `json:"demo,omitempty"`
	Created     time.Time     `json:"created"`
	CreatedBy   string        `json:"created_by"`
	Title       string        `json:"title,omitempty"` // for people: "Emergency attendances"
	Description string        `json:"description,omitempty"`
	Record      record.Policy `json:"record,omitempty"`        // what of the inputs is kept; empty means none
	RecordRate  int           `json:"record_rate,omitempty"`   // predictions recorded a second at most; 0 means DefaultRecordRate. Those that bring their own event time are all recorded
	MaxInFlight int           `json:"max_in_flight,omitempty"` // requests at once; 0 means DefaultInFlight
	MaxBatch    int           `json:"max_batch,omitempty"`     // rows of several requests that one run answers at most; 1: each runs alone, 0: as many as the version proved
	Cache       int           `json:"cache,omitempty"`         // answers of each version that are kept for equal requests; 0: none
	NotFinite   bool          `json:"not_finite,omitempty"`    // NaN and infinity reach the model; else only NaN does, where it means a missing value
	ShadowWait  bool          `json:"shadow_wait,omitempty"`   // a full shadow queue makes callers wait instead of dropping

	Rate          Limit         `json:"rate,omitzero"`           // of all callers together
	PrincipalRate Limit         `json:"principal_rate,omitzero"` // of each caller
	Versions      VersionPolicy `json:"versions,omitempty"`      // what is loaded to be asked for by number

	Worker      Worker `json:"worker,omitempty"`        // whom its versions share a process with
	Pinned      bool   `json:"pinned,omitempty"`        // never taken out of memory to make room for others
	IdleUnloadS int    `json:"idle_unload_s,omitempty"` // seconds without a request after which its versions leave the memory; 0: never

	Device         device.Wish `json:"device,omitempty"`          // what its versions run on; "" is auto: what proves best
	DeviceRequired bool        `json:"device_required,omitempty"` // a version that cannot run there is not loaded, instead of running on the CPU
}

// Worker says whom an endpoint's versions share a process with: "" and SharedWorker mean with all versions that are trusted,
// OwnWorker with nobody. A canary, a shadow and a variant never share.
type Worker string

// The kinds of worker.
const (
	SharedWorker Worker = "shared"
	OwnWorker    Worker = "own"
)

// MaxIdleUnloadS is a year.
const MaxIdleUnloadS = 366 * 24 * 3600

// terms are how a version is to be held in a role; those of a version without a role are not looked at.
func (e Endpoint) terms(r record.Role) Terms {
	return Terms{Endpoint: e.Key(), Alone: e.Worker == OwnWorker || r == record.Canary || r == record.Shadow || r == record.Variant,
		Pinned: e.Pinned, IdleUnload: time.Duration(e.IdleUnloadS) * time.Second, Device: e.Device, DeviceRequired: e.DeviceRequired}
}

// recordRate is RecordRate with its default.
func (e Endpoint) recordRate() int {
	if e.RecordRate == 0 {
		return DefaultRecordRate
	}
	return e.RecordRate
}

// Key returns the endpoint's key.
func (e Endpoint) Key() Key { return Key{e.Group, e.Name} }

// Check reports why e is no endpoint.
func (e Endpoint) Check() error {
	if err := edgeward.CheckName("endpoint", e.Name); err != nil {
		return err
	}
	if err := edgeward.CheckName("model", e.Model); err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return edgeward.E("serve.Endpoint", edgeward.Invalid, "endpoint.invalid", format, args...)
	}
	switch e.Kind {
	case Forecast, Table, Raw:
	default:
		return bad("kind %.40q is not forecast, table or raw", e.Kind)
	}
	switch e.Record {
	case "", record.None, record.Features, record.Full:
	default:
		return bad("record policy %.40q is not none, features or full", e.Record)
	}
	if e.Group == "" {
		return bad("an endpoint belongs to a group")
	}
	if e.RecordRate < 0 || e.RecordRate > maxRecordRate {
		return bad("record_rate %d is not between 0 and %d", e.RecordRate, maxRecordRate)
	}
	if e.MaxInFlight < 0 || e.MaxInFlight > MaxInFlight {
		return bad("max_in_flight %d is not between 0 and %d", e.MaxInFlight, MaxInFlight)
	}
	if e.Cache < 0 || e.Cache > MaxCache {
		return bad("cache %d is not between 0 and %d answers", e.Cache, MaxCache)
	}
	if e.MaxBatch < 0 || e.MaxBatch > MaxBatch {
		return bad("max_batch %d is not between 0 and %d", e.MaxBatch, MaxBatch)
	}
	for _, l := range []Limit{e.Rate, e.PrincipalRate} {
		if err := l.Check(); err != nil {
			return err
		}
	}
	if err := e.Versions.Check(); err != nil {
		return err
	}
	switch e.Worker {
	case "", SharedWorker, OwnWorker:
	default:
		return bad("worker %.40q is not shared or own", e.Worker)
	}
	if e.IdleUnloadS < 0 || e.IdleUnloadS > MaxIdleUnloadS {
		return bad("idle_unload_s %d is not between 0 and %d", e.IdleUnloadS, MaxIdleUnloadS)
	}
	want, err := e.Device.Parse()
	if err != nil {
		return err
	}
	if e.DeviceRequired && want.Target == device.Auto {
		return bad("device_required needs a device that is wanted: auto is any")
	}
	if len(e.Description) > MaxDescription {
		return bad("description is longer than %d bytes", MaxDescription)
	}
	return nil
}

// batch is the most rows of a run that joins requests to a version that proved that proved rows can be joined, 0 if it
// proved nothing.
func (e Endpoint) batch(proved int) int32 {
	if e.MaxBatch > 0 {
		proved = min(proved, e.MaxBatch)
	}
	return int32(max(1, proved))
}
