package train_test

import (
	"testing"

	"edgeward/runtime/recipe"
	"edgeward/runtime/train"
)

// BenchmarkBuild makes the table that the demonstration trains on, from rows in memory.
func BenchmarkBuild(b *testing.B) {
	src, r := hospitals(b, "1"), hospitalRecipe("1", "")
	for b.Loop() {
		if _, _, err := r.Build(src, recipe.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFit is the whole of Fit as the demonstration has it, and with its setting given.
func BenchmarkFit(b *testing.B) {
	tab, l := build(b, hospitalRecipe("1", ""), hospitals(b, "1")), library(b)
	for name, p := range map[string]*train.Params{"search": nil,
		"given": {Objective: "poisson", Rounds: 600, LearningRate: .03, Leaves: 15, MinLeaf: 20, FeatureShare: .8, RowShare: .8}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := train.Fit(b.Context(), l, tab, train.Spec{Split: train.Split{To: date("2022-06-30")}, Params: p}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
