// Package packs keeps runtime packs: builds of a native engine that the program does not carry itself, such as ONNX Runtime
// for CUDA. An admin makes one on a connected machine (Make), carries the file over and adds it (Store.Add).
//
// # The file
//
// A tar archive that ordinary tools read: first "pack.json", the Index; then each of its files as NAME.zst (zstd), in the
// index's order; nothing else. A pack's identity is its name with its version, its digest the sha256 of the whole file.
// The same wheels give the same bytes on every machine.
//
// # Trust
//
// A pack is native code that will answer for patients. There is no list of makers to trust: whoever adds one names its
// digest, and another file is refused. The recipes in this program pin every wheel by sha256, so that whoever makes a pack
// from the same recipe elsewhere gets the same digest and can say so by telephone. Adding is an admin's deed and leaves an
// event with the digest. Every byte is hashed again before a worker opens it.
//
// # Guarantees
//
//   - Bytes from outside are bounded before they are read: Max constants. A name in the archive is only compared with the
//     index, whose names are file names without a separator; it is never a path.
//   - Nothing is visible before all of it is on disk, whole and synced: it is laid in a folder of its own and renamed. A
//     crash leaves a folder that Open removes. What was interrupted begins again; a pack that is there already is an answer.
//   - A full disk, found before or at any step, leaves nothing, and whoever admits a pack is asked after the last step that takes
//     room. Removing one takes none.
//   - Nothing is executed here; libraries are opened in workers only.
//
// # Errors
//
// Invalid "runtime.pack" (not a pack, damaged, cut off), "runtime.format", "runtime.platform", "runtime.too_old",
// "runtime.digest"; TooLarge "runtime.too_large"; Exhausted "runtime.disk_full"; Conflict "runtime.exists",
// "runtime.in_use"; NotFound "runtime.not_found"; Internal "runtime.damaged".
package packs
