// Package edgeward is the root of the product: the map of its rooms, the kinds an error can have, and the grammar of
// the names people type. It imports nothing of ours, and every other package may import it.
//
// # The map
//
// Imports point down only:
//
//	cmd/edgeward   main and one file per command
//	node           composition root; config, store, api, auth, audit, health, events, host, client, demo
//	fleet          several servers: spec, rollout, hub, agent, member, mqtt, broker
//	runtime        one server's models and data: models, datasets, engine, worker, serve, drift, loop, train, …
//	sync           bytes by digest: blobs, chunk, delta, tuf, registry, pull
//	.              this package
//
// node may also import ui (the embedded web page). runtime and sync are folders, never packages. The room test
// (go test .) holds these rules and says which line broke which one.
//
// # Time and identity
//
// Below node nobody reads the clock and nobody makes an identifier: both arrive as arguments. A measurement of elapsed
// time or a timer in a Run loop is marked "room:clock" with its reason on the same line.
package edgeward
