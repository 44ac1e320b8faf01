// Package work does what takes more than one part: import a file, build features, train, evaluate, register a model, put
// versions behind endpoints, predict by named fields, take things away. It joins the store, the blobs, the worker
// processes and the job queue, and has no rules of its own: what a recipe, a profile, a manifest or a spec means is said
// in their packages.
//
// Long work is a job (Handlers). Each job's work may run again from the start after a crash: everything it writes is
// named by content or by a natural key, so a second run finds what the first one left. Every write names its principal.
package work
