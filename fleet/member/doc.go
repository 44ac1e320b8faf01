// Package member finds out which servers of a site are there, by gossip (memberlist, whose only room this is). One Pool is one server's part in
// the one pool of its site.
//
// # Parties
//
// The roster names who belongs to the site: node ids and addresses, out of the document the hub signed. Names that are not on it are dropped, from
// packets and from exchanged state alike. Packets are AES-256-GCM with the site's key ring, its site's id as associated data; the first key encrypts, all of
// them decrypt. Streams run over what Options.Dial and Options.Streams give, which must be TLS both ways, with the certificates of the fleet.
//
// # Hints only
//
// Every member holds the same key, so every member can forge what another one says. What this package tells is a hint: for the page, for whom to ask
// first. Nothing that must be right may depend on it. "dead" alone is proved: gossip says so, and then this server itself could not make a
// TLS connection to the node within 0.6 s, in two attempts. Until then, and where the connection works while gossip does not (UDP is blocked), the
// node is "suspect".
//
// # States
//
//	unseen    on the roster, and not heard of since this server started
//	alive     takes part
//	suspect   gossip gave it up, a connection to it works or was not tried yet
//	dead      gossip gave it up and a connection failed
//	left      said good-bye: it was stopped. Who missed that shows it dead
//
// # Rejoining
//
// memberlist forgets a node that was away for 30 s, and never finds it again by itself. So a Pool asks: at the start at once and after 2, 5, 15 and
// 45 s, and for as long as somebody on the roster is not alive two of those every 10 to 20 s. A partition of any length heals that way within 30 s of contact.
//
// # What goes around
//
// Meta, at most MaxMeta bytes that change seldom: the revision a node acts on, the fleet's latest signature it has seen, its program's version, whether it
// reaches the hub. No load, no measurements, nothing about models or patients.
//
// A dead node of a site of 50 is known to all within 5 s, all but one time in a hundred or so; the figures for 20 to 500 nodes, with and without loss, stand in docs/benchmarks.md.
package member
