// Package client is the Go client of an edgeward server's API, for the command line, the demonstration and tests.
//
// A Client reaches a server by URL and token or by the data directory's unix socket. Every method is one request; errors
// come back as *edgeward.Error with the server's kind, code and hint, so a caller may compare kinds as if there were no
// network. It follows no redirects and sends its token to nobody else. A request that is safe to repeat (GET, and writes
// with an idempotency key) is repeated a few times while the server is unavailable.
package client
