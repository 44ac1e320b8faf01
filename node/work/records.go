package work

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/runtime/query"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/vault"
	"edgeward/sync/disk"
)

// exportTime bounds the making of a table of records.
const exportTime = 2 * time.Minute

// ExportRecords makes the table of an endpoint's predictions with their feedback as a Parquet or CSV file, which is gone
// when it is closed. On the disk it, and what it is made of, is encrypted under a key that is in memory only. Who asked for what is an event before the first byte is given. One table is made at a time: Exhausted
// "predictions.export_busy".
func (w *Work) ExportRecords(ctx context.Context, who Who, t record.Table, format query.FileFormat) (io.ReadCloser, error) {
	const op = "work.ExportRecords"
	t.Group = who.Group
	d, err := w.Store.Deployment(ctx, serve.Key{Group: t.Group, Name: t.Endpoint})
	if err != nil {
		return nil, err
	}
	if !w.exporting.TryLock() {
		return nil, edgeward.E(op, edgeward.Exhausted, "predictions.export_busy", "another export is being made").WithHint("try again when it has ended, in %s at most", exportTime)
	}
	defer w.exporting.Unlock()
	ctx, cancel := context.WithTimeout(ctx, exportTime)
	defer cancel()
	dir := filepath.Join(w.Temp, w.NewID()+"-records")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	defer os.RemoveAll(dir)
	in, out, key := filepath.Join(dir, "entries"), filepath.Join(dir, "table"), vault.NewSecret()
	keys, err := vault.OneTime(key)
	if err != nil {
		return nil, err
	}
	if err := w.writeEntries(ctx, t, in, keys); err != nil {
		return nil, err
	}
	done, err := w.Query.Export(ctx, query.ExportRequest{Path: in, Key: key, Ask: w.Records.Ask(t), Count: t.Count(), Select: t.Select(),
		MaxRows: record.MaxTableRows, MaxBytes: record.MaxTableBytes, Format: format, Out: out})
	if err != nil {
		return nil, err
	}
	f, err := openTable(out, keys)
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	detail := map[string]string{"format": string(format), "rows": strconv.FormatInt(done.Rows, 10), "inputs": strconv.FormatBool(t.Inputs), "from": stamp(t.From), "to": stamp(t.To)}
	err = w.Store.Record(ctx, events.Event{Time: w.Now(), Principal: who.Principal, PrincipalID: who.ID, Group: who.Group, Action: "predictions.exported",
		Object: events.Object{Kind: "endpoint", Name: t.Endpoint}, Detail: detail, Demo: d.Endpoint.Demo})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// writeEntries writes what the table is made of, encrypted.
func (w *Work) writeEntries(ctx context.Context, t record.Table, path string, keys *vault.Ring) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return disk.Err("work.ExportRecords", err)
	}
	out, err := vault.NewWriter(f, keys, query.InfoIn)
	if err == nil {
		err = w.Records.WriteTable(ctx, t, out)
	}
	if err == nil {
		err = out.Close()
	}
	return errors.Join(err, f.Close())
}

// openTable reads the encrypted table at path.
func openTable(path string, keys *vault.Ring) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r, err := vault.NewReader(f, st.Size(), keys, query.InfoOut)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return struct {
		io.Reader
		io.Closer
	}{io.NewSectionReader(r, 0, r.Size()), f}, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
