package record

import "context"

// SealAll finishes the open file and seals all.
func (l *Log) SealAll(ctx context.Context) error {
	if err := l.seg.Roll(); err != nil {
		return err
	}
	return l.seal(ctx, l.seg.Next())
}
