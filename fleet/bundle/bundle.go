// Package bundle is the file by which a fleet works where no wire goes: one file, .edgebundle, both ways. docs/fleet-bundle.md describes it
// for readers of other makes.
//
// # Format
//
// A zstd stream (RFC 8878; a window of at most 8 MiB, with checksum) of a POSIX tar archive. The first entry is index.json, an Index; it names every entry that
// follows, in their order, with their sizes. Names are made of a kind and an id:
//
//	trust/<file>       a file of the signed repository, by its name on the wire: trust/root/1, trust/timestamp
//	desired/<node>     the envelope of a node's document
//	word/<node>        an envelope of the hub: what it has of a node's events, and the node's new certificate
//	manifests/<hex>    a version's manifest
//	blobs/<hex>        a blob
//	receipt/<node>     what a node says: a SignedReceipt
//	join/<node>        what a server says that is to join and reaches no hub: a SignedJoin
//
// # What is promised
//
// A reader believes nothing of a bundle: what its entries say is believed for the signatures and digests in them, by the verifier of the wire. Names are
// parsed, never paths. A Reader refuses ("fleet.bundle") what is not as the index says, more entries or bytes than the bounds below, a window
// above 8 MiB, and after 256 MiB of entries that nobody reads what expands by more than a thousand.
package bundle

import (
	"archive/tar"
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"

	"edgeward"
)

// Ext is the end of a bundle's file name.
const Ext = ".edgebundle"

// Bounds.
const (
	MaxIndex   = 8 << 20
	MaxEntries = 50_000
	MaxBytes   = 256 << 30 // of all entries
	maxWindow  = 8 << 20
	freeSkip   = 256 << 20
	maxRatio   = 1000
)

// What a bundle is for.
const (
	Updates  = "updates"  // from the hub to nodes
	Receipts = "receipts" // from a node to the hub
	Joins    = "joins"    // from a new server to the hub: Index.Fleet is empty, it knows only the join code
)

// Format is the number of the format.
const Format = 1

// Index is the first entry.
type Index struct {
	Format  int       `json:"format"`
	Kind    string    `json:"kind"`
	Fleet   string    `json:"fleet"` // its id
	Name    string    `json:"name,omitempty"`
	Made    time.Time `json:"made"`
	Until   time.Time `json:"until,omitzero"` // no node takes it later
	Nodes   []string  `json:"nodes"`
	Entries []Entry   `json:"entries"`
}

// Entry is one file.
type Entry struct {
	Name string `json:"name"`
	Size int64  `json:"size"`
}

// Split returns kind and id of an entry's name.
func (e Entry) Split() (kind, id string) {
	kind, id, _ = strings.Cut(e.Name, "/")
	return kind, id
}

// Digest returns the digest that a manifest's or blob's entry names.
func (e Entry) Digest() (edgeward.Digest, error) {
	_, id := e.Split()
	return edgeward.ParseDigest("sha256:" + id)
}

func bad(format string, args ...any) *edgeward.Error {
	return edgeward.E("bundle", edgeward.Invalid, "fleet.bundle", format, args...).WithHint("copy the file again; if it stays so, make a new one")
}

func (i Index) check() error {
	switch {
	case i.Format > Format:
		return edgeward.E("bundle", edgeward.Conflict, "fleet.format", "the bundle has format %d, this edgeward reads %d", i.Format, Format).WithHint("update this server")
	case i.Format < 1 || i.Kind != Updates && i.Kind != Receipts && i.Kind != Joins || (i.Fleet == "") != (i.Kind == Joins):
		return bad("the index is not one")
	case len(i.Entries) > MaxEntries:
		return bad("%d entries, more than %d", len(i.Entries), MaxEntries)
	}
	var all int64
	for _, e := range i.Entries {
		kind, id := e.Split()
		if e.Size < 0 || e.Size > MaxBytes || id == "" || len(e.Name) > 200 {
			return bad("entry %.80q", e.Name)
		}
		switch kind {
		case "trust", "desired", "word", "receipt", "join":
		case "manifests", "blobs":
			if _, err := e.Digest(); err != nil {
				return bad("entry %.80q names no digest", e.Name)
			}
		default:
			return bad("entry %.80q is of no kind that is known", e.Name)
		}
		if all += e.Size; all > MaxBytes {
			return bad("more than %d GiB", MaxBytes>>30)
		}
	}
	return nil
}

// Writer writes one.
type Writer struct {
	z    *zstd.Encoder
	t    *tar.Writer
	left []Entry
	made time.Time
}

// NewWriter begins a bundle of the entries of i, which Add must bring in their order.
func NewWriter(w io.Writer, i Index) (*Writer, error) {
	i.Format = Format
	if err := i.check(); err != nil {
		return nil, err
	}
	z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(maxWindow), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, edgeward.Wrap("bundle.NewWriter", err)
	}
	b, err := json.Marshal(i)
	if err == nil && len(b) > MaxIndex {
		err = bad("the index has %d bytes", len(b))
	}
	x := &Writer{z: z, t: tar.NewWriter(z), left: i.Entries, made: i.Made}
	if err == nil {
		err = x.write(Entry{"index.json", int64(len(b))}, strings.NewReader(string(b)))
	}
	return x, err
}

// Add writes the next entry.
func (w *Writer) Add(name string, r io.Reader) error {
	if len(w.left) == 0 || w.left[0].Name != name {
		return edgeward.E("bundle.Add", edgeward.Internal, "", "%s is not the next entry", name)
	}
	e := w.left[0]
	w.left = w.left[1:]
	return w.write(e, r)
}

func (w *Writer) write(e Entry, r io.Reader) error {
	if err := w.t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: e.Name, Size: e.Size, Mode: 0o444, ModTime: w.made.UTC().Truncate(time.Second), Format: tar.FormatPAX}); err != nil {
		return edgeward.Wrap("bundle.Add", err)
	}
	if n, err := io.Copy(w.t, io.LimitReader(r, e.Size)); err != nil || n != e.Size {
		return edgeward.E("bundle.Add", edgeward.KindOf(err), "", "%s: %d of %d bytes: %w", e.Name, n, e.Size, err)
	}
	return nil
}

// Close ends the file.
func (w *Writer) Close() error {
	if len(w.left) > 0 {
		return edgeward.E("bundle.Close", edgeward.Internal, "", "%d entries are missing", len(w.left))
	}
	if err := w.t.Close(); err != nil {
		return edgeward.Wrap("bundle.Close", err)
	}
	return edgeward.Wrap("bundle.Close", w.z.Close())
}

// Reader reads one, front to back.
type Reader struct {
	index   Index
	in      *counter // the file
	z       *zstd.Decoder
	t       *tar.Reader
	left    []Entry
	open    *exact // the present entry
	again   []kept // what Again gave back
	skipped int64
}

// kept is an entry that was read and is to be read again.
type kept struct {
	Entry
	bytes []byte
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

// NewReader reads the index. Close releases what it took; it does not close r.
func NewReader(r io.Reader) (*Reader, error) {
	in := &counter{r: r}
	z, err := zstd.NewReader(bufio.NewReaderSize(in, 64<<10), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, edgeward.Wrap("bundle.NewReader", err)
	}
	x := &Reader{in: in, z: z, t: tar.NewReader(z)}
	if err := x.readIndex(); err != nil {
		z.Close()
		return nil, err
	}
	return x, nil
}

func (r *Reader) readIndex() error {
	h, err := r.t.Next()
	if err != nil {
		return broken(err)
	}
	if h.Name != "index.json" || h.Typeflag != tar.TypeReg || h.Size > MaxIndex {
		return bad("it does not begin with an index")
	}
	b, err := io.ReadAll(io.LimitReader(r.t, MaxIndex))
	if err != nil {
		return broken(err)
	}
	if err := json.Unmarshal(b, &r.index); err != nil {
		return bad("the index cannot be read: %v", err)
	}
	r.left = r.index.Entries
	return r.index.check()
}

// broken is err of reading as people are told it.
func broken(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return bad("the file ends too early")
	}
	if edgeward.CodeOf(err) != "" {
		return err
	}
	if errors.Is(err, zstd.ErrMagicMismatch) {
		return bad("this file is no bundle of edgeward")
	}
	return bad("the file cannot be read: %v", err)
}

// Index is the first entry.
func (r *Reader) Index() Index { return r.index }

// Next returns the next entry and its bytes, which end with io.EOF when they are all there; after the last one io.EOF.
func (r *Reader) Next() (Entry, io.Reader, error) {
	if len(r.again) > 0 {
		k := r.again[0]
		r.again = r.again[1:]
		return k.Entry, bytes.NewReader(k.bytes), nil
	}
	if err := r.skip(); err != nil {
		return Entry{}, nil, err
	}
	if len(r.left) == 0 {
		if _, err := r.t.Next(); err != io.EOF {
			if err == nil {
				err = bad("there is more than the index names")
			}
			return Entry{}, nil, broken(err)
		}
		return Entry{}, nil, r.end()
	}
	h, err := r.t.Next()
	if err != nil {
		return Entry{}, nil, broken(err)
	}
	e := r.left[0]
	if h.Name != e.Name || h.Size != e.Size || h.Typeflag != tar.TypeReg {
		return e, nil, bad("entry %.80q is not the one the index names", h.Name)
	}
	r.left, r.open = r.left[1:], &exact{counter{r: r.t}, e.Size}
	return e, r.open, nil
}

// Again has Next return an entry another time, after those that were given back before it and before what is left.
func (r *Reader) Again(e Entry, b []byte) { r.again = append(r.again, kept{e, b}) }

// Ahead is the kind of the entry that Next would read from the file; "" after the last one.
func (r *Reader) Ahead() string {
	if len(r.left) == 0 {
		return ""
	}
	kind, _ := r.left[0].Split()
	return kind
}

// exact says with a good word what is wrong with the bytes of an entry.
type exact struct {
	counter
	size int64
}

func (x *exact) Read(b []byte) (int, error) {
	n, err := x.counter.Read(b)
	if err == io.EOF && x.n == x.size {
		return n, io.EOF
	}
	if err != nil {
		return n, broken(err)
	}
	return n, nil
}

// skip passes over what was not read of the present entry.
func (r *Reader) skip() error {
	if r.open == nil || r.open.n == r.open.size {
		return nil
	}
	buf := make([]byte, 256<<10)
	for r.open.n < r.open.size {
		n, err := r.open.Read(buf)
		if r.skipped += int64(n); r.skipped > freeSkip && r.skipped/maxRatio > r.in.n {
			return bad("it expands by more than %d", maxRatio)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end reads the rest of the stream, so that its checksum counts: padding of the archive, a little.
func (r *Reader) end() error {
	n, err := io.Copy(io.Discard, io.LimitReader(r.z, 1<<20))
	if err != nil {
		return broken(err)
	}
	if n == 1<<20 {
		return bad("there is more than the index names")
	}
	return io.EOF
}

// Close releases memory.
func (r *Reader) Close() { r.z.Close() }
