// Package pki is the fleet's own small certificate authority, the rules of its certificates, and the TLS configurations of
// both sides.
//
// # Certificates
//
//	CA     P-256, 10 years, signs nothing but leaves and its successor; its key is the hub's. Its digest is in every join code
//	hub    P-256, 90 days, URI edgeward://<fleet>/hub, and the hub's names and addresses; made anew in memory at each start
//	node   P-256, 90 days, common name <node>, URI edgeward://<fleet>/node/<node>; for both ends of a connection, never for a hub's
//
// The URI says who somebody is; names and addresses are only there for curl and browsers. So a hub may move to another name, and a node can never pass for
// the hub. Of a signing request only the public key is taken; the hub says whose it is. No leaf outlives its CA. TLS 1.3 only, no session tickets.
//
// # Renewal and grace
//
// A node asks for a new certificate, for a new key, from one third of its life on (ShouldRenew). The hub goes on taking the one before until the new one
// was used: the answer may be lost. An expired certificate is taken for 180 days more (Grace) from a node the hub knows: admit is asked about every
// connection, Peer.Expired says which kind it is. After that only a new join code helps. So a fleet may be without its hub for half a year.
//
// # Another CA
//
// A CA lives ten years, and its key may be stolen. The fleet's charter, which persons sign by the root keys (sync/tuf), names the CAs that count. While it names two, both
// do. The one before signs the next one (Cross): a server that trusts only the CA of its join code, because it was away, is led from that to what the next one signs, hears
// the charter, and trusts what that says. So nothing has to wait for who is away. When the charter names the old one no more, what that signed counts at the hub alone, and there
// only a certificate that the hub itself knows to have issued (Peer.Former): a stolen key of the old CA opens nothing, and who was away still gets a new certificate.
//
// # Wrong clocks
//
// A server's clock may stand at 1970 after a power cut, or at 2099. Clock gives the time to judge by: the real-time clock,
// set right by what the hub said in a live session, and without the hub never before the latest time that a signature carried. A node judges the hub's certificate by
// signature and URI, never by time: the hub's key lies beside the CA's, so expiry would protect from nobody, and a node with a wrong clock could not
// even ask for the time. The hub judges nodes by its own clock.
//
// # Join codes
//
// A code's secret is 256 random bits. The hub keeps its SHA-256: nobody finds 256 random bits by trying, so a slow password hash would protect from
// nothing and cost the hub at every wrong try. Comparison takes the same time for every wrong secret.
package pki
