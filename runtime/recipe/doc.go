// Package recipe is the one definition of a model's features, used for training and for serving alike.
//
// A Recipe is a small declared document: which columns, which rows, which lags. It is written as canonical JSON, and the
// SHA-256 of those bytes (Recipe.Digest) is its identity: two versions with the same recipe digest see the same features.
// A Recipe reads nothing itself: Select says which columns and filters it needs, a query worker fills a Source with them,
// and Build turns the Source into a Table, the model matrix.
//
// # Two kinds
//
// "forecast" reads a long table (time, target, optional group and covariates; hourly, daily or weekly). For every group
// and every calendar step t between its first and last row there is one Row with Origin t and Target t+horizon. Its
// features use steps up to and including t and the calendar of the target step, nothing else: moving the future moves no
// feature. Lags count calendar steps, not rows. A step without a row is missing: its lag is NaN, a rolling mean is taken
// over what is there and is NaN below its minimum count. Nothing is imputed; Build reports each gap and each zero step.
//
// "table" reads a plain table without time: numeric and categorical columns, one target; a regressor or a classifier.
//
// # Promises
//
//   - Build is a pure function of (recipe, source, options): same input, same bytes.
//   - Every X value is a float32 written as float64, so that a model trained on X answers exactly the same on float32.
//   - Categories are fixed by the training table (Options.Features): at serving time an unknown category is NaN.
//   - Steps are calendar steps in UTC. A source in local time must be given as such, with the zone dropped.
package recipe
