package profile

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Effect is how far two windows are apart by one statistic, with bounds that come from the counts alone: the true value
// lies between Low and High with probability of about 1-alpha. Low is 0 where the data cannot exclude "no change", so
// comparing Low with a tolerance stays silent in small windows. The zero Effect means that a window was empty.
type Effect struct {
	Stat  string  `json:"stat"`
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	RefN  int64   `json:"ref_n"`
	CurN  int64   `json:"cur_n"`
}

// Names of the statistics.
const (
	StatPSI         = "psi"
	StatJS          = "jensen_shannon"
	StatKS          = "ks"
	StatLInf        = "l_infinity"
	StatWasserstein = "wasserstein_norm"
	StatMeanShift   = "mean_shift"
	StatMissing     = "missing"
	StatUnseen      = "unseen"
	StatOutOfRange  = "out_of_range"
)

// psiFloor replaces a share of zero in PSI, as Evidently 0.7 does, so that values compare.
const psiFloor = 1e-4

// pair holds the shares of two count vectors of the same shape.
type pair struct {
	p, q   []float64
	n, m   float64
	cells  float64 // cells that are not empty on both sides
	rn, cn int64
}

// shares panics on vectors of different length: the caller compared the shapes.
func shares(ref, cur []int64) (pair, bool) {
	if len(ref) != len(cur) {
		panic("profile: windows of different shape are compared")
	}
	var w pair
	for i := range ref {
		w.rn += ref[i]
		w.cn += cur[i]
		if ref[i]+cur[i] > 0 {
			w.cells++
		}
	}
	if w.rn == 0 || w.cn == 0 {
		return w, false
	}
	w.n, w.m = float64(w.rn), float64(w.cn)
	w.p, w.q = make([]float64, len(ref)), make([]float64, len(ref))
	for i := range ref {
		w.p[i], w.q[i] = float64(ref[i])/w.n, float64(cur[i])/w.m
	}
	return w, true
}

func (w pair) effect(stat string, v, lo, hi float64) Effect {
	return Effect{Stat: stat, Value: v, Low: max(0, lo), High: max(0, hi), RefN: w.rn, CurN: w.cn}
}

// twoSided returns the standard normal quantile of 1-alpha/2.
func twoSided(alpha float64) float64 { return math.Sqrt2 * math.Erfinv(1-alpha) }

// variance returns Σ p g² - (Σ p g)², the variance of g under the shares p.
func variance(p, g []float64) float64 {
	var s, t float64
	for i := range p {
		s += p[i] * g[i]
		t += p[i] * g[i] * g[i]
	}
	return max(0, t-s*s)
}

// squared returns bounds of a measure that behaves like a squared distance. v is its value, bias the expected surplus by
// the second-order delta method, spread its variance by the first-order one. With y the true value, v-bias-y has a
// standard deviation of √(c²y + d²): c²y is the spread, which vanishes with y, so c² = spread/v; d is that of the
// chi-square law of "no change", whose quantile is taken instead of z·d. The bounds are the two y at which v-bias is just
// z such deviations away (test inversion).
func (w pair) squared(v, bias, spread, alpha float64) (lo, hi float64) {
	z := twoSided(alpha)
	nu := max(1, w.cells-1)
	null := bias * (chiSquareQuantile(nu, z)/nu - 1)
	a := v - bias
	c := 0.0
	if v > 0 {
		c = z * z * spread / v
	}
	root := math.Sqrt(max(0, c*c+4*a*c+4*null*null))
	hi = (2*a + c + root) / 2
	if a <= null {
		return 0, hi
	}
	return (2*a + c - root) / 2, hi
}

// chiSquareQuantile is the quantile of chi-square with nu degrees of freedom (not necessarily whole) at the standard
// normal quantile z, by Wilson and Hilferty (PNAS 17, 1931).
func chiSquareQuantile(nu, z float64) float64 {
	h := 2 / (9 * nu)
	x := 1 - h + z*math.Sqrt(h)
	return nu * x * x * x
}

// PSI is the population stability index Σ (p-q) ln(p/q), shares of zero set to 0.0001. When nothing changed it follows
// (1/n+1/m) times chi-square with k-1 degrees of freedom (Yurdakul and Naranjo, "Statistical properties of the population
// stability index", Journal of Risk Model Validation 14(4), 2020). Bounds: see squared.
func PSI(ref, cur []int64, alpha float64) Effect {
	w, ok := shares(ref, cur)
	if !ok {
		return Effect{}
	}
	gp, gq := make([]float64, len(ref)), make([]float64, len(ref))
	var v, b, bias float64
	for i := range w.p {
		if w.p[i] == 0 && w.q[i] == 0 {
			continue
		}
		v += psiTerm(floored(w.p[i], psiFloor), floored(w.q[i], psiFloor))
		// For the bounds an empty cell is taken as half a case, or every small window would seem far off.
		p, q := floored(w.p[i], max(psiFloor, 0.5/w.n)), floored(w.q[i], max(psiFloor, 0.5/w.m))
		b += psiTerm(p, q)
		l := math.Log(p / q)
		gp[i], gq[i] = l+1-q/p, -l+1-p/q
		bias += ((1+q/max(p, 1/w.n))*(1-w.p[i])/w.n + (1+p/max(q, 1/w.m))*(1-w.q[i])/w.m) / 2
	}
	lo, hi := w.squared(b, bias, variance(w.p, gp)/w.n+variance(w.q, gq)/w.m, alpha)
	hi = max(hi, v)
	return w.effect(StatPSI, v, lo, hi)
}

func psiTerm(p, q float64) float64 { return (p - q) * math.Log(p/q) }

func floored(share, floor float64) float64 {
	if share == 0 {
		return floor
	}
	return share
}

// JensenShannon is the Jensen-Shannon distance: the square root of the divergence in nats, as
// scipy.spatial.distance.jensenshannon. It is at most √ln 2. When nothing changed the divergence follows (1/n+1/m)/8 times
// chi-square with k-1 degrees of freedom. Bounds: see squared, taken on the divergence.
func JensenShannon(ref, cur []int64, alpha float64) Effect {
	w, ok := shares(ref, cur)
	if !ok {
		return Effect{}
	}
	gp, gq := make([]float64, len(ref)), make([]float64, len(ref))
	var v, bias float64
	for i := range w.p {
		p, q := w.p[i], w.q[i]
		if p+q == 0 {
			continue
		}
		if p > 0 {
			gp[i] = math.Log(2*p/(p+q)) / 2
			v += p * gp[i]
		}
		if q > 0 {
			gq[i] = math.Log(2*q/(p+q)) / 2
			v += q * gq[i]
		}
		bias += (q*(1-p)/w.n + p*(1-q)/w.m) / (p + q) / 4
	}
	v = max(0, v)
	lo, hi := w.squared(v, bias, variance(w.p, gp)/w.n+variance(w.q, gq)/w.m, alpha)
	return w.effect(StatJS, math.Sqrt(v), math.Sqrt(lo), min(math.Sqrt(hi), math.Sqrt(math.Ln2)))
}

// KS is the Kolmogorov-Smirnov distance of ordered bins: the largest difference of the two cumulative shares at a bin's
// upper edge, at most that of the raw values. Bounds: ± √(ln(2/alpha)/2 · (1/n+1/m)), the two-sample form of the
// Dvoretzky-Kiefer-Wolfowitz inequality (Wei and Dudley, "Two-sample Dvoretzky–Kiefer–Wolfowitz inequalities",
// Statistics & Probability Letters 82, 2012).
func KS(ref, cur []int64, alpha float64) Effect {
	w, ok := shares(ref, cur)
	if !ok {
		return Effect{}
	}
	var d, f float64
	for i := range w.p {
		f += w.p[i] - w.q[i]
		d = max(d, math.Abs(f))
	}
	e := math.Sqrt(math.Log(2/alpha) / 2 * (1/w.n + 1/w.m))
	return w.effect(StatKS, d, d-e, min(1, d+e))
}

// LInf is the largest difference of one cell's share. Bounds: the score interval of each cell's difference (as in Share),
// together at level alpha by Bonferroni over the cells in use.
func LInf(ref, cur []int64, alpha float64) Effect {
	w, ok := shares(ref, cur)
	if !ok {
		return Effect{}
	}
	var v, lo, hi float64
	for i := range w.p {
		if w.p[i]+w.q[i] == 0 {
			continue
		}
		e := Share("", ref[i], w.rn, cur[i], w.cn, alpha/w.cells)
		v, lo, hi = max(v, math.Abs(e.Value)), max(lo, e.Low, -e.High), max(hi, e.High, -e.Low)
	}
	return w.effect(StatLInf, v, lo, min(1, hi))
}

// Points returns one number per bin of a Numeric or Text column that stands for the values in it: the middle between its
// edges, Low and High at the ends. It is nil for other columns.
func (c *Column) Points() []float64 {
	if c.Kind != Numeric && c.Kind != Text {
		return nil
	}
	pts := make([]float64, 0, len(c.Edges)+1)
	last := c.Low
	for _, e := range c.Edges {
		pts = append(pts, last/2+e/2)
		last = e
	}
	return append(pts, last/2+max(last, c.High)/2)
}

// Wasserstein is the first Wasserstein distance ∫|F-G| of two counts in the bins of c, every value taken at its bin's
// point, divided by max(standard deviation of the reference, 0.001), as Evidently norms it. Values outside of the range
// of the reference count at the outermost points, so a far shift is understated: see MeanShift.
//
// Bounds: the value less the mean by which noise lengthens it, ± z times its spread by the delta method. Low is 0 unless
// the value passes the quantile of pure noise: Σ gap·|Z| with the covariances of the two empirical distribution
// functions, its law taken as a gamma law of the same mean and variance.
func Wasserstein(c *Column, ref, cur *Counts, alpha float64) Effect {
	w, ok := shares(ref.Bins, cur.Bins)
	pts := c.Points()
	if !ok || pts == nil {
		return Effect{}
	}
	k := len(pts) - 1
	gap, sd, pooled := make([]float64, k), make([]float64, k), make([]float64, k)
	signed := make([]float64, k+1) // gradient of the value by a bin's share, up to a constant
	var v, bias, f, g float64
	for i := range k {
		f += w.p[i]
		g += w.q[i]
		gap[i] = pts[i+1] - pts[i]
		// The variance of a share near 0 or 1 is taken with one more case on either side.
		fs, gs, h := (f*w.n+1)/(w.n+2), (g*w.m+1)/(w.m+2), (f*w.n+g*w.m+1)/(w.n+w.m+2)
		v += gap[i] * math.Abs(f-g)
		bias += gap[i] * foldedBias(f-g, math.Sqrt(fs*(1-fs)/w.n+gs*(1-gs)/w.m))
		pooled[i], sd[i] = h, math.Sqrt(h*(1-h)*(1/w.n+1/w.m))
		sign := 1.0
		if f < g {
			sign = -1
		}
		signed[i+1] = signed[i] + gap[i]*sign
	}
	z := twoSided(alpha)
	e := z * math.Sqrt(variance(w.p, signed)/w.n+variance(w.q, signed)/w.m)
	norm := max(ref.Moments.SD(), 0.001)
	low := v - bias - e
	if v <= noiseQuantile(gap, sd, pooled, z) {
		low = 0
	}
	return w.effect(StatWasserstein, v/norm, low/norm, (v-bias+e)/norm)
}

// noiseQuantile is the quantile, at the standard normal quantile z, of Σ gap|Z| where Z has standard deviations sd and
// the correlations of an empirical distribution function at the levels h. The covariance of |X| and |Y| for correlation r
// is 2/π·(√(1-r²) + r·asin r - 1)·sd·sd (Nabeya, Annals of the Institute of Statistical Mathematics 3, 1951).
func noiseQuantile(gap, sd, h []float64, z float64) float64 {
	var mean, v float64
	for i := range gap {
		mean += gap[i] * sd[i] * math.Sqrt(2/math.Pi)
		for j := range i + 1 {
			r := min(1, math.Sqrt(h[j]*(1-h[i])/(h[i]*(1-h[j]))))
			c := 2 / math.Pi * (math.Sqrt(1-r*r) + r*math.Asin(r) - 1) * sd[i] * sd[j] * gap[i] * gap[j]
			if j < i {
				c *= 2
			}
			v += c
		}
	}
	if mean == 0 || v == 0 {
		return mean
	}
	return chiSquareQuantile(2*mean*mean/v, z) * v / (2 * mean)
}

// foldedBias is E|d+sd·Z| - |d| of a standard normal Z, how much noise lengthens a distance.
func foldedBias(d, sd float64) float64 {
	if sd == 0 {
		return 0
	}
	d = math.Abs(d)
	r := d / sd
	return sd*math.Sqrt(2/math.Pi)*math.Exp(-r*r/2) - d*math.Erfc(r/math.Sqrt2)
}

// MeanShift is |mean of cur - mean of ref| in standard deviations of the reference (at least 0.001), with Welch's
// interval. Unlike Wasserstein it sees values beyond the range of the reference at their full size.
func MeanShift(ref, cur Moments, alpha float64) Effect {
	if ref.N == 0 || cur.N == 0 {
		return Effect{}
	}
	norm := max(ref.SD(), 0.001)
	d := math.Abs(cur.Mean-ref.Mean) / norm
	e := twoSided(alpha) * math.Sqrt(ref.SD()*ref.SD()/float64(ref.N)+cur.SD()*cur.SD()/float64(cur.N)) / norm
	return Effect{Stat: StatMeanShift, Value: d, Low: max(0, d-e), High: d + e, RefN: ref.N, CurN: cur.N}
}

// Share compares two shares: hits of n in the reference and in the current window. Value is the increase, negative when
// the share fell; Low and High are Newcombe's score interval (method 10 in "Interval estimation for the difference
// between independent proportions", Statistics in Medicine 17, 1998), and may be negative here.
func Share(stat string, refHits, refN, curHits, curN int64, alpha float64) Effect {
	if refN == 0 || curN == 0 {
		return Effect{}
	}
	z := twoSided(alpha)
	p, pl, pu := wilson(curHits, curN, z)
	q, ql, qu := wilson(refHits, refN, z)
	return Effect{Stat: stat, Value: p - q, Low: p - q - math.Hypot(p-pl, qu-q), High: p - q + math.Hypot(pu-p, q-ql), RefN: refN, CurN: curN}
}

// wilson returns a share and its score interval (Wilson 1927).
func wilson(hits, n int64, z float64) (p, lo, hi float64) {
	k := float64(n)
	p = float64(hits) / k
	mid := (p + z*z/(2*k)) / (1 + z*z/k)
	half := z / (1 + z*z/k) * math.Sqrt(p*(1-p)/k+z*z/(4*k*k))
	return p, max(0, mid-half), min(1, mid+half)
}

// Test is the result of a test of "both windows come from the same distribution".
type Test struct {
	Statistic float64 `json:"statistic"`
	DoF       int     `json:"dof"`
	P         float64 `json:"p"`
}

// ChiSquare is Pearson's test of homogeneity of two count vectors, both sides taken as samples (scipy.stats
// chi2_contingency with correction=False), not the goodness-of-fit test that takes the reference as exact. Cells empty on
// both sides are left out. With fewer than two cells in use or an empty window P is 1.
func ChiSquare(ref, cur []int64) Test {
	w, ok := shares(ref, cur)
	if !ok || w.cells < 2 {
		return Test{P: 1}
	}
	var x float64
	total := w.n + w.m
	for i := range ref {
		col := float64(ref[i] + cur[i])
		if col == 0 {
			continue
		}
		er, ec := col*w.n/total, col*w.m/total
		dr, dc := float64(ref[i])-er, float64(cur[i])-ec
		x += dr*dr/er + dc*dc/ec
	}
	dof := int(w.cells) - 1
	return Test{Statistic: x, DoF: dof, P: mathext.GammaIncRegComp(float64(dof)/2, x/2)}
}
