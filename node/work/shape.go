package work

import (
	"context"

	"edgeward/fleet/summary"
	"edgeward/runtime/models"
)

// Shape is what a version's answers and features are counted in, for sums over a fleet.
func (w *Work) Shape(ctx context.Context, v models.Version) (summary.Shape, error) {
	var forecasts []float64
	if v.Manifest.Residuals != "" {
		all, err := w.Residuals(ctx, v)
		if err != nil {
			return summary.Shape{}, err
		}
		for _, r := range all {
			forecasts = append(forecasts, r.Forecast)
		}
	}
	features, err := w.features(ctx, v)
	if err != nil {
		return summary.Shape{}, err
	}
	return summary.ShapeOf(v.Manifest, forecasts, features), nil
}
