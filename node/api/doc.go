// Package api is the HTTP face of a server: /api/v1 (code-first by huma, OpenAPI 3.1), the Open Inference Protocol under
// /v2 (package oip), /metrics and the embedded web page. It is the only user of echo and huma.
//
// # A handler
//
// Every handler decodes, makes one call and encodes. One place (problem.go) turns error kinds into statuses and RFC 9457
// problems; the text of an internal error never leaves the server, its request id does. Every route is declared with the
// verb and the resource it needs (route.go); a route without them does not build (TestEveryRouteIsDeclared), and the
// guard has checked both before the handler runs. What a handler reads of the principal is its current group: objects of
// other groups answer exactly as absent ones.
//
// # What a change was decided on
//
// A route that changes an object with an entity tag names the object, and its If-Match is held against the object's stored
// state before the body is read and again in the transaction that changes it (match.go): 412 when it is another, 428 where
// PUT, PATCH or DELETE say nothing. Every other route that is no GET says why it has none, or does not build.
//
// # What goes out compressed
//
// The page's files and JSON answers of a GET below /api/v1, as gzip, to a client that takes it (gzip.go). Each form has
// its own entity tag. Streams, /v2, /metrics and answers to other methods never.
//
// # What is refused before a handler
//
// A Host header that is not one of ours (DNS rebinding), a state-changing request of a browser from another origin
// (cookie sessions only), a body over the route's bound, a compressed body. The address of the caller is the socket's:
// forwarding headers are believed only from proxies the admin named.
package api

//go:generate go test -run TestOpenAPIIsAsCommitted . -update
