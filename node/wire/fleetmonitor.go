package wire

import (
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
)

// FleetMonitor is a model's work on all nodes of the fleet, by endpoint and version, the newest version first.
type FleetMonitor struct {
	Group string            `json:"group"`
	Model string            `json:"model"`
	Days  int               `json:"days"`
	Items []FleetMonitorRow `json:"items"`
	Names map[string]string `json:"nodes"` // id to name
}

// FleetMonitorRow is one version behind one endpoint.
type FleetMonitorRow struct {
	Endpoint string `json:"endpoint"`
	summary.Merged
}

// FleetMatrix is which node runs what: a row a node, a cell an endpoint.
type FleetMatrix struct {
	Endpoints []spec.Key        `json:"endpoints"`
	Rows      []FleetMatrixNode `json:"rows"`
}

// FleetMatrixNode is one node's row.
type FleetMatrixNode struct {
	ID       string            `json:"id"`
	Name     string            `json:"name"`
	Site     string            `json:"site"`
	Tags     map[string]string `json:"tags,omitempty"`
	Online   bool              `json:"online"`
	Standing string            `json:"standing"`
	Seen     time.Time         `json:"seen,omitzero"`
	Software string            `json:"software"`
	Program  FleetMatrixCell   `json:"program"` // edgeward itself; Live and Want are its versions
	Cells    []FleetMatrixCell `json:"cells"`   // in the order of Endpoints
}

// FleetMatrixCell is an endpoint on a node. Nothing is wanted and nothing runs where State is "none".
type FleetMatrixCell struct {
	State  string     `json:"state"` // "none", "same" (what is wanted answers), "moving", "other" (another version answers), "failed" (reverted or refused), "local" (the node promoted a version of its own)
	Live   string     `json:"live,omitempty"`
	Want   string     `json:"want,omitempty"` // "triage/3", where it is another
	Phase  spec.Phase `json:"phase,omitempty"`
	Code   string     `json:"code,omitempty"`
	Reason string     `json:"reason,omitempty"`

	Digest edgeward.Digest `json:"digest,omitempty"` // of the program that runs, where the fleet wants one
}
