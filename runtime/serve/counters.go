package serve

import (
	"math/bits"
	"sync/atomic"
	"time"

	"edgeward/runtime/record"
)

// A histogram has eight buckets for each doubling of the latency, from one microsecond to over an hour: a quantile read
// from it is at most 12.5 % too large.
const (
	subBuckets = 8
	buckets    = 29 * subBuckets
)

type histogram [buckets]atomic.Uint64

func bucket(us uint64) int {
	if us < subBuckets {
		return int(us)
	}
	shift := bits.Len64(us) - 4 // us>>shift lies in 8..15
	return min((shift+1)*subBuckets+int(us>>shift)-subBuckets, buckets-1)
}

// upper returns the largest whole number of microseconds that falls into bucket i.
func upper(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	shift := i/subBuckets - 1
	return (uint64(i%subBuckets+subBuckets)+1)<<shift - 1
}

// counters are written on the request path by atomics only.
type counters struct {
	version int
	role    record.Role

	requests, refused, errors           atomic.Uint64
	inFlight                            atomic.Int64
	rows, inputsOut, answersOut         atomic.Uint64
	dropped, compared, differ, unrecord atomic.Uint64
	unsampled, hits, misses             atomic.Uint64
	sumUS                               atomic.Uint64
	last                                atomic.Int64 // when the last request was received, in milliseconds; 0: none
	latency                             histogram
	comparisons                         comparisons // of a shadow
}

func (c *counters) hit(yes bool) {
	if yes {
		c.hits.Add(1)
	} else {
		c.misses.Add(1)
	}
}

func (c *counters) observe(d time.Duration) {
	us := uint64(max(d.Microseconds(), 0))
	c.sumUS.Add(us)
	c.latency[bucket(us)].Add(1)
}

// Counters is a snapshot of what one version in one role did behind one endpoint since the process started.
type Counters struct {
	Version      int          `json:"version"`
	Role         record.Role  `json:"role"`
	Requests     uint64       `json:"requests"`              // given to the version, with those that failed
	Refused      uint64       `json:"refused"`               // wrong input: never given to the version
	Errors       uint64       `json:"errors"`                // the version gave no answer
	InFlight     int64        `json:"in_flight"`             // now
	Rows         uint64       `json:"rows"`                  // whose inputs were compared with the reference range
	InputsOut    uint64       `json:"inputs_out"`            // of these, with a value outside it
	AnswersOut   uint64       `json:"answers_out"`           // answers with NaN, infinity or a value outside the plausible range
	Dropped      uint64       `json:"dropped"`               // shadow copies a full queue dropped
	Compared     uint64       `json:"compared"`              // shadow answers compared with the client's answer
	Differ       uint64       `json:"differ"`                // of these, different by more than 1e-6 relative
	Variant      string       `json:"variant,omitempty"`     // the name under which the version is a variant now
	Comparisons  []Comparison `json:"comparisons,omitempty"` // of a shadow, by the version it was compared with
	Unrecorded   uint64       `json:"unrecorded"`            // answers the prediction log did not take
	Unsampled    uint64       `json:"unsampled"`             // answers beyond the endpoint's record rate
	CacheHits    uint64       `json:"cache_hits"`            // answers taken from the cache
	CacheMisses  uint64       `json:"cache_misses"`          // answers the cache did not have
	LatencySumUS uint64       `json:"latency_sum_us"`        // of all requests that were answered
	LastMS       int64        `json:"-"`                     // when the last request was received, in milliseconds since 1970; 0: none
	P50US        uint64       `json:"p50_us"`
	P90US        uint64       `json:"p90_us"`
	P95US        uint64       `json:"p95_us"`
	P99US        uint64       `json:"p99_us"`
	Latency      []Bucket     `json:"latency,omitempty"` // only buckets that are not empty, cumulative
}

// Bucket is a cumulative count: so many answers took at most UpToUS microseconds.
type Bucket struct {
	UpToUS uint64 `json:"up_to_us"`
	Count  uint64 `json:"count"`
}

func (c *counters) snapshot() Counters {
	s := Counters{
		Version: c.version, Role: c.role,
		Requests: c.requests.Load(), Refused: c.refused.Load(), Errors: c.errors.Load(), InFlight: c.inFlight.Load(),
		Rows: c.rows.Load(), InputsOut: c.inputsOut.Load(), AnswersOut: c.answersOut.Load(),
		Dropped: c.dropped.Load(), Compared: c.compared.Load(), Differ: c.differ.Load(), Unrecorded: c.unrecord.Load(), Unsampled: c.unsampled.Load(), CacheHits: c.hits.Load(), CacheMisses: c.misses.Load(),
		LatencySumUS: c.sumUS.Load(), LastMS: c.last.Load(),
	}
	var n uint64
	for i := range c.latency {
		if k := c.latency[i].Load(); k > 0 {
			n += k
			s.Latency = append(s.Latency, Bucket{upper(i), n})
		}
	}
	s.P50US, s.P90US, s.P95US, s.P99US = Quantile(s.Latency, 0.5), Quantile(s.Latency, 0.9), Quantile(s.Latency, 0.95), Quantile(s.Latency, 0.99)
	s.Comparisons = c.comparisons.snapshot()
	return s
}

// Quantile returns the upper bound in microseconds of the bucket that holds quantile q (0 to 1), or 0 without answers.
func Quantile(b []Bucket, q float64) uint64 {
	if len(b) == 0 {
		return 0
	}
	want := q * float64(b[len(b)-1].Count)
	for _, x := range b {
		if float64(x.Count) >= want {
			return x.UpToUS
		}
	}
	return b[len(b)-1].UpToUS
}
