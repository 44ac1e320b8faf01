// Package drift says when a deployed forecast has stopped being as good as it was, and keeps the evidence.
//
// A Detector watches the forecast's own residuals (truth minus forecast) against the residuals of validation days. It
// alone fires; its threshold is a mean time between false alarms. Evidence compares windows of inputs with the same
// season of the reference and only ranks; it never fires. Control proves on held-out days that the detector is quiet.
package drift
