// Package tuf is who may say that a model exists in a fleet, and how a node checks it. It keeps a TUF repository (The Update
// Framework, specification 1.0.31) by github.com/theupdateframework/go-tuf/v2 and signs documents as DSSE envelopes.
//
// # Parties and keys
//
// Every key is Ed25519. A Charter says who holds which:
//
//	root       persons, offline, threshold n of m: say which keys hold every other role
//	targets    persons, offline, mostly those of root: say who may sign models, and which key is the director's
//	models     two or more persons, threshold 2: this version may exist. With threshold 1 there are no four eyes; the
//	           Charter says so (FourEyes) and everything that shows it must
//	revoked    any one person of models: this version, or binary, must not be installed any more
//	release    two or more persons, as models: this binary of edgeward may run. A fleet that names none has no such role
//	hub        online: snapshot and timestamp (what is the latest), and director (which node should run what)
//
// Private keys of persons never reach the hub. Two signatures of one key count once, and one key stands for one name.
//
// # Files
//
// A Set is the repository as it stands, on the hub, on a node and with a signer alike. File names, as the hub serves them:
//
//	root/<n>      every one since 1, each signed by the threshold of the one before and by its own
//	timestamp     digest and version of the snapshot; hub; 7 days
//	snapshot/<n>  version, length and digest of each file below; hub; 30 days
//	targets/<n>   lists no targets; delegates models/*/*/* to "models", revoked/* to "revoked", release/*/*/* to "release" if there is one, director/* to "director"
//	models/<n>    models/<group>/<model>/<hex digest>: length and SHA-256 of the version's manifest, {"epoch":1,"version":3}
//	revoked/<n>   revoked/<hex digest>, {"reason":"…"}
//	release/<n>   release/<os>/<arch>/<hex digest of the binary>, {"version":"0.2.0","store":1,"reads":1,"libc":"2.34"}
//
// Expiry of root, targets, models, revoked and release is 365 days. An independent TUF client reads the same bytes under the names of the specification
// (1.root.json and so on); the tests let one do it. Nobody publishes metadata for "director": its keys verify envelopes.
//
// # How a change is made
//
// A Proposal holds the next version of one or more files. Begin and Amend make one for the charter, Propose for models, ProposeRelease for binaries,
// Revoke for revocations, Renew to lengthen a life. Its signed bytes never change; ID names them. A person's client calls
// Review, which verifies what the hub calls published from the person's own pin, and returns exactly what would change: a payload with
// anything else in it than the grammar above is refused, not shown. Then Sign; the hub calls Add, and at the threshold Publish, which
// makes the new snapshot and timestamp and verifies the outcome as a node would before it returns it. A proposal is made for the
// published versions: once they move on it is refused (fleet.proposal_outdated). The hub keeps at most one open.
//
// A signature cannot be taken back: who holds the hub's key can publish a proposal that enough persons signed and then dropped. Revoke what it adds.
//
// # What a node may rely on
//
// A Verifier starts from a root whose digest it was given (the join code's) and believes only what follows from it:
//
//   - A stolen hub key can hide news for as long as nothing expires, and choose among versions that are signed and not revoked. It can add none.
//   - No version of any file goes back. What is believed is durable (Store) before Refresh returns, so a power cut forgets nothing that was acted on.
//   - If a new root changes the hub's key, timestamp and snapshot of the old key are forgotten: that is how a fleet recovers from a stolen hub key
//     that signed the highest possible version (specification 5.3.11).
//   - All files are of one snapshot: a snapshot is believed with everything it lists or not at all, and then the one before stands until it expires.
//     Before the first, and after a new root until the first of a new hub key, there is no answer (fleet.incomplete).
//   - What has expired blocks what is new (fleet.stale). It stops nothing that runs; that is the caller's to keep.
//   - The floor of a model's epoch is the highest epoch in the models file. Raising it takes two persons, and so does lowering it: a file without the
//     higher one, which Review shows as a removal.
//   - A revocation is for good: a revoked file that leaves one out is refused while the persons who signed the one before still hold their keys.
//     It is as fresh as the snapshot: a node hears of it with its next refresh, and one that hears nothing for 7 days installs nothing new.
//   - Sizes are bounded before anything is read (MaxRoot and so on); no bytes make this package panic, whoever signed them.
//
// Time is an argument. A clock that is behind makes expired files look fresh: pass what fleet/pki's Clock says.
package tuf
