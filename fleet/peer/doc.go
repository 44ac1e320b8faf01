// Package peer is the wire between the servers of one site: who may call whom, and how they hand each other bytes.
//
// # The site port
//
// One port for packets and streams, closed until the admin opens it (gossip.address). A stream is TLS 1.3 with the fleet's certificates on both ends; what it is
// for, its ALPN says: gossip (fleet/member), or bytes (HTTP/1.1). Packets are member's alone.
//
// # Who may call
//
// A server of the fleet that stands on the site's roster, in the document that the hub signed, with a certificate that the roster names, or one
// that was issued after the document: a renewed one. So who was revoked is shut out as soon as the next document is here, and an old certificate of a node
// that has a newer one is no use to who finds it.
package peer
