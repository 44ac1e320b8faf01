// Package score is scoring without a caller: what is to be scored, when, and where the answers go.
//
// # Parties
//
// A Scoring names an endpoint, a Source of rows and the Sinks of what was said. A person writes it; its rows come from a
// data set version, an uploaded file, or one by one from an MQTT topic. A scoring of rows at rest has runs: one job each,
// by hand or by its Schedule. A run makes one file, the input columns and beside them what was predicted, and a Delivery
// of it to each sink. node/work runs, node/scorer looks at the clock and delivers, node/store keeps.
//
// # Guarantees
//
//   - A row has the same prediction id however often a crash makes its run start again (PredictionID), so the prediction
//     log holds it once; and the file of a run holds each row of its source exactly once, in the order of the source.
//   - A slot of a schedule gives one run at most. Slots that passed while the server was down or the run before was still
//     going are one run together, as soon as it may be. Slots that passed while the scoring was paused are none.
//   - A delivery is at least once and keeps its id over all attempts: a receiver that remembers ids has each once. Next says
//     when the next attempt is; after MaxAttempts it has failed and waits for a person.
//   - Nothing here names an address: sinks name what the administrator configured (node/config), and topics lie below
//     edgeward/v1 or a prefix the administrator allowed.
//
// # What a caller may not assume
//
// That two runs are answered by the same version: each row is answered by whoever the endpoint routes it to, and the file
// names that version. That a slot is kept to the second.
package score
