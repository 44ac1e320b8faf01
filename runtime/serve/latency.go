package serve

// LatencyBucket is the number of the bucket that a latency is counted in, wherever latencies are counted. Counts of equal
// numbers add up.
func LatencyBucket(us int64) int { return bucket(uint64(max(us, 0))) }

// LatencyUpTo is the largest latency of a bucket, in microseconds.
func LatencyUpTo(i int) uint64 { return upper(max(0, min(i, buckets-1))) }
