package train

import (
	"cmp"
	"math"
	"slices"
)

// logLoss is -log p, with p kept away from 0 as everybody does.
func logLoss(p float64) float64 { return -math.Log(math.Min(math.Max(p, 1e-15), 1)) }

// Score measures forecasts of numbers against their truths, pair by pair; a pair with a NaN is left out. low and high
// may be nil.
func Score(truth, forecast, low, high []float64) Metrics {
	var m Metrics
	inside := 0
	for i, y := range truth {
		d := y - forecast[i]
		if math.IsNaN(d) {
			continue
		}
		m.Rows++
		m.MAE += math.Abs(d)
		m.RMSE += d * d
		m.Bias += d
		if low != nil && y >= low[i] && y <= high[i] {
			inside++
		}
	}
	if m.Rows == 0 {
		return m
	}
	n := float64(m.Rows)
	m.MAE, m.RMSE, m.Bias, m.Coverage = m.MAE/n, math.Sqrt(m.RMSE/n), m.Bias/n, float64(inside)/n
	return m
}

// ScoreClasses measures probabilities, k per row, against class numbers. AUC is of class 1 and for two classes only.
func ScoreClasses(truth, p []float64, k int) Metrics {
	m := Metrics{Rows: len(truth)}
	if m.Rows == 0 {
		return m
	}
	for i, y := range truth {
		row := p[i*k : i*k+k]
		best := 0
		for c := range row {
			if row[c] > row[best] {
				best = c
			}
		}
		if best == int(y) {
			m.Accuracy++
		}
		m.LogLoss += logLoss(row[int(y)])
	}
	m.Accuracy, m.LogLoss = m.Accuracy/float64(m.Rows), m.LogLoss/float64(m.Rows)
	if k == 2 {
		score := make([]float64, len(truth))
		for i := range score {
			score[i] = p[2*i+1]
		}
		m.AUC = AUC(truth, score)
	}
	return m
}

// AUC is the probability that a random row of class 1 scores above a random row of class 0, ties counting half
// (Mann-Whitney U). It is 0.5 when one class is absent.
func AUC(truth, score []float64) float64 {
	at := make([]int, len(truth))
	for i := range at {
		at[i] = i
	}
	slices.SortStableFunc(at, func(a, b int) int { return cmp.Compare(score[a], score[b]) })
	rankSum, ones := 0.0, 0
	for i := 0; i < len(at); {
		j := i
		for j < len(at) && score[at[j]] == score[at[i]] {
			j++
		}
		for _, k := range at[i:j] {
			if truth[k] == 1 {
				rankSum += float64(i+j+1) / 2 // mean rank of the tied, counted from 1
				ones++
			}
		}
		i = j
	}
	zeros := len(truth) - ones
	if ones == 0 || zeros == 0 {
		return 0.5
	}
	return (rankSum - float64(ones)*float64(ones+1)/2) / (float64(ones) * float64(zeros))
}
