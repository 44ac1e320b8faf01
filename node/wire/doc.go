// Package wire is what the API and its clients say to each other where no noun of runtime or fleet says it already.
//
// Nouns (models.Version, jobs.Job, datasets.Version, serve.Spec, alerts.Alert, …) travel as they are: their JSON tags are
// the API. This package adds the requests, the views that join several nouns for a page, and the list envelope. Fields
// are only ever added; a field that may be absent has omitempty. Times are RFC 3339 in UTC. Both node/api and
// node/client import it, so a request has one definition.
package wire
