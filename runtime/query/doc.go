// Package query is SQL over files: reading CSV and Parquet, profiles, selections and read-only exploration. It is the
// only user of DuckDB, and DuckDB runs in a worker process only.
//
// # Parties
//
// The child (Service) answers the methods below in a worker of kind "query". The parent uses Client, whose methods are
// typed. Paths are those of blobs and temporary files that the server chose; a path never comes from a user.
//
//	inspect    CSV or Parquet file -> columns, types, rows
//	normalise  CSV or Parquet file -> one Parquet file with settled types, at a path the parent chose
//	profile    normalised file -> profile.Profile without coverage
//	coverage   normalised file -> profile.Coverage: missing calendar steps, duplicates, zeros per series
//	distinct   normalised file, columns -> number of different combinations
//	page       rows for people, as JSON
//	select     columns for recipes, as a Frame
//	sql        one SELECT over the view "data", as a page
//	export     encrypted Parquet file -> the answer of a statement of this program, as an encrypted Parquet or CSV file
//
// # Guarantees
//
//   - A call opens a DuckDB of its own that may touch the named files and nothing else: external access is off, no
//     extension is installed or loaded, the configuration is locked before any text from outside is parsed, memory and
//     threads are bounded. Text from outside is SQL only in the method sql; elsewhere values are bound parameters and
//     columns are checked against those of the file. The statements of export are of this program, and have bounds.
//   - Method sql runs one SELECT, which is checked by DuckDB's own parser first; it cannot write the file.
//   - Normalising and profiling the same bytes twice gives the same bytes, with one build of this program: one thread
//     sums, and the order of the rows is kept.
//   - Every answer is bounded (MaxPageRows, MaxPageBytes, MaxFrameCells); more is TooLarge or a stated truncation.
//   - A file that cannot be read is Invalid "dataset.corrupt", with parameter "line" where DuckDB names one. Too little
//     memory is Exhausted "query.memory". A DuckDB that crashes on a damaged file ends the worker, never the server: the
//     caller gets the worker's error.
//
// # What a caller may not assume
//
// That a file named by a path is still what it was: whoever hands over a blob verifies it first. That text columns hold
// clean text. That a type inferred from one file of a series of files is inferred from the next: declare it.
package query
