// Package vault holds the keys that data at rest is encrypted with, and encrypts files with them. It knows nothing of
// what is in the files.
//
// # Keys
//
//	master key  32 random bytes in a key file, which an administrator may keep on another disk, or hand over at each
//	            start. It wraps data keys and encrypts nothing else.
//	data key    32 random bytes with an ID, wrapped, in the ring. New files are made with the newest one.
//	file key    of one file: HKDF-SHA256 of a data key, with 32 random bytes that stand in the file (its Head) as salt and
//	            what the file is as info. So no two files share a key, and a file under another's name is not readable.
//
// All encryption is AES-256-GCM of the standard library.
//
// # Key file
//
// Text: a line of 44 characters (base64 of 32 bytes) for each master key; empty lines, and those that begin with "#", say
// nothing. The first line is the master key. Further lines are older ones: a ring that was wrapped by one of them is
// opened, and wrapped by the first from then on. Others of the machine's users must not be able to read the file: a file
// with such rights is refused.
//
// # Ring
//
// The ring is a small JSON file, which is replaced whole: the ID of the master key that wraps it, and for each data key its
// ID, when it was made, and the key, wrapped (12 bytes nonce, 48 bytes AES-256-GCM; ID and time are authenticated too).
// It is nothing without the master key, and without it nothing is readable: it is copied with the files it belongs to.
//
// Open never makes a ring, and MakeMaster never a key file, where one is. A missing, wrong or damaged one is an error, for
// the caller to say and a person to mend, and no bytes change.
//
// # Encrypted files
//
// What NewWriter writes and NewReader reads, at any place of it: a head of 60 bytes, then chunks of 16 KiB, each
// encrypted with 16 bytes more.
//
//	magic "EDGWVLT" 0 | format uint32 | bytes of a chunk uint32 | Head | CRC-32C of these uint32
//
// The nonce of a chunk is its number and whether it is the last, so that one that was changed, moved, left out or cut
// off is found when it is read, and the end of the file when it is opened.
//
// # Turning keys
//
// Add makes a new data key and wraps the ring anew. Keep forgets data keys that no file needs any more: with that, whatever
// a disk still has of removed files can be read by nobody.
package vault
