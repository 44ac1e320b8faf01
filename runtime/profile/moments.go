package profile

import (
	"encoding/json"
	"math"
)

// Moments are the count, mean and central sums of a set of finite numbers: M2 = Σ(x-mean)², M3 and M4 likewise. The zero
// value is the empty set.
type Moments struct {
	N    int64   `json:"n"`
	Mean float64 `json:"mean"`
	M2   float64 `json:"m2"`
	M3   float64 `json:"m3"`
	M4   float64 `json:"m4"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

// Add takes in one finite number. Update formulas: Pébay, "Formulas for Robust, One-Pass Parallel Computation of
// Covariances and Arbitrary-Order Statistical Moments", Sandia report SAND2008-6212, equations 2.1 to 2.3 with one value.
func (m *Moments) Add(x float64) {
	if m.N == 0 {
		*m = Moments{N: 1, Mean: x, Min: x, Max: x}
		return
	}
	m.Min, m.Max = min(m.Min, x), max(m.Max, x)
	n1 := float64(m.N)
	m.N++
	n := float64(m.N)
	d := x - m.Mean
	dn := d / n
	dn2 := dn * dn
	t := d * dn * n1
	m.Mean += dn
	m.M4 += t*dn2*(n*n-3*n+3) + 6*dn2*m.M2 - 4*dn*m.M3
	m.M3 += t*dn*(n-2) - 3*dn*m.M2
	m.M2 += t
}

// Merge adds the numbers of o, which is exact up to rounding (the same report, equations 3.1 to 3.3).
func (m *Moments) Merge(o Moments) {
	if o.N == 0 {
		return
	}
	if m.N == 0 {
		*m = o
		return
	}
	na, nb := float64(m.N), float64(o.N)
	n := na + nb
	d := o.Mean - m.Mean
	r := Moments{N: m.N + o.N, Min: min(m.Min, o.Min), Max: max(m.Max, o.Max)}
	r.Mean = m.Mean + d*nb/n
	r.M2 = m.M2 + o.M2 + d*d*na*nb/n
	r.M3 = m.M3 + o.M3 + d*d*d*na*nb*(na-nb)/(n*n) + 3*d*(na*o.M2-nb*m.M2)/n
	r.M4 = m.M4 + o.M4 + d*d*d*d*na*nb*(na*na-na*nb+nb*nb)/(n*n*n) +
		6*d*d*(na*na*o.M2+nb*nb*m.M2)/(n*n) + 4*d*(na*o.M3-nb*m.M3)/n
	*m = r
}

// SD returns the standard deviation with n-1 in the denominator; 0 for fewer than two numbers.
func (m Moments) SD() float64 {
	if m.N < 2 || m.M2 <= 0 {
		return 0
	}
	return math.Sqrt(m.M2 / float64(m.N-1))
}

// Skewness returns the population skewness √n·M3/M2^1.5; 0 where it is not defined.
func (m Moments) Skewness() float64 {
	if m.M2 <= 0 {
		return 0
	}
	return math.Sqrt(float64(m.N)) * m.M3 / math.Pow(m.M2, 1.5)
}

// Kurtosis returns the population excess kurtosis n·M4/M2² - 3; 0 where it is not defined.
func (m Moments) Kurtosis() float64 {
	if m.M2 <= 0 {
		return 0
	}
	return float64(m.N)*m.M4/(m.M2*m.M2) - 3
}

// MarshalJSON writes sums that have overflowed as the largest number, because JSON has no infinity.
func (m Moments) MarshalJSON() ([]byte, error) {
	type plain Moments
	for _, v := range []*float64{&m.Mean, &m.M2, &m.M3, &m.M4} {
		switch {
		case math.IsInf(*v, -1):
			*v = -math.MaxFloat64
		case math.IsInf(*v, 1), math.IsNaN(*v):
			*v = math.MaxFloat64
		}
	}
	return json.Marshal(plain(m))
}
