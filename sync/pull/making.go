package pull

import (
	"context"
	"io"
	"strconv"
	"time"

	"edgeward"
)

// Making is the code with which a source says that it is making a difference; the error's parameter retry_after says in how many seconds it is to be asked again.
const Making = "delta.making"

// How often a source that is making a difference is asked again. Servers of a site wait for one that fetches as long as it hears something each 15 s (fleet/peer).
const (
	soonest = time.Second
	latest  = 10 * time.Second
)

// Patience is how long a difference that is being made is waited for; then the whole blob is fetched. It is the time in which the whole comes at 256 KiB a second, at least
// 15 seconds and at most ten minutes: who waits loses no more than who has a slow line would lose by the whole.
func Patience(size int64) time.Duration {
	return max(15*time.Second, time.Duration(min(size>>18, 600))*time.Second)
}

// made returns the difference to w.Like, which the source may have to make first.
func (p *Puller) made(ctx context.Context, src Source, w Want) (io.ReadCloser, error) {
	enough := time.NewTimer(Patience(w.Size)) // room:clock how long a difference is waited for
	defer enough.Stop()
	for {
		r, err := src.Delta(ctx, w.Digest, w.Like)
		if edgeward.CodeOf(err) != Making {
			return r, err
		}
		n, _ := strconv.Atoi(edgeward.ParamsOf(err)["retry_after"])                     // none is the soonest
		again := time.NewTimer(min(latest, max(soonest, time.Duration(n)*time.Second))) // room:clock until the source is asked again
		select {
		case <-again.C:
			continue
		case <-enough.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
		again.Stop()
		return nil, err
	}
}
