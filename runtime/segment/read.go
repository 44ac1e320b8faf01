package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"edgeward"
	"edgeward/sync/disk"
)

// Frame is one payload with its number. The payload belongs to the receiver.
type Frame struct {
	Seq     uint64
	Payload []byte
}

// IsDamaged reports whether err says that one frame, or the rest of one file, is unreadable. Reading goes on behind it.
func IsDamaged(err error) bool { return edgeward.CodeOf(err) == "segment.damaged" }

func damagedFrames(path string, first, last uint64, cause error) error {
	return edgeward.E("segment.Read", edgeward.Internal, "segment.damaged", "%s: frames %d to %d: %w", path, first, last, cause).
		With("first", fmt.Sprint(first)).With("last", fmt.Sprint(last)).
		WithHint("the disk returned other bytes than were stored: check the disk, and who may write to it")
}

// Read yields the frames from number from up to those appended before the call, and then ends; Wait tells when there are
// more. A damaged frame is yielded with its number and an error for which IsDamaged is true; any other error is the last.
// NotFound "segment.gone" when from is older than First. No lock is held while the caller works.
func (l *Log) Read(ctx context.Context, from uint64) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		l.mu.Lock()
		files, next := append([]file(nil), l.files...), l.next
		l.mu.Unlock()
		if from < files[0].first {
			yield(Frame{}, gone(from, files[0].first))
			return
		}
		for i, f := range files {
			end := next
			if i+1 < len(files) {
				end = files[i+1].first
			}
			if from >= end {
				continue
			}
			if !readFile(ctx, f, from, end, yield) {
				return
			}
		}
	}
}

func gone(from, first uint64) error {
	return edgeward.E("segment.Read", edgeward.NotFound, "segment.gone", "frame %d is sealed or removed; the oldest is %d", from, first).
		With("first", fmt.Sprint(first))
}

// readFile yields the frames of one file with from <= number < end. It reports whether the caller wants more.
func readFile(ctx context.Context, seg file, from, end uint64, yield func(Frame, error) bool) bool {
	f, err := os.Open(seg.path)
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			err = gone(max(from, seg.first), end)
		}
		yield(Frame{}, disk.Err("segment.Read", err))
		return false
	}
	defer f.Close()
	s := scan(f, seg.head, seg.size)
	for seq := seg.first; seq < end; seq++ {
		if err := ctx.Err(); err != nil {
			yield(Frame{}, err)
			return false
		}
		payload, err := s.next()
		if err == nil {
			payload, err = seg.open(payload, seq)
		}
		switch {
		case err == nil:
		case errors.Is(err, errDamaged), errors.Is(err, errForged), errors.Is(err, errLost):
			err = damagedFrames(seg.path, seq, seq, err)
		case errors.Is(err, errTorn), err == io.EOF, err == io.ErrUnexpectedEOF: // shorter than it was when it was finished
			return yield(Frame{Seq: max(seq, from)}, damagedFrames(seg.path, max(seq, from), end-1, errTorn))
		default:
			yield(Frame{}, disk.Err("segment.Read", err))
			return false
		}
		if seq >= from && !yield(Frame{Seq: seq, Payload: payload}, err) {
			return false
		}
	}
	return true
}

// Wait returns when frame seq has been appended, or the context has ended.
func (l *Log) Wait(ctx context.Context, seq uint64) error {
	for {
		l.mu.Lock()
		there, changed := l.next > seq, l.changed
		l.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
