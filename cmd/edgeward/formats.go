package main

import (
	"edgeward/fleet/spec"
	"edgeward/node/store"
	"edgeward/runtime/models"
	"edgeward/runtime/segment"
	"edgeward/runtime/worker"
)

// formats lists the numbers of what this build writes and speaks; it reads each number and the one before.
var formats = []format{
	{"store", store.Format},
	{"segment", segment.Format},
	{"manifest", models.ManifestFormat},
	{"worker", worker.Protocol},
	{"fleet_spec", spec.Format},
	{"store_readable", store.Readable}, // the lowest store format of an edgeward that reads what this one writes
}

type format struct {
	Name   string `json:"name"`
	Number int    `json:"number"`
}
