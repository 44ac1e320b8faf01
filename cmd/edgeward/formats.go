package main

// formats lists the numbers of what this build writes and speaks; it reads each number and the one before.
var formats = []format{
	{"store", 1},
	{"segment", 1},
	{"manifest", 1},
	{"worker", 1},
	{"fleet_spec", 1},
}

type format struct {
	Name   string `json:"name"`
	Number int    `json:"number"`
}
