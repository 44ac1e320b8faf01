package serve

import (
	"sync/atomic"
	"time"
)

// DefaultRecordRate is how many predictions of an endpoint are recorded a second at most, where the endpoint says nothing.
const DefaultRecordRate = 1000

const maxRecordRate = 1_000_000

// sampler lets through so many a second, as evenly as they come, and as many at once after a quiet second: a token bucket
// (generic cell rate algorithm) in one word.
type sampler struct {
	due atomic.Int64 // nanoseconds of the clock at which the bucket is full again
}

// take reports whether what happens at now may be recorded.
func (s *sampler) take(now time.Time, perSecond int) bool {
	each := int64(time.Second) / int64(perSecond)
	at := now.UnixNano()
	for {
		due := s.due.Load()
		next := max(due, at) + each
		if next-at > int64(time.Second) {
			return false
		}
		if s.due.CompareAndSwap(due, next) {
			return true
		}
	}
}
