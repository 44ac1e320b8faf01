package inquiry

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
	"edgeward/sync/disk"
	"edgeward/sync/tuf"
)

// Happened is what the hub's audit is to say.
type Happened struct {
	By, Action, Reason string // "fleet.inquiry.asked"
	Detail             map[string]string
	At                 time.Time
}

// Store keeps inquiries. A write is durable when it returns, with its event.
type Store interface {
	Inquiries(ctx context.Context) ([]Inquiry, error)
	PutInquiry(ctx context.Context, q Inquiry, e ...Happened) error
	DropInquiry(ctx context.Context, id string) error
}

// Desk is the hub's side. It is safe for concurrent use.
type Desk struct {
	store Store
	dir   string // of files, by id
	now   func() time.Time
	newID func() string

	mu     sync.Mutex
	all    map[string]Inquiry
	got    map[string]int64
	hinted map[string]time.Time // nodes
}

// Open reads what the store has and removes files that belong to nothing.
func Open(ctx context.Context, s Store, dir string, now func() time.Time, newID func() string) (*Desk, error) {
	d := &Desk{store: s, dir: dir, now: now, newID: newID, all: map[string]Inquiry{}, got: map[string]int64{}, hinted: map[string]time.Time{}}
	list, err := s.Inquiries(ctx)
	if err != nil {
		return nil, err
	}
	for _, q := range list {
		d.all[q.ID] = q
	}
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, disk.Err("inquiry.Open", err)
	}
	for _, n := range names {
		if d.all[n.Name()].State != Here {
			_ = os.RemoveAll(filepath.Join(dir, n.Name()))
		}
	}
	return d, nil
}

// Ask keeps a person's question to a node.
func (d *Desk) Ask(ctx context.Context, by, node string, w What, lines int, reason string) (Inquiry, error) {
	if w == Logs && lines == 0 {
		lines = 500
	}
	if err := Check(w, lines, reason); err != nil {
		return Inquiry{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	open := 0
	for _, q := range d.all {
		if q.Node == node && q.Open() {
			open++
		}
	}
	if open >= MaxOpen {
		return Inquiry{}, edgeward.E("inquiry.Ask", edgeward.Exhausted, "fleet.inquiries", "the node has %d questions to answer", open).WithHint("wait for its answers, or drop one")
	}
	now := d.now()
	q := Inquiry{ID: d.newID(), Node: node, What: w, Lines: lines, By: by, Reason: reason, At: now, Until: now.Add(Good), State: Asked}
	if err := d.put(ctx, q, d.happened(q, by, "fleet.inquiry.asked", reason)); err != nil {
		return q, err
	}
	delete(d.hinted, node) // the node is told at once, whenever it was told of the one before
	return q, nil
}

func (d *Desk) happened(q Inquiry, by, action, reason string) Happened {
	return Happened{By: by, Action: action, Reason: reason, Detail: map[string]string{"inquiry": q.ID, "node": q.Node, "what": string(q.What)}, At: d.now()}
}

func (d *Desk) put(ctx context.Context, q Inquiry, e ...Happened) error {
	q.Got = 0 // is of the moment
	if err := d.store.PutInquiry(ctx, q, e...); err != nil {
		return err
	}
	d.all[q.ID] = q
	return nil
}

// Hint reports whether a node should be told that something is asked, at most once in Again.
func (d *Desk) Hint(node string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	for _, q := range d.all {
		if q.Node == node && q.Open() && now.Before(q.Until) {
			if now.Sub(d.hinted[node]).Abs() < Again {
				return false
			}
			d.hinted[node] = now
			return true
		}
	}
	return false
}

// Orders are what a node is asked, signed by the hub's key, the oldest first.
func (d *Desk) Orders(ctx context.Context, fleet, node string, key tuf.Key) (out Orders, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	for _, q := range d.list() {
		if q.Node != node || !q.Open() || !now.Before(q.Until) {
			continue
		}
		b, err := canonical.JSON(Order{Format: spec.Format, Fleet: fleet, Node: node, ID: q.ID, What: q.What, Lines: q.Lines, By: q.By, Reason: q.Reason, Issued: q.At, Expires: q.At.Add(Good)})
		if err != nil {
			return out, err
		}
		e, err := tuf.SignEnvelope(Payload, b, key)
		if err != nil {
			return out, err
		}
		out.Envelopes = append(out.Envelopes, e)
		if q.State == Asked {
			q.State = Told
			if err := d.put(ctx, q); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// list is all, the oldest first.
func (d *Desk) list() []Inquiry {
	out := make([]Inquiry, 0, len(d.all))
	for _, q := range d.all {
		q.Got = d.got[q.ID]
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b Inquiry) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.ID, b.ID)) })
	return out
}

// List is all, the newest first; of one node if it is named.
func (d *Desk) List(node string) []Inquiry {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := slices.DeleteFunc(d.list(), func(q Inquiry) bool { return node != "" && q.Node != node })
	slices.Reverse(out)
	return out
}

// Get returns one.
func (d *Desk) Get(id string) (Inquiry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.get(id)
}

func (d *Desk) get(id string) (Inquiry, error) {
	q, ok := d.all[id]
	if !ok {
		return q, edgeward.E("inquiry.Get", edgeward.NotFound, "fleet.inquiry.not_found", "no inquiry %.60q", id).WithHint("edgeward fleet inquiry list shows them; they are deleted after some days")
	}
	q.Got = d.got[id]
	return q, nil
}

// of returns one a node may answer; those of others are absent to it.
func (d *Desk) of(node, id string) (Inquiry, error) {
	q, err := d.get(id)
	if err == nil && (q.Node != node || !q.Open() && q.State != Here && q.State != Refused) {
		err = edgeward.E("inquiry.of", edgeward.NotFound, "fleet.inquiry.not_found", "no inquiry %.60q waits for this node", id)
	}
	return q, err
}

// Refuse takes a node's refusal.
func (d *Desk) Refuse(ctx context.Context, node, id string, r Refusal) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	q, err := d.of(node, id)
	if err != nil || !q.Open() {
		return err
	}
	q.State, q.Code, q.Why, q.Until = Refused, cut(r.Code, 100), cut(r.Why, 2000), d.now().Add(Kept)
	return d.put(ctx, q)
}

func cut(s string, n int) string { return s[:min(len(s), n)] }

// Take takes a node's file, whose digest it names.
func (d *Desk) Take(ctx context.Context, node, id string, digest edgeward.Digest, r io.Reader) error {
	const op = "inquiry.Take"
	d.mu.Lock()
	q, err := d.of(node, id)
	d.mu.Unlock()
	if err != nil || !q.Open() {
		return err
	}
	if err := disk.MkdirAll(d.dir); err != nil {
		return disk.Err(op, err)
	}
	f, err := os.CreateTemp(d.dir, "coming-")
	if err != nil {
		return disk.Err(op, err)
	}
	defer os.Remove(f.Name())
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, h), &counted{io.LimitReader(r, MaxFile+1), d, id, 0})
	d.progress(id, 0)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return disk.Err(op, err)
	}
	if n > MaxFile {
		return edgeward.E(op, edgeward.TooLarge, "fleet.inquiry_large", "more than %d bytes", MaxFile)
	}
	if got := edgeward.Digest("sha256:" + hex.EncodeToString(h.Sum(nil))); got != digest {
		return edgeward.E(op, edgeward.Invalid, "fleet.inquiry_digest", "the file has digest %s, not %.80s", got.Short(), digest)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if q = d.all[id]; !q.Open() {
		return nil // it came twice, or was dropped meanwhile
	}
	if err := os.Rename(f.Name(), filepath.Join(d.dir, id)); err != nil {
		return disk.Err(op, err)
	}
	if err := disk.SyncDir(d.dir); err != nil {
		return disk.Err(op, err)
	}
	now := d.now()
	q.State, q.Size, q.Digest, q.Came, q.Until = Here, n, digest, now, now.Add(Kept)
	return d.put(ctx, q)
}

func (d *Desk) progress(id string, n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n == 0 {
		delete(d.got, id)
		return
	}
	d.got[id] = n
}

// counted tells the desk how far a file has come.
type counted struct {
	io.Reader
	d  *Desk
	id string
	n  int64
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.n += int64(n)
	c.d.progress(c.id, c.n)
	return n, err
}

// Read gives a person the file; that it was read is in the audit before the first byte.
func (d *Desk) Read(ctx context.Context, by, id string) (io.ReadCloser, Inquiry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q, err := d.get(id)
	if err != nil {
		return nil, q, err
	}
	if q.State != Here {
		return nil, q, edgeward.E("inquiry.Read", edgeward.Conflict, "fleet.inquiry_not_here", "the inquiry is %s", q.State).WithHint("edgeward fleet inquiry list shows how far it is")
	}
	f, err := os.Open(filepath.Join(d.dir, q.ID))
	if err != nil {
		return nil, q, disk.Err("inquiry.Read", err)
	}
	if err := d.put(ctx, q, d.happened(q, by, "fleet.inquiry.read", "")); err != nil {
		return nil, q, errors.Join(err, f.Close())
	}
	return f, q, nil
}

// Drop ends an inquiry and deletes its file.
func (d *Desk) Drop(ctx context.Context, by, id string) (Inquiry, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	q, err := d.get(id)
	if err != nil || q.State == Gone {
		return q, err
	}
	return d.end(ctx, q, Gone, d.happened(q, by, "fleet.inquiry.dropped", ""))
}

func (d *Desk) end(ctx context.Context, q Inquiry, to State, e ...Happened) (Inquiry, error) {
	if err := os.Remove(filepath.Join(d.dir, q.ID)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return q, disk.Err("inquiry.end", err)
	}
	q.State, q.Until = to, d.now().Add(Kept)
	return q, d.put(ctx, q, e...)
}

// Sweep ends what is over, and forgets what ended long ago.
func (d *Desk) Sweep(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	all := d.list()
	for i, q := range all {
		var err error
		switch {
		case now.Before(q.Until) && len(all)-i <= MaxKept:
		case q.Open():
			_, err = d.end(ctx, q, Expired)
		case q.State == Here:
			_, err = d.end(ctx, q, Gone, d.happened(q, "system:fleet", "fleet.inquiry.deleted", "its day is over"))
		case now.After(q.Until.Add(7*24*time.Hour)) || len(all)-i > MaxKept:
			if err = d.store.DropInquiry(ctx, q.ID); err == nil {
				delete(d.all, q.ID)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
