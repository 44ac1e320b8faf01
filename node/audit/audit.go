// Package audit reads the log of events for those who must answer for it: list, verify, export, verify an export.
//
// It writes nothing; node/store appends each event in the transaction of the fact it reports, and node/events says how
// events are chained.
//
// # What verification finds
//
// Verify reads the whole log and recomputes the chain and the RFC 6962 tree. It finds an edited, removed, inserted or moved
// event and names the first number at which something is not as it was written. Whoever can write the disk can also
// rewrite all that follows and the head; that is found only with a checkpoint kept elsewhere: pass the Heads you have
// kept (an export holds one, each node of a fleet keeps those of its hub), and the log must lead through each.
//
// # Export
//
// JSON Lines: first a header line, then each event exactly as it was hashed, last a checkpoint line with the number of
// events and the tree's root. Such a file is verified anywhere, with nothing but this program (VerifyExport) or any
// RFC 6962 tool. A group's export holds that group's events only and so cannot carry the chain; it says so in its header.
package audit

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/events"
)

// Log is the part of the store that audit reads. RawEvents calls fn with the stored bytes of at most limit events above
// after, in order; raw is valid only during the call.
type Log interface {
	Head(ctx context.Context) (events.Head, error)
	RawEvents(ctx context.Context, after uint64, limit int, fn func(seq uint64, raw []byte) error) error
}

// batch is how many events are read in one transaction, so that a long log holds none open for long.
const batch = 500

// Result of a verification.
type Result struct {
	OK   bool        `json:"ok"`
	Head events.Head `json:"head"`           // of the sound part, recomputed
	Bad  uint64      `json:"bad,omitempty"`  // first number at which something is not as it was written
	What string      `json:"what,omitempty"` // one English sentence

	Witnessed *Witnessed `json:"witnessed,omitempty"` // by other servers; nil: nobody was asked
}

// Verify checks the whole log up to the head it has now, and that it leads through each of the known heads. The error
// says that the log could not be read; what is wrong with it is in the Result.
func Verify(ctx context.Context, log Log, known ...events.Head) (Result, error) {
	known = slices.Clone(known)
	slices.SortFunc(known, func(a, b events.Head) int { return cmp.Compare(a.Size, b.Size) })
	v, err := walk(ctx, log, func(v *events.Verifier) error { return through(v, &known) })
	if v == nil {
		return Result{}, err
	}
	if err == nil && len(known) > 0 {
		err = v.Matches(known[0])
	}
	return result(v, err)
}

// walk takes the log up to the head it has now through a verifier, which at looks at after each event; nil if there is no head.
func walk(ctx context.Context, log Log, at func(*events.Verifier) error) (*events.Verifier, error) {
	head, err := log.Head(ctx)
	if err != nil {
		return nil, err
	}
	v := &events.Verifier{}
	err = each(ctx, log, head.Size, func(raw []byte) error {
		if err := v.Add(raw); err != nil {
			return err
		}
		return at(v)
	})
	if err == nil {
		err = v.Matches(head)
	}
	return v, err
}

// through compares the log so far with the known heads of its size.
func through(v *events.Verifier, known *[]events.Head) error {
	for size := v.Size(); len(*known) > 0 && (*known)[0].Size <= size; *known = (*known)[1:] {
		if h := (*known)[0]; h.Size == size {
			if err := v.Matches(h); err != nil {
				return err
			}
		}
	}
	return nil
}

func result(v *events.Verifier, err error) (Result, error) {
	r := Result{OK: err == nil, Head: v.Head()}
	if b, ok := errors.AsType[*events.Broken](err); ok {
		r.Bad, r.What = b.Seq, b.What
		return r, nil
	}
	if edgeward.CodeOf(err) == "store.damaged" {
		r.Bad, r.What = r.Head.Size+1, "the record is damaged on the disk"
		return r, nil
	}
	return r, err
}

// each calls fn with the events 1 to size in the order they are stored.
func each(ctx context.Context, log Log, size uint64, fn func(raw []byte) error) error {
	for after := uint64(0); after < size; {
		n := 0
		if err := log.RawEvents(ctx, after, batch, func(seq uint64, raw []byte) error {
			n++
			if after = seq; seq > size {
				return nil
			}
			return fn(raw)
		}); err != nil {
			return err
		}
		if n == 0 {
			return nil // the log ends early; Matches says so
		}
	}
	return nil
}

// The lines of an export that are no events.
type header struct {
	Export string    `json:"export"` // exportFormat
	Node   string    `json:"node"`
	At     time.Time `json:"at"`
	Group  string    `json:"group,omitempty"` // id; then the file holds only this group's events and no chain
}

type checkpoint struct {
	Checkpoint events.Head `json:"checkpoint"`
	Events     uint64      `json:"events"` // in this file
}

const exportFormat = "edgeward.audit/1"

// Export writes the log up to now as JSON Lines and returns its head. node names the server, at is the time of the
// export. An empty group exports the whole log.
func Export(ctx context.Context, log Log, w io.Writer, node, group string, at time.Time) (events.Head, error) {
	head, err := log.Head(ctx)
	if err != nil {
		return head, err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	if err := enc.Encode(header{exportFormat, node, at.UTC(), group}); err != nil {
		return head, edgeward.Wrap("audit.Export", err)
	}
	var n uint64
	var page [][]byte // written outside the transaction: the reader may be slow
	for after := uint64(0); after < head.Size; {
		page = page[:0]
		before := after
		if err := log.RawEvents(ctx, after, batch, func(seq uint64, raw []byte) error {
			if after = seq; seq <= head.Size {
				page = append(page, bytes.Clone(raw))
			}
			return nil
		}); err != nil {
			return head, err
		}
		for _, raw := range page {
			if group != "" {
				if e, err := events.Decode(raw); err != nil || e.Group != group {
					continue
				}
			}
			n++
			if _, err := out.Write(append(raw, '\n')); err != nil {
				return head, edgeward.Wrap("audit.Export", err)
			}
		}
		if after == before {
			break
		}
	}
	if err := enc.Encode(checkpoint{head, n}); err != nil {
		return head, edgeward.Wrap("audit.Export", err)
	}
	return head, edgeward.Wrap("audit.Export", out.Flush())
}

// VerifyExport checks an export file with nothing else at hand, and that it leads through the known heads. A file that is
// no export, or a group's, is Invalid "audit.export".
func VerifyExport(r io.Reader, known ...events.Head) (Result, error) {
	bad := func(format string, args ...any) (Result, error) {
		return Result{}, edgeward.E("audit.VerifyExport", edgeward.Invalid, "audit.export", format, args...).
			WithHint("give the file that \"edgeward audit export\" wrote")
	}
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), events.MaxBytes+1024)
	var h header
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &h) != nil || h.Export != exportFormat {
		return bad("not an export of format %s", exportFormat)
	}
	if h.Group != "" {
		return bad("a group's export holds a part of the log and cannot be verified by itself")
	}
	known = slices.Clone(known)
	slices.SortFunc(known, func(a, b events.Head) int { return cmp.Compare(a.Size, b.Size) })
	var v events.Verifier
	for lines.Scan() {
		line := lines.Bytes()
		if strings.HasPrefix(string(line[:min(len(line), 14)]), `{"checkpoint":`) {
			var c checkpoint
			if err := json.Unmarshal(line, &c); err != nil {
				return bad("the checkpoint line cannot be read: %v", err)
			}
			if lines.Scan() {
				return result(&v, &events.Broken{Seq: v.Head().Size + 1, What: "the file goes on behind its checkpoint"})
			}
			err := v.Matches(c.Checkpoint)
			if err == nil && len(known) > 0 {
				err = v.Matches(known[0])
			}
			return result(&v, err)
		}
		if err := v.Add(line); err != nil {
			return result(&v, err)
		}
		if err := through(&v, &known); err != nil {
			return result(&v, err)
		}
	}
	if err := lines.Err(); err != nil {
		return bad("line %d: %v", v.Head().Size+2, err)
	}
	return result(&v, &events.Broken{Seq: v.Head().Size + 1, What: fmt.Sprintf("the file ends without a checkpoint after %d events", v.Head().Size)})
}
