package wire

import "edgeward/fleet/inquiry"

// InquiryRequest asks something of a node.
type InquiryRequest struct {
	What   inquiry.What `json:"what"`            // "logs" or "bundle"
	Lines  int          `json:"lines,omitempty"` // of logs; 0: 500
	Reason string       `json:"reason"`
}

// SealRequest carries the passphrase of a file. It is never kept nor logged.
type SealRequest struct {
	Passphrase string `json:"passphrase"`
}

// HubsRequest names addresses of a hub, in the order to try.
type HubsRequest struct {
	Hubs   []string `json:"hubs"`
	Reason string   `json:"reason,omitempty"`
}

// ReleaseRequest lets the hub's state count on held nodes.
type ReleaseRequest struct {
	Node   string `json:"node,omitempty"` // id; none: all
	Reason string `json:"reason"`
}

// Released says how many nodes were.
type Released struct {
	Nodes int `json:"nodes"`
}
