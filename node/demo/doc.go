// Package demo tells the product's story on real data: daily attendances of two hospital emergency departments from raw
// file to a served, monitored, retrained and promoted version. It is a client like any other: it imports node/client
// and nothing else of ours, keeps no state of its own, and does each step under a natural key, so that a demonstration
// that was killed goes on where it was, or finds that all is done.
//
// # What it shows, and what not
//
// The data are public aggregate counts (data/ATTRIBUTION.md). What is forecast is demand, not free beds. It is no medical
// device, no assessment of these hospitals, and not for staffing or care decisions.
//
// # Honesty
//
// The day of the alarm, of each training, of each verdict come out of the detector and the loop; no constant of this
// package names them. What is compared is compared on the same rows, and version 1 is really run on the days after it
// was replaced. Report.Says puts into words what was found, also where the new version loses.
package demo
