// Package image is an endpoint outside its server: a Bundle, which is the endpoint's facts with the version that answers,
// and the OCI image that runs one.
//
// # What an image holds
//
// It has no base; four layers hold all that it needs, one more for each engine beyond the first that a graph's parts are answered by, from the one that changes least:
//
//	this machine's dynamic loader, glibc and GCC runtime where they lie here, their licence texts, users, /tmp
//	/usr/bin/edgeward                      the very file that runs now
//	/data/native/…                         the unpacked libraries of the engine that answers, or of those that answer a graph's parts
//	/usr/share/edgeward/endpoint/…         the Bundle
//	/usr/share/doc/edgeward/sbom.cdx.json  all of it by name, version, licence and sha256
//
// It starts "edgeward serve --endpoint /usr/share/edgeward/endpoint" as user 65532 with the data directory /data. The first
// start puts the bundle into the empty store; a later one finds it there. The first administrator's token comes from the
// environment as everywhere (EDGEWARD_BOOTSTRAP_TOKEN); an image holds no secret.
//
// # Guarantees
//
// The same endpoint, exported twice by the same program on the same machine, gives the same bytes. The image answers on
// the engines that answered here, with the same libraries, and with the number of the version here: its answers are the
// same bytes but for the id that every prediction gets. An image is made only where every library has its licence text.
//
// # What a caller may not assume
//
// That canaries, shadows, variants, records, feedback, monitors or people go along: only the live version does. That
// another kind of processor computes the same last digit; or that an older kernel runs this machine's glibc.
package image
