// Package simnet is a network in memory, for simulations of a fleet inside testing/synctest: real programs, virtual time, no sockets.
//
// # What it does
//
// Hosts have addresses; on them are packet sockets, listeners and connections with the types of package net. Between two hosts is a Link: delay,
// jitter, loss, duplication, rate. A packet is lost, doubled, late, or dropped where a socket's queue is full. A stream loses nothing: what the link
// loses comes one retransmission later (0.2 s; 1, 3, 7 s for a connection's first packet), in order. Over a partition and to a crashed host packets
// vanish, dials wait for their context, and streams stand still until it heals.
//
// # What is the same with each seed
//
// The fate of the n-th packet or piece of a stream from A to B depends on the seed, A, B and n alone, not on the order in which goroutines run. So two runs with one
// seed differ only where the programs themselves throw dice or race: memberlist does both.
//
// All waiting is on channels and timers, so that a bubble's time goes on. Only tests import this package.
package simnet
