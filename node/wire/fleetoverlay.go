package wire

import (
	"edgeward/fleet/hub"
	"edgeward/fleet/overlay"
)

// OverlayView is a document that says how part of the fleet is to run.
type OverlayView = hub.Overlay

// ApplyRequest brings documents; all are taken or none.
type ApplyRequest struct {
	Documents []overlay.Document `json:"documents,omitempty" maxItems:"2000"`
	YAML      string             `json:"yaml,omitempty" maxLength:"1048576" doc:"more documents, as edgeward apply reads them"`
	Reason    string             `json:"reason,omitempty" maxLength:"2000"`
	Dry       bool               `json:"dry_run,omitempty" doc:"say what would change, and change nothing"`
}

// Applied says what changed, or would.
type Applied = hub.Applied

// FleetGap is an endpoint of a node that is not as it is wanted.
type FleetGap = hub.Gap
