// Package drift says when a deployed forecast has stopped being as good as it was, and keeps the evidence.
//
// # Parties
//
// A Reference holds the residuals (truth minus forecast) of validation days; it travels with the model version. A
// Detector watches one version's residuals against it, one Observation at a time, as the truth arrives; its State is a
// value that survives as JSON. It alone fires. Evidence compares windows of inputs with the same season of the
// reference; it ranks features and never fires. Control runs the detector over held-out days to show that it is quiet.
// Report is what leaves the server.
//
// # The detector
//
// For each group two streams: bias (the residual, both directions) and error (its absolute value, upwards only).
//
//  1. Whitening: w(t) = e(t) - phi^k e(t-1), where e is the residual less the reference mean, phi the lag-1
//     autocorrelation of the reference and k the number of target times between the two.
//  2. Rank: the share interval [below, below+ties+1] / (N+1) that w takes among the reference and all values seen
//     since (at most MaxPool are kept). In quiet times every such interval is equally likely, whatever the distribution
//     of residuals and however small the reference (conformal ranks, Vovk, Gammerman and Shafer 2005).
//  3. Bets: the mean of exp(dz - d²/2) over the interval, z the normal score, d = ±½ ±1 ±2 (error: +½ +1 +2). Its
//     expectation is 1 in quiet times. No random number is drawn: the mean over the interval is exact,
//     (Φ(z₂-d) - Φ(z₁-d)) / (u₂-u₁). Each bet is multiplied by exp(-|d|·Tolerance), which keeps its expectation at or
//     below 1 also when the normal scores have moved by up to Tolerance standard deviations: a bias of a third of the
//     residuals' spread, such as a season brings and as a small reference mistakes, is not drift.
//  4. Shiryaev-Roberts sums R ← (1 + R)·bet, averaged over bets, streams and groups to the statistic M. In quiet times
//     the mean of M after t target times is at most t, so the mean time to M ≥ A is at least A (e-detectors: Shin,
//     Ramdas and Rinaldo, arXiv 2203.03532). A is therefore the setting: YearsPerFalseAlarm × PerYear.
//
// # Guarantees
//
// Step is a pure function: the same state and observation give the same answer. A replay after a crash repeats the
// verdicts bit for bit. An observation that is not newer than the group's last one, not finite, or of a group without
// a reference changes nothing but a counter.
//
// # What was measured
//
// On residuals of the demonstration's two hospitals drawn anew from quiet 2022, set to one false alarm in 4 years,
// 60 runs each, as a multiple of the setting: independent days, no tolerance 1.1 to 1.6; days in blocks of 28, with all
// their dependence, no tolerance 0.11 to 0.14 (the theorem's assumption does not hold), tolerance 0.25 0.7 to 1.5,
// tolerance 0.35 1.1 to 3.1, tolerance 0.5 3.5 to 7.2; references of 91, 120 and 180 days. So 0.35 is the default: the
// least that keeps the promise on data as dependent as these. On independent days it is far longer, 47 and more times
// the setting.
//
// # What a caller may not assume
//
// The promise needs residuals that are exchangeable after whitening. The reference's remaining autocorrelation (lag 1
// and the season's lag) is measured; where it is above 0.1, and more than chance explains, Reference.Promise is false
// and verdict and report say so. Seasons that the reference does not contain are covered only up to the tolerance.
// After an alarm the pool goes on absorbing, so a long drift may look quiet again: an alarm is to be latched by the
// alert, and ended by a new version or a person, not by a later quiet verdict. A shift of less than 0.6 of
// the residuals' spread is not found.
package drift
