// Package threats holds the attacks a fleet must stand, as tests of the whole: a real hub with its store and its certificates, real agents with
// theirs, real verifiers, over real TLS on the loopback. Between hub and agents stands whoever the attack needs: somebody with the hub's stolen keys
// (he answers in the hub's place, or lets it answer), another hub, a second machine with a copied disk, a server that was stolen.
//
// The table in table_test.go lists all attacks by number and name. Each has a test here, or tests elsewhere that prove it; the harness checks that every test
// that is named exists, and that docs/threats.md says the same.
//
// What an agent does to the node's endpoints is noted by a stand-in (machine): which version answers, what was registered. Tests with real engines are in
// node/systemtest.
package threats
