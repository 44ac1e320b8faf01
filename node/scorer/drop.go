package scorer

import (
	"context"
	"errors"
	"io"
	"os"

	"edgeward"
	"edgeward/node/work"
	"edgeward/runtime/datasets"
	"edgeward/runtime/jobs"
	"edgeward/runtime/score"
	"edgeward/sync/disk"
)

// fileName is what a result is called outside: names of ours and a ULID, so nothing of it can leave a folder.
func fileName(d score.Delivery) string { return d.Scoring + "-" + d.Run + "." + d.Result.Format }

// drop writes the file of a run to a folder: whole or not at all, and the same again when it is repeated.
func (s *Scorer) drop(ctx context.Context, d score.Delivery) error {
	const op = "scorer.drop"
	folder, ok := s.Drops[d.Sink.Name]
	if !ok {
		return edgeward.E(op, edgeward.NotFound, "score.not_configured", "there is no drop %q any more", d.Sink.Name).WithHint("the administrator adds it to the setting score.drops, then send again")
	}
	from, err := s.Blobs.Open(d.Result.Bytes)
	if err != nil {
		return err
	}
	defer from.Close()
	root, err := os.OpenRoot(folder)
	if err != nil {
		return edgeward.E(op, edgeward.Unavailable, "score.drop", "the folder of drop %q cannot be opened: %w", d.Sink.Name, err).
			WithHint("is the folder there, and may the server write into it?")
	}
	defer root.Close()
	if err := writeInto(ctx, root, fileName(d), from); err != nil {
		return edgeward.E(op, edgeward.Unavailable, "score.drop", "the file was not written: %w", err).WithHint("is there room, and may the server write into the folder of drop %q?", d.Sink.Name)
	}
	return disk.SyncDir(folder)
}

// writeInto makes name appear in root with all that from gives.
func writeInto(ctx context.Context, root *os.Root, name string, from io.Reader) (err error) {
	tmp := "." + name + ".part"
	f, err := root.OpenFile(tmp, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = root.Remove(tmp)
		}
	}()
	_, err = io.Copy(f, reader{ctx, from})
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return root.Rename(tmp, name)
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

// Read implements io.Reader.
func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// importResult makes the file of a run the next version of a data set and waits until it is.
func (s *Scorer) importResult(ctx context.Context, d score.Delivery) error {
	f, err := s.Blobs.Open(d.Result.Bytes)
	if err != nil {
		return err
	}
	defer f.Close()
	j, err := s.Work.Import(ctx, work.Who{Group: d.Group, Principal: d.By}, f, work.ImportSpec{DataSet: d.Sink.Name, Message: "scored by " + d.Scoring,
		Source: datasets.Source{File: fileName(d), Note: "run " + d.Run + " of scoring " + d.Scoring + " through endpoint " + d.Result.Endpoint}}, "delivery/"+d.ID+"/"+d.Next.UTC().Format("20060102T150405"))
	if err != nil {
		return err
	}
	if j, err = s.Jobs.Wait(ctx, d.Group, j.ID); err != nil || j.State == jobs.Succeeded {
		return err
	}
	if j.Error == nil {
		return edgeward.E("scorer.importResult", edgeward.Unavailable, "job."+string(j.State), "the import of the result was %s", j.State)
	}
	return edgeward.E("scorer.importResult", edgeward.KindFromString(j.Error.Kind), j.Error.Code, "%s", j.Error.Message).WithHint("%s", j.Error.Hint)
}
