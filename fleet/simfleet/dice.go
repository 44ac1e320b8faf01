package simfleet

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"
)

// Dice are thrown by a seed and a name: who throws does not matter to others. They are safe for concurrent use.
type Dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

// NewDice returns those of a name.
func NewDice(seed uint64, name string) *Dice {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, seed)
	h.Write([]byte(name))
	return &Dice{r: rand.New(rand.NewPCG(seed, h.Sum64()))}
}

// N is below n.
func (d *Dice) N(n int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n <= 0 {
		return 0
	}
	return d.r.Int64N(n)
}

// Int is below n.
func (d *Dice) Int(n int) int { return int(d.N(int64(n))) }

// Is is true with a share p.
func (d *Dice) Is(p float64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.Float64() < p
}

// Between is a time from a to b, odd in its nanoseconds.
func (d *Dice) Between(a, b time.Duration) time.Duration {
	return a + time.Duration(d.N(int64(b-a)))
}
