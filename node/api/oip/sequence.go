package oip

import (
	"maps"
	"strconv"
	"sync"
	"time"

	"edgeward"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// Bounds of sequences.
const (
	maxSequences        = 4096 // of one endpoint
	DefaultSequenceIdle = 10 * time.Minute
)

// sequences are the sequences of requests under way: all requests of one are answered by the version that answered the
// first, so that a promotion in between does not change who speaks. One that is idle for too long is over.
type sequences struct {
	idle   time.Duration
	mu     sync.Mutex
	all    map[serve.Key]map[string]*sequence
	starts int
}

// sweepEvery is how many sequences start between two looks at those that are idle.
const sweepEvery = 1024

// sweep drops what is idle.
func (s *sequences) sweep(now time.Time) {
	for key, mine := range s.all {
		maps.DeleteFunc(mine, func(_ string, x *sequence) bool { return now.Sub(x.seen) > s.idle })
		if len(mine) == 0 {
			delete(s.all, key)
		}
	}
}

type sequence struct {
	version int // 0 until the first answer
	seen    time.Time
}

// Sequence says which sequence a request belongs to and whether it begins or ends it; none with an empty ID.
type Sequence struct {
	ID         string
	Start, End bool
}

// parameter takes one request parameter if it is of sequences.
func (q *Sequence) parameter(key string, v Value) (err error) {
	switch key {
	case "sequence_id":
		switch n := v.(type) {
		case int64:
			v = strconv.FormatInt(n, 10)
		case uint64:
			v = strconv.FormatUint(n, 10)
		}
		if q.ID, err = text(key, v); err == nil && len(q.ID) > record.MaxText {
			err = invalid("sequence.id", "sequence_id has %d bytes; at most %d", len(q.ID), record.MaxText)
		}
		if q.ID == "0" {
			q.ID = ""
		}
	case "sequence_start":
		q.Start, err = truth(key, v)
	case "sequence_end":
		q.End, err = truth(key, v)
	}
	return err
}

// enter returns the version that answers a request of a sequence; 0 leaves the choice to the endpoint.
func (s *sequences) enter(key serve.Key, q Sequence, version int, now time.Time) (int, error) {
	if q.ID == "" {
		if q.Start || q.End {
			return 0, invalid("sequence.id", "a request that starts or ends a sequence needs sequence_id")
		}
		return version, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.all[key]
	x := mine[q.ID]
	if x != nil && now.Sub(x.seen) > s.idle {
		delete(mine, q.ID)
		x = nil
	}
	if q.Start {
		if s.starts++; s.starts%sweepEvery == 0 || len(mine) >= maxSequences {
			s.sweep(now)
			mine = s.all[key]
		}
		if mine == nil {
			mine = map[string]*sequence{}
			s.all[key] = mine
		}
		if x == nil && len(mine) >= maxSequences {
			return 0, edgeward.E("oip.sequence", edgeward.Exhausted, "sequence.too_many", "%d sequences are under way", len(mine)).WithHint("end those that are over with sequence_end")
		}
		mine[q.ID] = &sequence{version: version, seen: now}
		return version, nil
	}
	if x == nil {
		return 0, invalid("sequence.unknown", "sequence %.80q is not under way: it was not started, has ended, or was idle for over %v", q.ID, s.idle).
			With("sequence", q.ID).WithHint("send the first request of a sequence with sequence_start")
	}
	if version != 0 && x.version != 0 && version != x.version {
		return 0, edgeward.E("oip.sequence", edgeward.Conflict, "sequence.version", "version %d answers sequence %.80q, not %d", x.version, q.ID, version).WithHint("start another sequence for another version")
	}
	x.seen = now
	if x.version != 0 {
		version = x.version
	}
	return version, nil
}

// leave notes who answered, and what a failure means for the sequence.
func (s *sequences) leave(key serve.Key, q Sequence, answered int, err error) error {
	if q.ID == "" {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.all[key]
	x := mine[q.ID]
	gone := edgeward.CodeOf(err) == "endpoint.no_version" && x != nil && x.version != 0 && !q.Start
	if q.End && err == nil || gone || q.Start && err != nil {
		if delete(mine, q.ID); len(mine) == 0 {
			delete(s.all, key)
		}
	} else if x != nil && x.version == 0 {
		x.version = answered
	}
	if gone {
		return edgeward.E("oip.sequence", edgeward.Conflict, "sequence.version_gone", "the version that answered sequence %.80q is no longer there", q.ID).
			With("sequence", q.ID).WithHint("start the sequence again")
	}
	return err
}
