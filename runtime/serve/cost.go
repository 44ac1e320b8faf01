package serve

import "time"

// cost is what a run of b rows takes, learnt from the runs themselves: t(b) = fixed + perRow·b, fitted by least squares in
// which each run weighs forget of the one after it. The zero cost knows nothing.
type cost struct {
	n, b, bb, t, bt float64 // weighted sums: 1, rows, rows², seconds, rows·seconds
}

// forget makes the last fifty runs count most.
const forget = 0.98

// enough is the weight of runs from which on a prediction may refuse a request.
const enough = 8

func (c *cost) observe(rows int, took time.Duration) {
	b, t := float64(rows), took.Seconds()
	c.n = c.n*forget + 1
	c.b = c.b*forget + b
	c.bb = c.bb*forget + b*b
	c.t = c.t*forget + t
	c.bt = c.bt*forget + b*t
}

// fit returns the two parts of the cost. While all runs had as many rows, nothing tells them apart: then all of it counts
// as fixed, which is true of the small models that joining is for.
func (c *cost) fit() (fixed, perRow time.Duration) {
	if c.n == 0 {
		return 0, 0
	}
	spread := c.n*c.bb - c.b*c.b
	slope := 0.0
	if spread > 1e-3*c.n*c.bb {
		slope = max(0, (c.n*c.bt-c.b*c.t)/spread)
	}
	return seconds(max(0, (c.t-slope*c.b)/c.n)), seconds(slope)
}

// of predicts a run.
func (c *cost) of(rows int) time.Duration {
	fixed, perRow := c.fit()
	return fixed + time.Duration(rows)*perRow
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
