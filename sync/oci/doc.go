// Package oci writes what other people's tools take as an OCI image or artifact: an image layout, as a folder or as one
// tar file. It is the only user of the specification's own types (github.com/opencontainers/image-spec).
//
// # Files of a layout
//
//	oci-layout             {"imageLayoutVersion":"1.0.0"}
//	index.json             one manifest, with its tag
//	blobs/sha256/<hex>     manifest, config, layers or files, by digest
//
// # Guarantees
//
// The same input gives the same bytes, whenever and by whomever it is written: entries are sorted by name, have the time
// 0 (1970-01-01) and numeric owners without names, and compression takes no time, name or thread into account. Nothing is
// fetched and nothing is executed.
//
// Extract takes nothing but the names above out of an archive, bounds their number and size, and holds every blob against
// its digest. A folder it could not fill is left empty.
//
// # What a caller may not assume
//
// Write functions leave a partly written folder behind when they fail: write to a scratch folder. Compressed bytes are
// those of this build's gzip: another release of the product may give another digest for the same files.
package oci
