package serve

import (
	"crypto/sha256"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"edgeward/runtime/tensor"
)

// Bounds of an endpoint's cache: answers, and bytes of one version's answers.
const (
	MaxCache      = 1_000_000
	maxCacheBytes = 64 << 20
)

// question is the digest of a request's inputs, whatever their order.
type question [sha256.Size]byte

// questionOf digests inputs in the signature's order.
func questionOf(sig tensor.Signature, inputs []tensor.Tensor) question {
	ordered := make([]tensor.Tensor, 0, len(inputs))
	for _, spec := range sig.Inputs {
		if t, ok := find(inputs, spec.Name); ok {
			ordered = append(ordered, t)
		}
	}
	return sha256.Sum256(tensor.Append(make([]byte, 0, tensor.EncodedSize(ordered)), ordered))
}

// cache keeps the newest answers of one loaded version: it lives and ends with it, so no answer outlives its version. The
// zero cache is empty.
type cache struct {
	mu    sync.Mutex
	lru   *simplelru.LRU[question, []tensor.Tensor]
	bytes int
}

func (c *cache) find(q question) ([]tensor.Tensor, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lru == nil {
		return nil, false
	}
	return c.lru.Get(q)
}

// keep keeps an answer among at most most.
func (c *cache) keep(q question, answer []tensor.Tensor, most int) {
	size := bytesOf(answer)
	if size > maxCacheBytes/16 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lru == nil {
		c.lru, _ = simplelru.NewLRU(most, func(_ question, old []tensor.Tensor) { c.bytes -= bytesOf(old) }) // fails for a size below 1
	}
	c.lru.Resize(most)
	c.lru.Remove(q)
	c.bytes += size
	c.lru.Add(q, answer)
	for c.bytes > maxCacheBytes {
		c.lru.RemoveOldest()
	}
}

func bytesOf(ts []tensor.Tensor) (n int) {
	for _, t := range ts {
		n += len(t.Data) + 64
	}
	return n
}
