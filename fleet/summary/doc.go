// Package summary is what the nodes of a fleet say of a version's work, in counts that add up: requests, errors, latencies, where its
// answers and features fell, and how far they were from the truth.
//
// # Parties
//
// A Counter on each node takes every answer the prediction log takes (Add) and every truth that came (Pairs). Once in a while Flush makes
// Summaries of them: one of each endpoint, version and day. The hub keeps the newest of each node, and Merged adds those of all nodes up
// and compares them with what the version was trained on.
//
// # What it promises
//
//   - Merged counts are those of one server that had seen all rows, in whatever order and on however many nodes: counts are whole
//     numbers in cells which the version fixes (Shape, from blobs every holder of the version has), sums of errors are exact (Sum). So PSI,
//     Kolmogorov-Smirnov distance, quantiles of latency, mean error and accuracy are the same to the last bit.
//   - A summary holds no value of the data, no category and no edge: cells are known by number.
//   - Two reports of one node never differ by fewer than MinCases cases, nor by fewer than MinCases truths: what is fresh waits until
//     there are so many, over midnight if need be. So no report, and no difference of two, speaks of one person. Errors and latencies of
//     fewer wait with them.
//   - The natural key is node, group, endpoint, version's digest and day; the report with the highest Seq counts. Receiving one twice, or
//     an older one late, changes nothing.
//   - Every list is bounded: MaxSummaries a call, MaxCells cells, MaxKept kept on a node, KeptDays days anywhere.
//
// # What a caller may not assume
//
// Features are counted only where the endpoint keeps its inputs (its record policy): what is not recorded is not counted either. Answers
// beyond an endpoint's record rate are not recorded, and not counted. Day is the day, in UTC by the node's clock, on which a case was
// flushed. A crash loses at most what came since the last Flush.
package summary
