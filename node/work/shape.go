package work

import (
	"context"

	"edgeward/fleet/summary"
	"edgeward/runtime/models"
	"edgeward/runtime/profile"
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
	var features *profile.Profile
	if v.Manifest.FeatureProfile != "" {
		b, err := w.Blobs.ReadAll(ctx, v.Manifest.FeatureProfile, profile.MaxEncoded)
		if err != nil {
			return summary.Shape{}, err
		}
		if features, err = profile.Decode(b); err != nil {
			return summary.Shape{}, err
		}
	}
	return summary.ShapeOf(v.Manifest, forecasts, features), nil
}
