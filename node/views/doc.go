// Package views joins what several nouns know into what one page shows: endpoints, forecasts against truth, the
// overview. It only reads. Its numbers come from the prediction log, so they survive a restart and are the same for the
// page, the command line and a person with the API.
package views
