// Package systemtest holds the tests of the whole product: real nodes in process or the real program, with real worker
// processes, engines, broker and data, spoken to only from outside, by node/client and the foreign protocols. A rule of
// one package is tested there; here is what only shows when all of it runs: the demonstration, kill -9 at any moment,
// a user's own data, bad input, backup, tenancy, roles.
//
// What a test needs of the machine (native libraries, Mosquitto, tritonclient, a small file system) it says through
// packaging/needtest. The program is built once, by the first test that wants it.
package systemtest
